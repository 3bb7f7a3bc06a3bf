/**
 * A local SQS: standard queues with their real semantics behind both of SQS's protocols, signatures checked, state
 * kept across restarts. Loopback only.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Credentials } from "../sigv4.ts";
import { actions } from "./actions.ts";
import { type SqsCode, sqsError } from "./errors.ts";
import { readRequest, sendError, sendResult, speaksJson } from "./http.ts";
import { openJournal } from "./journal.ts";
import { MoveTasks } from "./move-tasks.ts";
import { QueueError } from "./queue-rules.ts";
import { Queues } from "./queues.ts";
import { type Clock, systemClock } from "./standard-queue.ts";

export interface LocalSqs {
  /** `http://127.0.0.1:PORT`: the endpoint for clients. */
  readonly url: string;
  /** Delivers to a queue from inside this process, as S3 and other services do. @throws QueueError QueueDoesNotExist */
  send(queueArn: string, body: string): void;
  /** Hangs up on whoever waits; what was accepted is on disk. */
  close(): Promise<void>;
}

export interface LocalSqsOptions {
  /** Folder for its file, made if missing. */
  readonly data: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly credentials: Credentials;
  readonly region: string;
  /** Whoever received messages before the start is gone: they are visible again. For queues with one consumer. */
  readonly releaseInFlight?: boolean;
  /** For signatures. */
  readonly now?: () => Date;
  /** For the queues. */
  readonly clock?: Clock;
  /** For tests of clients: an error to answer instead of doing anything. `queue` is the queue's name. */
  readonly fault?: (call: { readonly action: string; readonly queue: string }) => SqsCode | undefined;
  /** Told of what is our fault: the client only sees a 500. */
  readonly onError?: (error: unknown) => void;
}

/** @throws Error when the port is taken, or the folder is in use by another process */
export async function startSqs({
  data,
  port,
  credentials,
  region,
  releaseInFlight = false,
  now = () => new Date(),
  clock = systemClock,
  fault,
  onError = console.error,
}: LocalSqsOptions): Promise<LocalSqs> {
  const journal = openJournal(data);
  if (releaseInFlight) journal.releaseInFlight(clock.now());
  const server = createServer();
  // Longer than clients keep an idle connection, else one is reused just as it is closed here.
  server.keepAliveTimeout = 60_000;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    journal.close();
    throw error;
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const queues = new Queues({ journal, clock, region, url });
  const tasks = new MoveTasks(queues, clock.now);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = speaksJson(request);
    const hungUp = new AbortController();
    response.on("close", () => response.writableEnded || hungUp.abort());
    try {
      const { action, input } = await readRequest(request, {
        credentials,
        region,
        service: "sqs",
        now: now(),
      });
      const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
      if (!run) throw sqsError("InvalidAction", `The action ${action} is not valid for this endpoint.`);
      const injected = fault?.({
        action,
        queue:
          String(input["QueueUrl"] ?? "")
            .split("/")
            .at(-1) ?? "",
      });
      if (injected) throw sqsError(injected, "Injected by a test");
      const trace = request.headers["x-amzn-trace-id"]?.toString();
      const result = await run({ queues, tasks, input, trace, signal: hungUp.signal });
      sendResult(response, json, action, Object(result));
    } catch (error) {
      if (!(error instanceof QueueError) && !hungUp.signal.aborted) onError(error);
      sendError(response, json, error);
    }
  }

  const answering = new Set<Promise<void>>();
  server.on("request", (request, response) => {
    const work = answer(request, response).finally(() => answering.delete(work));
    answering.add(work);
  });

  return {
    url,
    send(queueArn, body) {
      const queue = queues.withArn(queueArn);
      if (!queue) throw sqsError("QueueDoesNotExist", `There is no queue ${queueArn}.`);
      queue.messages.send(body);
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await Promise.all(answering);
      journal.close();
    },
  };
}
