/**
 * Event notifications to queues, in S3's form. An event is written to an outbox by the transaction that it tells of
 * and leaves the outbox when the queue has it: at least once, also over a crash.
 */
import type { Log } from "../log.ts";
import { S3Error } from "./errors.ts";
import { type EventName, matches, parseRules, type Rule, renderRules } from "./notification-rules.ts";
import { encodeKey, type S3Request } from "./request.ts";
import type { Storage, StoredObject } from "./storage.ts";

/** A queue that cannot be reached is tried again after this long, and each time after twice as long. */
const RETRY_MS = { first: 1000, most: 60_000 };
/** Of "Event message structure"; readers compare the major version only. */
const EVENT_VERSION = "2.6";

export interface NotificationOptions {
  readonly storage: Storage;
  readonly region: string;
  readonly account: string;
  readonly now: () => Date;
  readonly notify: (queueArn: string, body: string) => void | Promise<void>;
  readonly log: Log;
}

export class Notifications {
  readonly #options: NotificationOptions;
  #delivering: Promise<void> | undefined;
  #again = false;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS.first;
  #closed = false;

  constructor(options: NotificationOptions) {
    this.#options = options;
  }

  #rules(bucket: string): Rule[] {
    return JSON.parse(this.#options.storage.configuration(bucket, "notification") ?? "[]") as Rule[];
  }

  /**
   * Replaces a bucket's rules. Each queue gets S3's test message first; one that cannot take it makes the whole
   * configuration invalid, unless the caller asks not to be told.
   */
  async configure(
    bucket: string,
    document: string,
    requestId: string,
    skipValidation: boolean,
  ): Promise<void> {
    const { storage, now, notify } = this.#options;
    const rules = parseRules(document);
    for (const queue of new Set(rules.map((rule) => rule.queue))) {
      const body = {
        Service: "Amazon S3",
        Event: "s3:TestEvent",
        Time: now().toISOString(),
        Bucket: bucket,
        RequestId: requestId,
        HostId: requestId,
      };
      try {
        await notify(queue, JSON.stringify(body));
      } catch (error) {
        if (!skipValidation) {
          throw new S3Error(
            "InvalidArgument",
            "Unable to validate the following destination configurations",
            { ArgumentName: "Queue", ArgumentValue: queue },
            { cause: error },
          );
        }
      }
    }
    storage.transaction(() => storage.setConfiguration(bucket, "notification", JSON.stringify(rules)));
  }

  /** The rules as S3 shows them. */
  document(bucket: string): string {
    return renderRules(this.#rules(bucket));
  }

  /** In the transaction of the change: a message to every queue that wants to know. */
  note(
    request: S3Request,
    event: EventName,
    object: Pick<StoredObject, "bucket" | "key"> & Partial<StoredObject>,
  ): void {
    const { storage, now } = this.#options;
    // Every change takes a number, wanted or not: a rule may come tomorrow.
    const sequencer = storage.nextSequence(now().getTime()).toString(16).toUpperCase().padStart(18, "0");
    for (const rule of this.#rules(object.bucket).filter((r) => matches(r, event, object.key))) {
      const record = this.#record(request, event, rule.id, object, sequencer);
      storage.run(
        "INSERT INTO outbox (queue, body) VALUES (?, ?)",
        rule.queue,
        JSON.stringify({ Records: [record] }),
      );
      // After the transaction, which is synchronous.
      queueMicrotask(() => this.deliver());
    }
  }

  #record(
    request: S3Request,
    event: EventName,
    rule: string,
    object: Parameters<Notifications["note"]>[2],
    sequencer: string,
  ): unknown {
    const { account, region, now } = this.#options;
    const principal = { principalId: account };
    return {
      eventVersion: EVENT_VERSION,
      eventSource: "aws:s3",
      awsRegion: region,
      eventTime: now().toISOString(),
      eventName: event,
      userIdentity: principal,
      requestParameters: { sourceIPAddress: request.incoming.socket.remoteAddress ?? "127.0.0.1" },
      responseElements: { "x-amz-request-id": request.id, "x-amz-id-2": request.id },
      s3: {
        s3SchemaVersion: "1.0",
        configurationId: rule,
        bucket: { name: object.bucket, ownerIdentity: principal, arn: `arn:aws:s3:::${object.bucket}` },
        // Undefined of a removal, and then not in the JSON.
        object: {
          key: encodeKey(object.key).replaceAll("%20", "+"),
          size: object.size,
          eTag: object.etag,
          versionId: object.version,
          sequencer,
        },
      },
    };
  }

  /** Empties the outbox, oldest first; what a queue does not take is tried again later and holds up nothing else. */
  deliver(): void {
    this.#again = true;
    if (this.#closed || this.#delivering) return;
    clearTimeout(this.#retry);
    this.#delivering = this.#drain().finally(() => {
      this.#delivering = undefined;
    });
  }

  async #drain(): Promise<void> {
    const { storage, notify, log } = this.#options;
    let undelivered = false;
    while (this.#again && !this.#closed) {
      this.#again = false;
      undelivered = false;
      for (const { id = 0, queue, body } of storage.all("SELECT id, queue, body FROM outbox ORDER BY id")) {
        if (this.#closed) return;
        try {
          await notify(String(queue), String(body));
          storage.run("DELETE FROM outbox WHERE id = ?", id);
        } catch (error) {
          undelivered = true;
          log("warn", "s3 notification not delivered", { queue, error: String(error) });
        }
      }
    }
    if (undelivered) {
      this.#retry = setTimeout(() => this.deliver(), this.#retryMs).unref();
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.most);
    } else {
      this.#retryMs = RETRY_MS.first;
    }
  }

  /** What is not delivered by now stays in the outbox for the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#delivering;
  }
}
