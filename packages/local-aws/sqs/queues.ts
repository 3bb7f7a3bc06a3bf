/** The queues of the one account there is, with what SQS knows of each besides its messages. */

import { sqsError } from "./errors.ts";
import type { SqsJournal, StoredQueue } from "./journal.ts";
import {
  checkAttributes,
  noFifo,
  parseRedrivePolicy,
  settable,
  settingsOf,
  withDefaults,
} from "./queue-attributes.ts";
import { type Clock, StandardQueue } from "./standard-queue.ts";

export const ACCOUNT = "000000000000";

export interface LocalQueue extends StoredQueue {
  readonly url: string;
  readonly arn: string;
  readonly messages: StandardQueue;
}

/** Attributes that only SQS sets. */
const OWN_ATTRIBUTES = [
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesDelayed",
  "ApproximateNumberOfMessagesNotVisible",
  "CreatedTimestamp",
  "LastModifiedTimestamp",
  "QueueArn",
];

export class Queues {
  readonly #journal: SqsJournal;
  readonly #clock: Clock;
  readonly #region: string;
  readonly #url: string;
  readonly #queues = new Map<string, LocalQueue>();
  readonly #purgedAt = new Map<string, number>();

  constructor({
    journal,
    clock,
    region,
    url,
  }: { journal: SqsJournal; clock: Clock; region: string; url: string }) {
    this.#journal = journal;
    this.#clock = clock;
    this.#region = region;
    this.#url = url;
    for (const stored of journal.queues()) this.#open(stored);
    this.#connect();
  }

  /** The queue of this name with these attributes: made, or found where they are the same. */
  create(name: string, attributes: Record<string, string>, tags: Record<string, string>): LocalQueue {
    if (name.endsWith(".fifo")) throw noFifo();
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(name)) {
      const rule = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
      throw sqsError("InvalidParameterValue", rule);
    }
    checkAttributes(attributes);
    const existing = this.#queues.get(name);
    if (existing) {
      const shown = withDefaults(existing.attributes);
      const other = Object.keys(attributes).find((key) => attributes[key] !== (shown[key] ?? ""));
      if (other === undefined) return existing;
      const reason = `A queue already exists with the same name and a different value for attribute ${other}`;
      throw sqsError("QueueNameExists", reason);
    }
    this.#checkRedrive(attributes);
    const createdAt = this.#seconds();
    const queue = this.#open({ name, createdAt, modifiedAt: createdAt, attributes, tags });
    this.#journal.saveQueue(queue);
    this.#connect();
    return queue;
  }

  setAttributes(queue: LocalQueue, changes: Record<string, string>): void {
    checkAttributes(changes);
    this.#checkRedrive(changes, queue);
    this.#replace({ ...queue, attributes: { ...queue.attributes, ...changes }, modifiedAt: this.#seconds() });
    this.#connect();
  }

  setTags(queue: LocalQueue, tags: Record<string, string>): void {
    this.#replace({ ...queue, tags });
  }

  delete(queue: LocalQueue): void {
    queue.messages.purge();
    this.#journal.removeQueue(queue.name);
    this.#queues.delete(queue.name);
    this.#purgedAt.delete(queue.name);
    this.#connect();
  }

  purge(queue: LocalQueue): void {
    const seconds = this.#seconds();
    if (seconds - (this.#purgedAt.get(queue.name) ?? Number.NEGATIVE_INFINITY) < 60) {
      const reason = `Only one PurgeQueue operation on ${queue.name} is allowed every 60 seconds.`;
      throw sqsError("PurgeQueueInProgress", reason);
    }
    this.#purgedAt.set(queue.name, seconds);
    queue.messages.purge();
  }

  /** Those whose names start with `prefix`, by name. */
  list(prefix = ""): LocalQueue[] {
    const queues = [...this.#queues.values()].filter(({ name }) => name.startsWith(prefix));
    return queues.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  named(name: string): LocalQueue {
    const queue = this.#queues.get(name);
    if (!queue) throw sqsError("QueueDoesNotExist", "The specified queue does not exist.");
    return queue;
  }

  /** Whatever host the URL names: clients reach this server under several. */
  at(url: string): LocalQueue {
    if (!URL.canParse(url, this.#url)) {
      throw sqsError("InvalidAddress", `The address ${url} is not valid for this endpoint.`);
    }
    const [account, name] = new URL(url, this.#url).pathname.split("/").slice(-2);
    return this.named(account === ACCOUNT ? (name ?? "") : "");
  }

  withArn(arn: string): LocalQueue | undefined {
    return [...this.#queues.values()].find((queue) => queue.arn === arn);
  }

  /** The queues that `queue` is the dead-letter queue of. */
  sourcesOf(queue: LocalQueue): LocalQueue[] {
    return this.list().filter((source) => deadLetterArn(source) === queue.arn);
  }

  /** The attributes of these names; `All` for every one. */
  describe(queue: LocalQueue, names: readonly string[]): Record<string, string> {
    const unknown = names.find(
      (name) => !["All", ...OWN_ATTRIBUTES, ...Object.keys(settable)].includes(name),
    );
    if (unknown !== undefined) throw sqsError("InvalidAttributeName", `Unknown Attribute ${unknown}.`);
    const { visible, inFlight, delayed } = queue.messages.count();
    const all = {
      ...withDefaults(queue.attributes),
      ApproximateNumberOfMessages: String(visible),
      ApproximateNumberOfMessagesDelayed: String(delayed),
      ApproximateNumberOfMessagesNotVisible: String(inFlight),
      CreatedTimestamp: String(queue.createdAt),
      LastModifiedTimestamp: String(queue.modifiedAt),
      QueueArn: queue.arn,
    };
    return Object.fromEntries(
      Object.entries(all).filter(([name]) => names.includes(name) || names.includes("All")),
    );
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  #open(stored: StoredQueue): LocalQueue {
    const arn = `arn:aws:sqs:${this.#region}:${ACCOUNT}:${stored.name}`;
    const messages = new StandardQueue({
      name: arn,
      clock: this.#clock,
      journal: this.#journal.messageJournal(stored.name),
      messages: this.#journal.messages(stored.name),
    });
    const queue = { ...stored, arn, url: `${this.#url}/${ACCOUNT}/${stored.name}`, messages };
    this.#queues.set(queue.name, queue);
    return queue;
  }

  #replace(queue: LocalQueue): void {
    this.#journal.saveQueue(queue);
    this.#queues.set(queue.name, queue);
  }

  /** A target that goes later only ends the redrive; one that never was is refused, as SQS does. */
  #checkRedrive(attributes: Record<string, string>, queue?: LocalQueue): void {
    const policy = parseRedrivePolicy(attributes["RedrivePolicy"]);
    if (!policy) return;
    const target = this.withArn(policy.deadLetterTargetArn);
    if (target && target !== queue) return;
    const reason = target
      ? "A queue cannot be its own dead letter target."
      : "Dead letter target does not exist.";
    const value = attributes["RedrivePolicy"];
    throw sqsError(
      "InvalidParameterValue",
      `Value ${value} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
    );
  }

  /** Hands all engines their settings; after any change, as one queue's redrive depends on another's being there. */
  #connect(): void {
    for (const queue of this.#queues.values()) {
      const policy = parseRedrivePolicy(queue.attributes["RedrivePolicy"]);
      const target = policy && this.withArn(policy.deadLetterTargetArn);
      const redrive = target && { to: target.messages, maxReceives: policy.maxReceiveCount };
      queue.messages.configure({ ...settingsOf(queue.attributes), redrive });
    }
  }
}

function deadLetterArn(queue: LocalQueue): string | undefined {
  return parseRedrivePolicy(queue.attributes["RedrivePolicy"])?.deadLetterTargetArn;
}
