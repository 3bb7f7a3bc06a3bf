/** What invokes functions beside their routes, as the template says: queues and schedules. */
import type { SQSClient } from "@aws-sdk/client-sqs";
import { sqsQueue } from "../adapters/aws/sqs-queue.ts";
import type { Log } from "../core/ports.ts";
import type { Invoke } from "./lambda.ts";
import type { ProvisionedQueue } from "./provision.ts";
import { type QueueTrigger, queueTrigger } from "./queue-trigger.ts";
import { scheduledEvent, startSchedule } from "./schedule.ts";
import { type FunctionTemplate, localName } from "./template.ts";

export interface HostedFunction {
  readonly template: FunctionTemplate;
  readonly invoke: Invoke;
}

export interface EventSources {
  /** By the queue's logical id. */
  readonly triggers: ReadonlyMap<string, QueueTrigger>;
  /** Receives no more, and gives back what is not done within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Invocations of one queue at once: images wait for each other in the one pixel process, and meanwhile one more is read. */
const CONCURRENCY = 2;
/** Of the events function, which waits for receivers and takes no CPU: a few that hang must not be all there are. */
const WAITING_CONCURRENCY = 8;

/** @throws Error that names a queue that is not there */
export function startEventSources(
  functions: readonly HostedFunction[],
  options: {
    readonly sqs: SQSClient;
    readonly queues: ReadonlyMap<string, ProvisionedQueue>;
    readonly waitSeconds?: number;
    /** Lambda's guards, for whoever develops: where nothing but this process runs, nothing has to be held back. */
    readonly guarded?: boolean;
    readonly log: Log;
  },
): EventSources {
  const { sqs, queues, log } = options;
  const triggers = new Map<string, QueueTrigger>();
  const schedules: { stop(): void }[] = [];
  for (const { template, invoke } of functions) {
    // In every process: a sweep notices when another is at it.
    for (const everyMs of template.schedules)
      schedules.push(startSchedule(async () => void (await invoke(scheduledEvent())), everyMs, log));
    const most = template.name === "events" ? WAITING_CONCURRENCY : CONCURRENCY;
    for (const source of template.sources) {
      const found = queues.get(source.queue);
      if (!found) throw new Error(`${template.name} reads ${localName(source.queue)}, which is not there.`);
      const queue = sqsQueue(sqs, found.url);
      const concurrency = Math.min(source.concurrency, most);
      const { batchSize } = source;
      const { arn, deadLettersUrl } = found;
      const deadLetters = deadLettersUrl === undefined ? undefined : sqsQueue(sqs, deadLettersUrl);
      const recursion =
        options.guarded && !template.mayRecurse ? { name: template.name, deadLetters } : undefined;
      const trigger = { ...options, queue, arn, batchSize, concurrency, recursion };
      triggers.set(source.queue, queueTrigger(invoke, trigger));
    }
  }
  return {
    triggers,
    async close(graceMs) {
      for (const schedule of schedules) schedule.stop();
      await Promise.all([...triggers.values()].map((trigger) => trigger.close(graceMs)));
    },
  };
}
