/** Settings → clients → ports: whoever names the variable of a bucket or a queue gets what stands behind it. */
import { randomBytes } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { environment, type SettingName } from "../environment.ts";
import { openUploads } from "./open-uploads.ts";
import { s3Client, s3Store } from "./s3-store.ts";
import { sqsClient, sqsQueue, unchained } from "./sqs-queue.ts";

interface Clients {
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly unchained: SQSClient;
}
const bucket = ({ s3 }: Clients, name: string) => s3Store(s3, name);
const queue = ({ sqs }: Clients, url: string) => sqsQueue(sqs, url);
const unchainedQueue = ({ unchained }: Clients, url: string) => sqsQueue(unchained, url);

const rows = {
  uploads: { setting: "UPLOADS_BUCKET", make: bucket },
  openUploads: {
    setting: "UPLOADS_BUCKET",
    make: ({ s3 }: Clients, name: string) => openUploads(s3, name),
  },
  media: { setting: "MEDIA_BUCKET", make: bucket },
  images: { setting: "IMAGES_QUEUE_URL", make: queue },
  backfill: { setting: "BACKFILL_QUEUE_URL", make: unchainedQueue },
  // An order sends its URLs to the queue that it came from.
  imports: { setting: "IMPORTS_QUEUE_URL", make: unchainedQueue },
  // A batch goes on with the longest chain in it: events that came with webhooks would make it longer each time.
  events: { setting: "EVENTS_QUEUE_URL", make: unchainedQueue },
  deadLetters: { setting: "EVENTS_DEAD_LETTERS_URL", make: queue },
} as const satisfies Record<
  string,
  { setting: SettingName; make: (clients: Clients, value: string) => unknown }
>;
type Rows = typeof rows;
type Ports<N extends SettingName> = {
  readonly [P in keyof Rows as Rows[P]["setting"] extends N ? P : never]: ReturnType<Rows[P]["make"]>;
};

/**
 * The functions' settings, those of the log and the S3 endpoint included, and the ports of core/ that they speak of.
 * @throws Error that names every setting that is missing or wrong
 */
export function ports<N extends SettingName>(...names: N[]) {
  const env = { ...environment(...names), ...environment("LOG_LEVEL", "AWS_ENDPOINT_URL_S3") };
  const given: Partial<Record<SettingName, unknown>> = env;
  const clients = {
    s3: s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined }),
    sqs: sqsClient(),
    unchained: unchained(sqsClient()),
  };
  const made = Object.entries(rows).flatMap(([port, { setting, make }]) =>
    setting in env ? [[port, make(clients, String(given[setting]))]] : [],
  );
  return {
    env,
    deps: {
      ...(Object.fromEntries(made) as Ports<N>),
      now: () => new Date(),
      random: (bytes: number): Uint8Array => randomBytes(bytes),
    },
  };
}
