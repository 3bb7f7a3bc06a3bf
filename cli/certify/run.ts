/** `darkroom doctor --certify ENDPOINT`: whether an S3 server keeps to what Darkroom relies on. */
import { randomBytes } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from "@aws-sdk/client-s3";
import { s3Client } from "../../adapters/aws/s3-store.ts";
import { s3Versions } from "../../adapters/aws/s3-versions.ts";
import { CliError, exitCodes, messageOf } from "../exit.ts";
import { note, paint, table } from "../terminal.ts";
import { answerOf, type Candidate, CERTIFY } from "./candidate.ts";
import { certify, type Judged } from "./promises.ts";

export interface CertifyOptions {
  readonly certify: string;
  readonly bucket?: string;
  readonly inUse?: boolean;
  readonly region?: string;
  readonly json?: boolean;
}

export async function runCertify(options: CertifyOptions): Promise<void> {
  const { fit, promises } = await certified(options, options.json ? () => {} : print);
  const unfit = promises.filter(({ essential, holds }) => essential && !holds);
  if (options.json) process.stdout.write(`${JSON.stringify({ endpoint: options.certify, fit, promises })}\n`);
  else
    note(
      fit
        ? "Darkroom can be run on this server."
        : `Darkroom is not to be run on this server: ${unfit.map(({ name }) => name).join(", ")}.`,
    );
  process.exitCode = exitCodes[fit ? "done" : "failed"].status;
}

/** @throws CliError where it cannot be asked */
export async function certified(
  options: Omit<CertifyOptions, "json">,
  tell: (one: Judged) => void,
): Promise<{ fit: boolean; promises: Judged[] }> {
  const candidate = await admit(options);
  const promises: Judged[] = [];
  try {
    for await (const one of certify(candidate)) {
      promises.push(one);
      tell(one);
    }
  } finally {
    await tidy(candidate);
    candidate.s3.destroy();
  }
  return { fit: promises.every(({ essential, holds }) => !essential || holds), promises };
}

async function admit({
  certify: endpoint,
  bucket,
  inUse,
  region = "us-east-1",
}: CertifyOptions): Promise<Candidate> {
  if (!/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : ""))
    throw new CliError(
      `--certify ${endpoint}: the address of an S3 server, as https://s3.example.com.`,
      "usage",
    );
  const s3 = s3Client({ endpoint, region, forcePathStyle: true, maxAttempts: 2 });
  const found = await s3.config.credentials().catch((error: unknown) => {
    throw new CliError(`${messageOf(error)}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`, "usage");
  });
  const { accessKeyId, secretAccessKey, sessionToken } = found;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  const name = bucket ?? `darkroom-certify-${randomBytes(6).toString("hex")}`;
  const prefix = `${CERTIFY}${randomBytes(6).toString("hex")}/`;
  const settings = { bucket: name, region, credentials, endpoint: endpoint.replace(/\/+$/, "") };
  await (bucket === undefined ? make(s3, name, region) : refuseForeign(s3, name, inUse)).catch(
    (error: unknown) => {
      throw error instanceof CliError ? error : new CliError(`The bucket ${name}: ${messageOf(error)}`);
    },
  );
  return { s3, bucket: name, own: bucket === undefined, settings, prefix };
}

async function make(s3: S3Client, Bucket: string, region: string): Promise<void> {
  const where = { LocationConstraint: region as BucketLocationConstraint };
  const constraint = region === "us-east-1" ? {} : { CreateBucketConfiguration: where };
  await s3.send(new CreateBucketCommand({ Bucket, ...constraint }));
}

async function refuseForeign(s3: S3Client, Bucket: string, inUse: boolean | undefined): Promise<void> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 100 }));
  if (Contents.some(({ Key }) => !Key?.startsWith(CERTIFY)) && !inUse)
    throw new CliError(
      `The bucket ${Bucket} holds objects of somebody's. Name an empty one; with --in-use only keys below ${CERTIFY} are written and deleted.`,
      "usage",
    );
}

/** Nothing stays; what a server cannot do for it is said. */
async function tidy({ s3, bucket: Bucket, own, prefix: Prefix }: Candidate): Promise<void> {
  const { Uploads = [] } = await s3
    .send(new ListMultipartUploadsCommand({ Bucket, Prefix }))
    .catch(() => ({ Uploads: [] }));
  for (const { Key, UploadId } of Uploads)
    await answerOf(s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })));
  for (let before: string | undefined; ; ) {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
    const first = Contents[0]?.Key;
    if (first === undefined) break;
    // A server that answers deletes and does not delete would be asked for ever.
    if (first === before) {
      note(`What lies below ${Prefix} in the bucket ${Bucket} could not be removed.`);
      break;
    }
    before = first;
    for (const { Key } of Contents) await answerOf(s3.send(new DeleteObjectCommand({ Bucket, Key })));
  }
  if (!own) return;
  // Of a server without versions this is an error, and nothing is left.
  try {
    for await (const { key: Key, versionId: VersionId } of s3Versions(s3, Bucket).list(Prefix))
      await answerOf(s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId })));
  } catch {}
  await s3
    .send(new DeleteBucketCommand({ Bucket }))
    .catch((error: unknown) => note(`The bucket ${Bucket} could not be removed: ${messageOf(error)}`));
}

const COLOURS = { enforced: "green", ignored: "red", unsupported: "yellow", "not asked": "dim" } as const;

function print({ name, holds, means, probes }: Judged): void {
  const mark = holds === undefined ? paint("yellow", "–") : holds ? paint("green", "✓") : paint("red", "✗");
  const rows = probes.map(({ probe, is, saw }) => [probe, is, saw]);
  const lines = table(["probe", "", "answer"], rows)
    .split("\n")
    .slice(1)
    .map((line, i) =>
      probes[i]?.is === "enforced" ? line : paint(COLOURS[probes[i]?.is ?? "not asked"], line),
    );
  process.stdout.write(`${mark} ${name}: ${means}\n${lines.join("\n")}\n`);
}
