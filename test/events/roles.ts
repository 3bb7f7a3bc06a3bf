/** What `deploy/infra/roles.yml` lets each function do, enforced on the local S3 and SQS. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";

interface Statement {
  readonly Action: string | string[];
  readonly Resource: Resource | Resource[];
}
type Resource = { readonly "Fn::GetAtt": readonly [string, string] } | { readonly "Fn::Sub": string };
interface Role {
  readonly Properties: {
    /** Text where it stands elsewhere, as what tracing needs. */
    readonly Policies: readonly ({ readonly PolicyDocument: { readonly Statement: Statement[] } } | string)[];
  };
}

export interface Grant {
  readonly action: string;
  /** `UploadsBucket/originals/*`, and without anything after the bucket for the bucket itself; `ImagesQueue`. */
  readonly on: string;
}

const file = readFileSync(new URL("../../deploy/infra/roles.yml", import.meta.url), "utf8");
const roles = (parse(file) as { Resources: Record<string, Role> }).Resources;

/** The rights of a function, but for its own logs. */
export function grantsOf(fn: string): Grant[] {
  const role = roles[`${fn[0]?.toUpperCase()}${fn.slice(1)}Role`];
  const statements =
    role?.Properties.Policies.flatMap((policy) =>
      typeof policy === "string" ? [] : policy.PolicyDocument.Statement,
    ) ?? [];
  return statements.flatMap(({ Action, Resource }) =>
    [Action]
      .flat()
      .filter((action) => !action.startsWith("logs:"))
      .flatMap((action) => [Resource].flat().map((resource) => ({ action, on: nameOf(resource) }))),
  );
}

function nameOf(resource: Resource): string {
  if ("Fn::GetAtt" in resource) return resource["Fn::GetAtt"][0];
  return (resource["Fn::Sub"].split(/:(?![^{]*\})/).at(-1) ?? "").replaceAll(/\$\{(\w+)(\.Arn)?\}/g, "$1");
}

const actions: Readonly<Record<string, string>> = {
  GET: "s3:GetObject",
  HEAD: "s3:GetObject",
  PUT: "s3:PutObject",
  DELETE: "s3:DeleteObject",
};
/** Of requests about an upload in parts: those that make an object need the right to put one. */
const multipartActions: Readonly<Record<string, string>> = {
  GET: "s3:ListMultipartUploadParts",
  POST: "s3:PutObject",
  DELETE: "s3:AbortMultipartUpload",
};

/** The right to an action of SQS's, if there is one. Here a queue is called as in its URL, `darkroom-images-dead-letters`. */
export function queueGrantFor(grants: readonly Grant[], action: string, queue: string): Grant | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/^darkroom|queue$|-/g, "");
  const needed = `sqs:${action.replace(/Batch$/, "")}`;
  return grants.find((grant) => grant.action === needed && plain(grant.on) === plain(queue));
}

/** The right that allows a request, if there is one. `bucket` is a logical id. */
export function grantFor(
  grants: readonly Grant[],
  {
    method,
    bucket,
    key,
    query,
  }: { method: string; bucket: string; key: string | undefined; query: ReadonlyMap<string, string> },
): Grant | undefined {
  const inParts = query.has("uploads") || query.has("uploadId");
  const onBucket = inParts ? "s3:ListBucketMultipartUploads" : "s3:ListBucket";
  const action = key === undefined ? onBucket : (inParts ? multipartActions : actions)[method];
  const target = key === undefined ? bucket : `${bucket}/${key}`;
  return grants.find((grant) => grant.action === action && asPattern(grant.on).test(target));
}

const asPattern = (on: string) =>
  new RegExp(`^${on.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
