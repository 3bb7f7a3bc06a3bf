/** Where a deployment's buckets and queues are, for commands that go to AWS themselves. */
import type { Command } from "commander";
import { Option } from "commander";
import { typed } from "../adapters/project.ts";
import { noteFile, readNote } from "../host/note.ts";
import { CliError, messageOf } from "./exit.ts";

export interface AwsOptions {
  readonly stack?: string;
  readonly region?: string;
  readonly endpoint?: string;
}

export function withAws(command: Command): Command {
  return command
    .addOption(
      new Option("--stack <name>", "a deployment, by its CloudFormation stack; the local one where absent"),
    )
    .addOption(new Option("--region <name>", "of that stack").env("AWS_REGION"))
    .addOption(new Option("--endpoint <url>", "another S3 server than AWS's").env("AWS_ENDPOINT_URL_S3"));
}

export interface Deployment {
  readonly local: boolean;
  /** CloudFormation's name of it, with which its functions' names begin; absent on the laptop. */
  readonly stack?: string;
  readonly buckets: { readonly uploads: string; readonly media: string };
  /** The CDN. */
  readonly media: string;
  readonly api: string;
  readonly imagesQueue: string;
  /** Absent of a stack of an earlier release. */
  readonly eventsQueue?: string | undefined;
  /** For AWS's clients; credentials that are not here are found as the SDK finds them. */
  readonly s3: ClientConfig;
  readonly sqs: ClientConfig;
}

interface ClientConfig {
  readonly region?: string;
  readonly endpoint?: string;
  readonly forcePathStyle?: boolean;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** The outputs of the stack that are read here, by what they are. */
const outputs = {
  uploads: "UploadsBucketName",
  mediaBucket: "MediaBucketName",
  media: "MediaUrl",
  api: "HttpApiUrl",
  imagesQueue: "ImagesQueueUrl",
  eventsQueue: "EventsQueueUrl",
} as const;

/** @throws CliError when it cannot be found */
export async function findDeployment(options: AwsOptions): Promise<Deployment> {
  return options.stack === undefined ? localStack() : deployedStack(options.stack, options);
}

async function deployedStack(name: string, { region, endpoint }: AwsOptions): Promise<Deployment> {
  const { CloudFormationClient, DescribeStacksCommand } = await import("@aws-sdk/client-cloudformation");
  const client = new CloudFormationClient(region ? { region } : {});
  const where = region ? ` in ${region}` : "";
  const answer = await client.send(new DescribeStacksCommand({ StackName: name })).catch((error: unknown) => {
    throw new CliError(`The stack ${name}${where} cannot be read: ${messageOf(error)}`);
  });
  const found = new Map(
    answer.Stacks?.[0]?.Outputs?.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
  );
  const output = (key: keyof typeof outputs) => {
    const value = found.get(outputs[key]);
    if (value) return value.replace(/\/+$/, "");
    throw new CliError(`The stack ${name}${where} has no output ${outputs[key]}: deploy this version first.`);
  };
  const config = region ? { region } : {};
  return {
    local: false,
    stack: name,
    buckets: { uploads: output("uploads"), media: output("mediaBucket") },
    media: output("media"),
    api: output("api"),
    imagesQueue: output("imagesQueue"),
    ...(found.has(outputs.eventsQueue) ? { eventsQueue: found.get(outputs.eventsQueue) } : {}),
    s3: endpoint ? { ...config, endpoint, forcePathStyle: true } : config,
    sqs: config,
  };
}

async function localStack(): Promise<Deployment> {
  const note = await readNote();
  if (!note)
    throw new CliError(
      `No local stack runs (there is no ${noteFile()}). Start it with ${typed("start")}, or name a --stack.`,
    );
  const { buckets, media, api, imagesQueue, s3, sqs, region, credentials, settings } = note;
  const config = { region, ...(credentials ? { credentials } : {}) };
  return {
    local: true,
    buckets,
    media,
    api,
    imagesQueue,
    eventsQueue: settings["EVENTS_QUEUE_URL"],
    s3: { ...config, endpoint: s3, forcePathStyle: true },
    sqs: { ...config, endpoint: sqs },
  };
}
