/**
 * The functions that read queues, without Lambda: one process that receives, develops and tells, beside any S3 and SQS
 * server. Whoever has more cores runs more of them; the queues share the work out.
 */
import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment, settingsOf } from "../adapters/environment.ts";
import type { Log } from "../core/ports.ts";
import { startEventSources } from "./event-sources.ts";
import { lambda } from "./lambda.ts";
import { type Provisioned, type ProvisionedQueue, provision } from "./provision.ts";
import { settingsFrom } from "./settings.ts";
import { type FunctionTemplate, localName, readTemplate } from "./template.ts";
import { watchOriginals } from "./watch.ts";

export interface WorkerProcess {
  /** Whether every queue has answered lately; one whose messages are worked on is not asked. */
  health(): { readonly ok: boolean; readonly queues: Readonly<Record<string, QueueHealth>> };
  /** Receives no more, waits for what is being worked on, and gives back what is not done within `graceMs`. */
  close(graceMs: number): Promise<void>;
}
interface QueueHealth {
  readonly answeredSecondsAgo: number;
  readonly inFlight: number;
}

/** Of an empty queue: a request each, and no longer than a container is given to stop. */
const WAIT_SECONDS = 5;
/** Several polls that did not come back. */
const SILENT_SECONDS = 60;

/**
 * Where settings are missing it finds queues by their names (`darkroom-images` …).
 * @param setUp also makes buckets, queues and notifications that are not there; where the S3 server cannot notify, new
 *   originals are found by listing
 * @throws Error that names what is missing
 */
export async function startWorkerProcess({
  setUp,
  log,
}: {
  setUp: boolean;
  log: Log;
}): Promise<WorkerProcess> {
  const template = readTemplate();
  const readers = template.functions.filter(
    ({ sources, schedules }) => sources.length + schedules.length > 0,
  );
  const sqs = sqsClient();
  const { queues, notifies } = setUp
    ? await madeQueues(sqs, log)
    : { queues: await foundQueues(sqs, readers), notifies: true };
  const urls = new Map([...queues].map(([id, { url }]) => [id, url]));
  for (const [name, url] of Object.entries(settingsFrom(urls))) process.env[name] ||= url;
  // All that is missing at once, and before the first message is taken.
  environment(...readers.flatMap((fn) => settingsOf(fn.name).map(({ name }) => name)));

  const functions = readers.map((fn) => ({ template: fn, invoke: lambda(fn) }));
  const sources = startEventSources(functions, { sqs, queues, waitSeconds: WAIT_SECONDS, log });
  const watch = notifies ? undefined : watchFrom(sqs, queues.get("ImagesQueue")?.url ?? "", log);
  return {
    health() {
      const states = [...sources.triggers].map(([id, trigger]) => {
        const { answeredAt, inFlight } = trigger.state();
        return [localName(id), { answeredSecondsAgo: (Date.now() - answeredAt) / 1000, inFlight }] as const;
      });
      const ok = states.every(
        ([, { answeredSecondsAgo, inFlight }]) => inFlight > 0 || answeredSecondsAgo < SILENT_SECONDS,
      );
      return { ok, queues: Object.fromEntries(states) };
    },
    async close(graceMs) {
      await Promise.all([watch?.close(), sources.close(graceMs)]);
      sqs.destroy();
    },
  };
}

function watchFrom(sqs: SQSClient, imagesQueue: string, log: Log) {
  const env = environment("UPLOADS_BUCKET", "MEDIA_BUCKET", "AWS_ENDPOINT_URL_S3");
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  return watchOriginals({
    uploads: s3Store(s3, env.UPLOADS_BUCKET),
    media: s3Store(s3, env.MEDIA_BUCKET),
    queue: sqsQueue(sqs, imagesQueue),
    bucket: env.UPLOADS_BUCKET,
    graceMs: 0,
    log,
  });
}

async function madeQueues(sqs: SQSClient, log: Log): Promise<Provisioned> {
  const { UPLOADS_BUCKET, MEDIA_BUCKET, AWS_REGION, AWS_ENDPOINT_URL_S3 } = environment(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "AWS_REGION",
    "AWS_ENDPOINT_URL_S3",
  );
  const s3 = s3Client({ forcePathStyle: AWS_ENDPOINT_URL_S3 !== undefined });
  try {
    const template = { ...readTemplate(), buckets: { uploads: UPLOADS_BUCKET, media: MEDIA_BUCKET } };
    return await provision({ s3, sqs, region: AWS_REGION }, template, log);
  } finally {
    s3.destroy();
  }
}

async function foundQueues(
  sqs: SQSClient,
  readers: readonly FunctionTemplate[],
): Promise<ReadonlyMap<string, ProvisionedQueue>> {
  const ids = readers.flatMap(({ sources }) => sources.map(({ queue }) => queue));
  const found = await Promise.all(
    ids.map(async (id) => {
      const QueueName = localName(id);
      const { QueueUrl: url = "" } = await sqs
        .send(new GetQueueUrlCommand({ QueueName }))
        .catch((cause: unknown) => {
          throw new Error(`There is no queue ${QueueName}, or no server; --set-up makes what is missing.`, {
            cause,
          });
        });
      const attributes = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] });
      const { Attributes } = await sqs.send(attributes);
      return [id, { url, arn: Attributes?.["QueueArn"] ?? "" }] as const;
    }),
  );
  return new Map(found);
}
