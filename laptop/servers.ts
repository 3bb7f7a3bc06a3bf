/** S3 and SQS of the local stack: the embedded ones, or those that `AWS_ENDPOINT_URL_S3` and `_SQS` name. */
import type { S3Client } from "@aws-sdk/client-s3";
import { GetQueueUrlCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { startS3 } from "local-aws/s3";
import type { Credentials } from "local-aws/sigv4";
import { startSqs } from "local-aws/sqs";
import { s3Client } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { errorFields } from "../adapters/log.ts";
import type { Log } from "../core/ports.ts";

/** Fault injection for tests: an answer of S3's or SQS's instead of the real one. */
export interface Faults {
  readonly s3Fault?: NonNullable<Parameters<typeof startS3>[0]["fault"]>;
  readonly sqsFault?: NonNullable<Parameters<typeof startSqs>[0]["fault"]>;
}

export interface Servers {
  readonly s3Url: string;
  readonly sqsUrl: string;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly region: string;
  readonly credentials: Credentials;
  /** What ran already and is used instead of the embedded server. */
  readonly external: External;
  close(): Promise<void>;
}
interface External {
  readonly s3: boolean;
  readonly sqs: boolean;
}

/** @throws Error with a sentence for the user, where credentials are missing or a port is in use */
export async function startServers(
  options: {
    readonly data: string;
    readonly ports: { readonly s3: number; readonly sqs: number };
    readonly log: Log;
  } & Faults,
): Promise<Servers> {
  const { data, ports, s3Fault, sqsFault, log } = options;
  const { AWS_ENDPOINT_URL_S3: foreignS3, AWS_ENDPOINT_URL_SQS: foreignSqs } = process.env;
  const external = { s3: Boolean(foreignS3), sqs: Boolean(foreignSqs) };
  const region = process.env["AWS_REGION"] ?? "us-east-1";
  const credentials = credentialsFor(external);
  const shared = { data, credentials, region };

  const onError = (error: unknown) => log("error", "sqs internal error", errorFields(error));
  const embeddedSqs = foreignSqs
    ? undefined
    : await startSqs({
        ...shared,
        port: ports.sqs,
        releaseInFlight: true,
        onError,
        ...(sqsFault ? { fault: sqsFault } : {}),
      });
  const sqsUrl = foreignSqs || (embeddedSqs?.url ?? "");
  const sqs = sqsClient({ endpoint: sqsUrl, region, credentials });
  // The embedded S3 notifies the embedded queue directly, another through its API.
  const notifyForeign = async (arn: string, body: string) => {
    const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: arn.split(":").at(-1) }));
    await sqsQueue(sqs, QueueUrl).send(body);
  };
  const notify = (arn: string, body: string) =>
    embeddedSqs ? embeddedSqs.send(arn, body) : notifyForeign(arn, body);
  const embeddedS3 = foreignS3
    ? undefined
    : await startS3({ ...shared, port: ports.s3, log, notify, ...(s3Fault ? { fault: s3Fault } : {}) });
  const s3Url = foreignS3 || (embeddedS3?.url ?? "");
  const s3 = s3Client({ endpoint: s3Url, region, credentials, forcePathStyle: true });
  return {
    s3Url,
    sqsUrl,
    s3,
    sqs,
    region,
    credentials,
    external,
    async close() {
      await embeddedS3?.close();
      await embeddedSqs?.close();
      s3.destroy();
      sqs.destroy();
    },
  };
}

function credentialsFor(external: External): Credentials {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env;
  if (external.s3 || external.sqs) {
    if (accessKeyId && secretAccessKey)
      return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
    throw new Error(
      "AWS_ENDPOINT_URL_S3 or _SQS is set: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for it too.",
    );
  }
  // Never the user's own: the embedded servers have one account, and nothing here may reach AWS.
  return { accessKeyId: "darkroom", secretAccessKey: "darkroom-local-secret" };
}
