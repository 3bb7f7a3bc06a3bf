/**
 * Configuration documents of a bucket, one row each. CORS and notifications are applied; the others are stored and
 * given back and nothing more: in particular bucket policies are NOT enforced, as there is one account here, which may
 * do everything, and nobody else may do anything.
 */

import { readDocument } from "./body.ts";
import { corsDocument, parseCors } from "./cors.ts";
import { parseDocument } from "./documents.ts";
import { S3Error, type S3ErrorCode } from "./errors.ts";
import { bucketOf, type Operation, xmlReply } from "./s3.ts";

interface Configuration {
  /** From the request to what is stored. @throws S3Error when it is not valid */
  readonly parse: (document: string) => string;
  /** From what is stored to the answer; itself where absent. */
  readonly show?: (stored: string) => string;
  readonly missing: S3ErrorCode;
  readonly type?: string;
  /** Of a PUT, where it is not 200. */
  readonly status?: number;
}

/** Kept as it came, if its root is the right one. */
const xml = (root: string, missing: S3ErrorCode): Configuration => ({
  parse: (document) => {
    parseDocument(document, root);
    return document;
  },
  missing,
});

const configurations = {
  cors: { parse: parseCors, show: corsDocument, missing: "NoSuchCORSConfiguration" },
  policy: { parse: parsePolicy, missing: "NoSuchBucketPolicy", type: "application/json", status: 204 },
  lifecycle: xml("LifecycleConfiguration", "NoSuchLifecycleConfiguration"),
  tagging: { ...xml("Tagging", "NoSuchTagSet"), status: 204 },
  encryption: xml("ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
  publicAccessBlock: xml("PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
  ownershipControls: xml("OwnershipControls", "OwnershipControlsNotFoundError"),
} as const satisfies Record<string, Configuration>;

export type ConfigurationName = keyof typeof configurations;
export const configurationNames = Object.keys(configurations) as ConfigurationName[];

function parsePolicy(document: string): string {
  try {
    const policy: unknown = JSON.parse(document);
    if (typeof policy === "object" && policy !== null && "Statement" in policy) return document;
  } catch {
    // not JSON: the same answer
  }
  throw new S3Error("MalformedPolicy");
}

export const putConfiguration =
  (name: ConfigurationName): Operation =>
  async ({ storage }, request) => {
    const { parse, status = 200 }: Configuration = configurations[name];
    const document = parse(await readDocument(request, { needsChecksum: true }));
    storage.transaction(() => storage.setConfiguration(bucketOf(request), name, document));
    return { status };
  };

export const getConfiguration =
  (name: ConfigurationName): Operation =>
  ({ storage }, request) => {
    const { show, missing, type }: Configuration = configurations[name];
    const bucket = bucketOf(request);
    const stored = storage.configuration(bucket, name);
    if (stored === undefined) throw new S3Error(missing, undefined, { BucketName: bucket });
    return xmlReply(show ? show(stored) : stored, type ? { "content-type": type } : {});
  };

export const deleteConfiguration =
  (name: ConfigurationName): Operation =>
  ({ storage }, request) => {
    storage.run("DELETE FROM configurations WHERE bucket = ? AND kind = ?", bucketOf(request), name);
    return { status: 204 };
  };

export const putNotification: Operation = async ({ notifications }, request) => {
  const skip = request.headers.get("x-amz-skip-destination-validation")?.toLowerCase() === "true";
  await notifications.configure(bucketOf(request), await readDocument(request), request.id, skip);
  return { status: 200 };
};

export const getNotification: Operation = ({ notifications }, request) =>
  xmlReply(notifications.document(bucketOf(request)));
