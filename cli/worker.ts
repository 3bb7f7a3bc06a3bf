/** `darkroom worker`: develops images on a machine of one's own, beside any S3 and SQS server, until it is told to stop. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Command } from "commander";
import { onInterrupt } from "../adapters/interrupt.ts";
import { jsonLog } from "../adapters/log.ts";
import { startWorkerProcess, type WorkerProcess } from "../host/worker-process.ts";
import { portNumber, wholeNumber, withExamples } from "./options.ts";

interface WorkerOptions {
  readonly setUp?: boolean;
  readonly healthPort: number;
  readonly healthHost: string;
  readonly grace: number;
}

export const command = new Command("worker")
  .description("develop images here instead of on Lambda, beside any S3 and SQS server")
  .option("--set-up", "make the buckets, queues and notifications that are not there")
  .option("--health-port <n>", "of GET /health; 0 picks one", portNumber, 8080)
  .option("--health-host <address>", "where it listens: 0.0.0.0 for probes from outside", "127.0.0.1")
  .option("--grace <seconds>", "for what is being developed when it is told to stop", wholeNumber, 25)
  .action(worker);
withExamples(command, "worker --set-up", "worker --health-host 0.0.0.0 --grace 60");
command.addHelpText(
  "after",
  `
Settings are the functions' own, in the environment: UPLOADS_BUCKET, MEDIA_BUCKET, MEDIA_URL, AWS_REGION, credentials,
and AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL_SQS for servers that are not AWS's. It logs JSON lines, ends on SIGTERM or
Ctrl-C, and gives back to the queue what it has not finished by then.`,
);

async function worker(options: WorkerOptions): Promise<void> {
  const log = jsonLog(process.env["LOG_LEVEL"], { part: "worker" });
  let stopping = false;
  // Before the first message is taken: whoever ends it then has it given back too.
  const told = new Promise<void>((resolve) => {
    // Asked twice, it ends at once: what is not done becomes visible again when its time is over.
    onInterrupt(() => {
      stopping = true;
      log("info", "worker stops", { graceSeconds: options.grace });
      resolve();
    }, 1);
  });
  const running = await startWorkerProcess({ setUp: options.setUp === true, log });
  const health = await serveHealth(running, options, () => stopping);
  const { port } = health.address() as AddressInfo;
  log("info", "worker started", { health: `http://${options.healthHost}:${port}/health` });
  await told;
  await running.close(options.grace * 1000);
  health.close();
  log("info", "worker stopped");
  // The pixel process and open connections are no reason to stay.
  process.exit(0);
}

/** Counts and seconds only: it may be read by whoever reaches it. */
async function serveHealth(
  running: WorkerProcess,
  { healthPort, healthHost }: WorkerOptions,
  stopping: () => boolean,
): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/health") {
      response.writeHead(404).end();
      return;
    }
    const { ok, queues } = running.health();
    const status = stopping() ? "stopping" : ok ? "ok" : "silent";
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    response.writeHead(status === "ok" ? 200 : 503, headers).end(JSON.stringify({ status, queues }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(healthPort, healthHost, resolve);
  });
  return server;
}
