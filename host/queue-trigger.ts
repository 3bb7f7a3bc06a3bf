/** An SQS event source: receives batches, invokes, deletes what succeeded. As AWS does it, failures included. */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { errorFields } from "../adapters/log.ts";
import type { Log, Queue, QueueMessage } from "../core/ports.ts";
import { ThrottledError } from "./concurrency.ts";
import type { Invoke } from "./lambda.ts";
import { hopsOf, MAX_HOPS } from "./lineage.ts";

export interface QueueTrigger {
  /** Stops receiving; messages whose invocation has not ended within `graceMs` become visible again at once. */
  close(graceMs: number): Promise<void>;
  /** When the queue last answered, in milliseconds, and how many messages are being worked on. */
  state(): { readonly answeredAt: number; readonly inFlight: number };
}

export interface TriggerOptions {
  readonly queue: Queue;
  readonly arn: string;
  readonly batchSize: number;
  /** Invocations at once. */
  readonly concurrency: number;
  /** How long an empty queue is asked, and how long stopping may take; a second where absent. */
  readonly waitSeconds?: number;
  /** Cuts chains of invocations as Lambda does; absent: none is cut. */
  readonly recursion?: Recursion | undefined;
  readonly log: Log;
}

export interface Recursion {
  /** The function's name. */
  readonly name: string;
  /** Gets what is not handed to it any more; absent: it stays on the queue. */
  readonly deadLetters: Pick<Queue, "send"> | undefined;
}

interface Shared {
  readonly inFlight: Set<QueueMessage>;
  answeredAt: number;
}

/** After a receive that failed: the server may be starting. */
const RETRY_MS = 1000;
/** Long enough to be no burden, short enough that stopping need not wait for it. */
const WAIT_SECONDS = 1;

export function queueTrigger(invoke: Invoke, options: TriggerOptions): QueueTrigger {
  const stop = new AbortController();
  const shared: Shared = { inFlight: new Set(), answeredAt: Date.now() };
  const lanes = Array.from({ length: options.concurrency }, () => lane(invoke, options, stop.signal, shared));
  return {
    state: () => ({ answeredAt: shared.answeredAt, inFlight: shared.inFlight.size }),
    async close(graceMs) {
      stop.abort();
      const ended = new AbortController();
      const grace = setTimeout(graceMs, undefined, { signal: ended.signal }).catch(() => {});
      await Promise.race([Promise.all(lanes), grace]);
      ended.abort();
      await Promise.allSettled([...shared.inFlight].map(({ receipt }) => options.queue.retryIn(receipt, 0)));
    },
  };
}

async function lane(invoke: Invoke, options: TriggerOptions, signal: AbortSignal, shared: Shared) {
  const { queue, batchSize, waitSeconds = WAIT_SECONDS, log } = options;
  const { inFlight } = shared;
  while (!signal.aborted) {
    let messages: QueueMessage[];
    try {
      // Never broken off: what the server handed out just then would stay invisible for half an hour.
      messages = await queue.receive({ max: batchSize, waitSeconds });
      shared.answeredAt = Date.now();
    } catch (error) {
      log("warn", "cannot receive", errorFields(error));
      await setTimeout(RETRY_MS, undefined, { signal }).catch(() => {});
      continue;
    }
    if (signal.aborted) {
      await Promise.allSettled(messages.map(({ receipt }) => queue.retryIn(receipt, 0)));
      return;
    }
    if (messages.length === 0 || (await isCut(messages, options))) continue;
    for (const message of messages) inFlight.add(message);
    const failed = await failures(invoke, messages, options, signal);
    for (const message of messages) inFlight.delete(message);
    const done = messages.filter(({ id }) => !failed.has(id));
    const deletions = await Promise.allSettled(done.map(({ receipt }) => queue.delete(receipt)));
    for (const { reason } of deletions.filter((deletion) => deletion.status === "rejected")) {
      log("warn", "cannot delete a message", errorFields(reason));
    }
  }
}

/** Whether the function is in the chain of these messages too often already; then they are dead letters. */
async function isCut(messages: QueueMessage[], { queue, recursion, log }: TriggerOptions): Promise<boolean> {
  if (!recursion) return false;
  const { name, deadLetters } = recursion;
  const hops = hopsOf(
    name,
    messages.map(({ trace }) => trace),
  );
  if (hops < MAX_HOPS) return false;
  log("error", "RecursiveInvocationsDropped", { function: name, messages: messages.length });
  if (!deadLetters) return true;
  for (const { body, receipt } of messages)
    await deadLetters
      .send(body)
      .then(() => queue.delete(receipt))
      .catch((error: unknown) => log("warn", "cannot move a message", errorFields(error)));
  return true;
}

/** The ids that stay on the queue. A throw, or an answer AWS would not understand, fails the whole batch. */
async function failures(
  invoke: Invoke,
  messages: QueueMessage[],
  { arn, log }: TriggerOptions,
  signal: AbortSignal,
): Promise<Set<string>> {
  const all = new Set(messages.map(({ id }) => id));
  let answer: SQSBatchResponse | null | undefined;
  try {
    const event: SQSEvent = { Records: messages.map((message) => recordOf(message, arn)) };
    const chain = messages.map(({ trace }) => trace);
    answer = (await invoke(event, chain)) as typeof answer;
  } catch (error) {
    // As on AWS: the messages stay hidden for the queue's own time, and have been received once more.
    if (error instanceof ThrottledError) {
      log("warn", "throttled", { messages: messages.length });
      await setTimeout(RETRY_MS, undefined, { signal }).catch(() => {});
    } else log("error", "invocation failed", errorFields(error));
    return all;
  }
  const failed = answer?.batchItemFailures ?? [];
  if (!Array.isArray(failed)) return all;
  return failed.every((failure) => all.has(failure?.itemIdentifier))
    ? new Set(failed.map((f) => f.itemIdentifier))
    : all;
}

function recordOf(
  { id, body, receipt, receives, sentAt, trace }: QueueMessage,
  arn: string,
): SQSEvent["Records"][number] {
  return {
    messageId: id,
    receiptHandle: receipt,
    body,
    attributes: {
      ApproximateReceiveCount: String(receives),
      SentTimestamp: String(sentAt.getTime()),
      SenderId: "000000000000",
      ApproximateFirstReceiveTimestamp: String(Date.now()),
      ...(trace ? { AWSTraceHeader: trace } : {}),
    },
    messageAttributes: {},
    md5OfBody: createHash("md5").update(body).digest("hex"),
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    awsRegion: arn.split(":")[3] ?? "us-east-1",
  };
}
