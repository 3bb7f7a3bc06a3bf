/**
 * Makes what the template declares, through AWS's own API: on the embedded servers and on any other that is pointed
 * at. Everything may be there already.
 */
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  type Event,
  GetBucketNotificationConfigurationCommand,
  HeadBucketCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { errorFields } from "../adapters/log.ts";
import type { Log } from "../core/ports.ts";
import { type BucketLifecycleRule, localName, type Template } from "./template.ts";

export interface ProvisionedQueue {
  readonly url: string;
  readonly arn: string;
  readonly deadLettersUrl?: string;
}

export interface Provisioned {
  /** By logical id. */
  readonly queues: ReadonlyMap<string, ProvisionedQueue>;
  /** Whether the S3 server says that it will notify the queue. */
  readonly notifies: boolean;
}

export async function provision(
  { s3, sqs, region }: { s3: S3Client; sqs: SQSClient; region: string },
  template: Template,
  log: Log,
): Promise<Provisioned> {
  const [queues] = await Promise.all([
    makeQueues(sqs, template),
    makeBucket(s3, template.buckets.uploads, region),
    makeBucket(s3, template.buckets.media, region),
  ]);
  const [notifies] = await Promise.all([
    configureNotifications(s3, template, queues, log),
    configureCors(s3, template, log),
    configureLifecycle(s3, template, log),
    allowNotifications(sqs, template, queues, log),
  ]);
  return { queues, notifies };
}

async function makeBucket(s3: S3Client, Bucket: string, region: string): Promise<void> {
  const there = await s3.send(new HeadBucketCommand({ Bucket })).then(
    () => true,
    () => false,
  );
  if (there) return;
  const constraint = { LocationConstraint: region as BucketLocationConstraint };
  const command = new CreateBucketCommand({
    Bucket,
    // us-east-1 is the default and must not be named.
    ...(region === "us-east-1" ? {} : { CreateBucketConfiguration: constraint }),
  });
  await s3.send(command).catch((error: unknown) => {
    if (!(error instanceof Error) || !["BucketAlreadyOwnedByYou", "BucketAlreadyExists"].includes(error.name))
      throw error;
  });
}

async function makeQueues(sqs: SQSClient, template: Template): Promise<Map<string, ProvisionedQueue>> {
  const queues = new Map<string, ProvisionedQueue>();
  // Those that others name as their dead letters come first.
  const ordered = [...template.queues].sort(
    (a, b) => Number(Boolean(a.deadLetters)) - Number(Boolean(b.deadLetters)),
  );
  for (const { logicalId, visibilitySeconds, deadLetters } of ordered) {
    const url = await makeQueue(sqs, localName(logicalId));
    const target = deadLetters && queues.get(deadLetters.logicalId);
    await sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl: url,
        Attributes: {
          VisibilityTimeout: String(visibilitySeconds),
          ...(deadLetters && target
            ? {
                RedrivePolicy: JSON.stringify({
                  deadLetterTargetArn: target.arn,
                  maxReceiveCount: deadLetters.maxReceives,
                }),
              }
            : {}),
        },
      }),
    );
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }),
    );
    const arn = Attributes?.["QueueArn"] ?? "";
    queues.set(logicalId, { url, arn, ...(target ? { deadLettersUrl: target.url } : {}) });
  }
  return queues;
}

/** The URL of a queue that is there or made now; its attributes are set afterwards, whoever made it. */
async function makeQueue(sqs: SQSClient, QueueName: string): Promise<string> {
  const { QueueUrl } = await sqs
    .send(new GetQueueUrlCommand({ QueueName }))
    .catch(() => sqs.send(new CreateQueueCommand({ QueueName })));
  if (!QueueUrl) throw new Error(`The SQS server gave no URL for the queue ${QueueName}.`);
  return QueueUrl;
}

async function configureCors(s3: S3Client, { buckets, uploadsCors }: Template, log: Log): Promise<void> {
  const CORSRules = uploadsCors.map(({ ExposedHeaders, MaxAge, ...rule }) => ({
    ...rule,
    ...(ExposedHeaders ? { ExposeHeaders: ExposedHeaders } : {}),
    ...(MaxAge ? { MaxAgeSeconds: MaxAge } : {}),
  }));
  await s3
    .send(new PutBucketCorsCommand({ Bucket: buckets.uploads, CORSConfiguration: { CORSRules } }))
    .catch((error: unknown) =>
      // MinIO, for one, allows every origin and knows no rules per bucket.
      log("warn", "this S3 server takes no CORS rules; browsers may be refused", errorFields(error)),
    );
}

async function configureLifecycle(s3: S3Client, { buckets, lifecycles }: Template, log: Log): Promise<void> {
  for (const [role, rules] of Object.entries(lifecycles) as [
    keyof typeof lifecycles,
    BucketLifecycleRule[],
  ][]) {
    const Rules = rules.map(
      ({ Id, Status, Prefix = "", ExpirationInDays, AbortIncompleteMultipartUpload }) => ({
        ID: Id,
        Status,
        Filter: { Prefix },
        ...(ExpirationInDays ? { Expiration: { Days: ExpirationInDays } } : {}),
        ...(AbortIncompleteMultipartUpload ? { AbortIncompleteMultipartUpload } : {}),
      }),
    );
    const command = new PutBucketLifecycleConfigurationCommand({
      Bucket: buckets[role],
      LifecycleConfiguration: { Rules },
    });
    await s3
      .send(command)
      .catch((error: unknown) =>
        log("warn", "this S3 server takes no lifecycle rules; nothing expires by itself", errorFields(error)),
      );
  }
}

/** On AWS S3 may send to a queue only where its policy says so; servers without policies need none. */
async function allowNotifications(
  sqs: SQSClient,
  { buckets }: Template,
  queues: ReadonlyMap<string, ProvisionedQueue>,
  log: Log,
): Promise<void> {
  const { url, arn } = queues.get("ImagesQueue") ?? { url: "", arn: "" };
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "UploadsBucketNotifies",
        Effect: "Allow",
        Principal: { Service: "s3.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: arn,
        Condition: { ArnEquals: { "aws:SourceArn": `arn:aws:s3:::${buckets.uploads}` } },
      },
    ],
  });
  await sqs
    .send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { Policy } }))
    .catch((error: unknown) => log("warn", "this SQS server knows no queue policies", errorFields(error)));
}

async function configureNotifications(
  s3: S3Client,
  { buckets, uploadsEvents, uploadsPrefix }: Template,
  queues: ReadonlyMap<string, ProvisionedQueue>,
  log: Log,
): Promise<boolean> {
  const QueueArn = queues.get("ImagesQueue")?.arn ?? "";
  const Bucket = buckets.uploads;
  try {
    // Configuring sends a test event each time: only when it is not as it should be.
    if (await isNotified(s3, Bucket, QueueArn, uploadsEvents)) return true;
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: {
          QueueConfigurations: uploadsEvents.map((event, i) => ({
            Id: `darkroom-${i}`,
            QueueArn,
            Events: [event as Event],
            Filter: { Key: { FilterRules: [{ Name: "prefix", Value: uploadsPrefix }] } },
          })),
        },
      }),
    );
    // Some servers accept the call and forget it.
    return await isNotified(s3, Bucket, QueueArn);
  } catch (error) {
    log(
      "warn",
      "this S3 server cannot notify a queue; new originals are found by listing",
      errorFields(error),
    );
    return false;
  }
}

/** Whether the queue is told of all these events; of some at least, where none is named. */
async function isNotified(
  s3: S3Client,
  Bucket: string,
  arn: string,
  events: readonly string[] = [],
): Promise<boolean> {
  const { QueueConfigurations } = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  const ours = (QueueConfigurations ?? []).filter(({ QueueArn }) => QueueArn === arn);
  const heard = new Set<string>(ours.flatMap(({ Events }) => Events ?? []));
  return ours.length > 0 && events.every((event) => heard.has(event));
}
