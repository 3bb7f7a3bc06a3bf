/** Sends webhooks in the form of Standard Webhooks: signed, timestamped, without following redirects. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Webhook } from "standardwebhooks";
import { DarkroomError } from "../../core/errors.ts";
import { isAddress, isPublicAddress, publicLookup } from "./public-address.ts";

export interface WebhookOptions {
  /** `whsec_…`; several while one replaces another, each signs. */
  readonly secrets: readonly string[];
  /** Also `http:` and addresses that are not public. */
  readonly allowPrivate: boolean;
  /** From the first byte sent to the answer. */
  readonly timeoutMs: number;
  readonly now: () => Date;
}

/** How long a receiver that did not answer in time is left alone. */
const REST_MS = 60_000;
/** Of an answer nobody reads: enough that an ordinary one ends as its server expects. */
const MAX_ANSWER_BYTES = 16_384;

/**
 * Resolves with the status of the answer.
 *
 * One receiver that hangs would soon hold all there is to send with. After a time-out it is passed over for a minute;
 * what is passed over comes back as after any other failure.
 */
export function webhookSender({ secrets, allowPrivate, timeoutMs, now }: WebhookOptions) {
  const signers = secrets.map((secret) => new Webhook(secret));
  const resting = new Map<string, number>();

  return async (url: string, id: string, body: string): Promise<number> => {
    const target = new URL(url);
    const at = now();
    if ((resting.get(url) ?? 0) > at.getTime())
      throw new DarkroomError("unavailable", `${target.host} did not answer just now and is left alone.`);
    const signature = signers.map((signer) => signer.sign(id, at, body)).join(" ");
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await post(target, {
        body,
        signal,
        allowPrivate,
        headers: {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(body)),
          "user-agent": "Darkroom",
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
          "webhook-signature": signature,
        },
      });
    } catch (cause) {
      if (signal.aborted) resting.set(url, now().getTime() + REST_MS);
      const why = signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(cause);
      throw new DarkroomError("unavailable", `${target.host}: ${why}`);
    }
  };
}

interface Post {
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
  readonly allowPrivate: boolean;
}

function post(target: URL, { body, headers, signal, allowPrivate }: Post): Promise<number> {
  if (!allowPrivate && target.protocol !== "https:") throw new Error("only https is allowed");
  const host = target.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivate && isAddress(host) && !isPublicAddress(host)) throw new Error("it is a private address");
  return new Promise((resolve, reject) => {
    const request = (target.protocol === "https:" ? requestHttps : requestHttp)(target, {
      method: "POST",
      headers,
      signal,
      // A connection each: one kept through the sleep of a Lambda is a dead one.
      agent: false,
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    });
    request.on("error", reject);
    request.on("response", (response) => {
      // However the body ends, the status has said all.
      const done = () => resolve(response.statusCode ?? 0);
      request.off("error", reject).on("error", done);
      let received = 0;
      response.on("error", done).on("close", done);
      response.on("data", (chunk: Buffer) => {
        received += chunk.length;
        if (received > MAX_ANSWER_BYTES) response.destroy();
      });
    });
    request.end(body);
  });
}

/** Without the URL, whose path may be a secret. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  // Of a name with several addresses, each tried in vain.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  return error.message;
}
