/** `StartMessageMoveTask`: dead letters go back to where they came from. Here a task is over when it is started. */
import { randomUUID } from "node:crypto";
import { sqsError } from "./errors.ts";
import { type Input, optionalInteger, optionalText, requiredText } from "./input.ts";
import type { LocalQueue, Queues } from "./queues.ts";

interface MoveTask {
  readonly SourceArn: string;
  readonly DestinationArn?: string;
  readonly Status: "COMPLETED" | "FAILED";
  readonly FailureReason?: string;
  readonly ApproximateNumberOfMessagesMoved: number;
  readonly ApproximateNumberOfMessagesToMove: number;
  readonly StartedTimestamp: number;
}

/** SQS remembers this many of each source queue. */
const REMEMBERED = 10;

export class MoveTasks {
  readonly #queues: Queues;
  readonly #now: () => number;
  #tasks: MoveTask[] = [];

  constructor(queues: Queues, now: () => number) {
    this.#queues = queues;
    this.#now = now;
  }

  start(input: Input) {
    const source = this.#queue(requiredText(input, "SourceArn"), "SourceArn");
    const destinationArn = optionalText(input, "DestinationArn");
    const destination =
      destinationArn === undefined ? undefined : this.#queue(destinationArn, "DestinationArn");
    if (this.#queues.sourcesOf(source).length === 0) {
      throw sqsError("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.");
    }
    const toMove = source.messages.count().visible;
    const moved = source.messages.moveTo(
      ({ deadLetteredFrom = "" }) => (destination ?? this.#queues.withArn(deadLetteredFrom))?.messages,
    );
    const failed = { Status: "FAILED", FailureReason: "AWS.SimpleQueueService.NonExistentQueue" } as const;
    const task: MoveTask = {
      SourceArn: source.arn,
      ...(destination ? { DestinationArn: destination.arn } : {}),
      ...(moved < toMove ? failed : { Status: "COMPLETED" }),
      ApproximateNumberOfMessagesMoved: moved,
      ApproximateNumberOfMessagesToMove: toMove,
      StartedTimestamp: this.#now(),
    };
    const others = this.#tasks.filter(({ SourceArn }) => SourceArn !== source.arn);
    this.#tasks = [...others, task, ...this.#of(source).slice(0, REMEMBERED - 1)];
    return {
      TaskHandle: Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn: source.arn })).toString(
        "base64",
      ),
    };
  }

  /** The newest first. */
  list(input: Input) {
    const source = this.#queue(requiredText(input, "SourceArn"), "SourceArn");
    return { Results: this.#of(source).slice(0, optionalInteger(input, "MaxResults") ?? 1) };
  }

  #of(source: LocalQueue): MoveTask[] {
    return this.#tasks.filter(({ SourceArn }) => SourceArn === source.arn);
  }

  #queue(arn: string, parameter: string): LocalQueue {
    const queue = this.#queues.withArn(arn);
    if (queue) return queue;
    const reason = `The resource that you specified for the ${parameter} parameter doesn't exist.`;
    throw sqsError("ResourceNotFoundException", reason);
  }
}
