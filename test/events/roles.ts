/** What `deploy/infra/roles.yml` lets each function do in S3, enforced on the local one. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";

interface Statement {
  readonly Action: string | string[];
  readonly Resource: Resource | Resource[];
}
type Resource = { readonly "Fn::GetAtt": readonly [string, string] } | { readonly "Fn::Sub": string };
interface Role {
  readonly Properties: {
    /** Text where it stands elsewhere, as what tracing needs, which is nothing in S3. */
    readonly Policies: readonly ({ readonly PolicyDocument: { readonly Statement: Statement[] } } | string)[];
  };
}

export interface Grant {
  readonly action: string;
  /** `UploadsBucket/originals/*`, and without anything after the bucket for the bucket itself. */
  readonly on: string;
}

const file = readFileSync(new URL("../../deploy/infra/roles.yml", import.meta.url), "utf8");
const roles = (parse(file) as { Resources: Record<string, Role> }).Resources;

/** The rights of a function in S3. */
export function grantsOf(fn: string): Grant[] {
  const role = roles[`${fn[0]?.toUpperCase()}${fn.slice(1)}Role`];
  const statements =
    role?.Properties.Policies.flatMap((policy) =>
      typeof policy === "string" ? [] : policy.PolicyDocument.Statement,
    ) ?? [];
  return statements.flatMap(({ Action, Resource }) =>
    [Action]
      .flat()
      .filter((action) => action.startsWith("s3:"))
      .flatMap((action) => [Resource].flat().map((resource) => ({ action, on: nameOf(resource) }))),
  );
}

function nameOf(resource: Resource): string {
  return "Fn::Sub" in resource
    ? resource["Fn::Sub"].replace(/^\$\{(\w+)\.Arn\}/, "$1")
    : resource["Fn::GetAtt"][0];
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
