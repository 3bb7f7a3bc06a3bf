/** POST of a browser's form to a bucket. It cannot be made write-once: a policy has no condition for that. */
import { SigV4Error, verifyPolicy } from "../sigv4.ts";
import { render } from "../xml.ts";
import { signatureError } from "./auth.ts";
import { checkedBody, incomingBytes, MAX_UPLOAD_BYTES, parseMd5 } from "./body.ts";
import { checksumClaim, checksumHeaders } from "./checksums.ts";
import { quoted } from "./conditions.ts";
import { headerNotImplemented, S3Error } from "./errors.ts";
import { readForm } from "./form.ts";
import { encryptionHeader, objectHeaders } from "./object-headers.ts";
import { checkPolicy, parsePolicy, sizeRange } from "./post-policy.ts";
import { checkKeyLength, encodeKey, type Reply, type S3Request } from "./request.ts";
import { bucketOf, type Operation, type S3, storeWhole } from "./s3.ts";
import type { StoredObject } from "./storage.ts";

type Fields = ReadonlyMap<string, string>;

/** Stands in a form for what the browser calls the file. */
const FILENAME = /\$\{filename\}/g;

export const postObject: Operation = async (s3, request) => {
  const bucket = bucketOf(request);
  const { headers } = request;
  if (!headers.has("content-length")) throw new S3Error("MissingContentLength");
  // The fields come on top of the file, so this bound is a little late, not early.
  if (Number(headers.get("content-length")) > MAX_UPLOAD_BYTES * 1.01) throw new S3Error("EntityTooLarge");
  const form = await readForm(incomingBytes(request), headers.get("content-type") ?? "");
  const fields = new Map(form.fields);
  const key = fields.get("key")?.replaceAll(FILENAME, () => form.filename);
  if (!key) throw missingField("key");
  fields.set("key", key);
  authorize(s3, fields, bucket);
  const policy = parsePolicy(fields.get("policy") ?? "");
  checkPolicy(policy, fields, bucket, s3.now());
  checkKeyLength(key);
  const given = asHeaders(fields);
  const md5 = parseMd5(given.get("content-md5"));
  const body = checkedBody(withinRange(form.file, sizeRange(policy)), {
    checksum: checksumClaim(given),
    ...(md5 ? { md5 } : {}),
  });
  const target = { bucket, key, headers: objectHeaders(given) };
  const object = await storeWhole(s3, request, target, body, {}, "ObjectCreated:Post");
  return answer(request, fields, object);
};

const missingField = (name: string) =>
  new S3Error(
    "InvalidArgument",
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
    {
      ArgumentName: name,
      ArgumentValue: "",
    },
  );

function authorize({ credentials, region, now }: S3, fields: Fields, bucket: string): void {
  if (!fields.has("policy")) throw new S3Error("AccessDenied", undefined, { BucketName: bucket });
  const need = (name: string): string => {
    const value = fields.get(name.toLowerCase());
    if (!value) throw missingField(name);
    return value;
  };
  try {
    verifyPolicy(
      {
        algorithm: need("X-Amz-Algorithm"),
        credential: need("X-Amz-Credential"),
        timestamp: need("X-Amz-Date"),
        signature: need("X-Amz-Signature"),
        policy: need("Policy"),
        token: fields.get("x-amz-security-token"),
      },
      { credentials, region, service: "s3", now: now() },
    );
  } catch (error) {
    throw error instanceof SigV4Error ? signatureError(error, "query") : error;
  }
}

/** Fields that are headers of a PUT, in the form that headers have: UTF-8 bytes as Latin-1. */
function asHeaders(fields: Fields): Map<string, string> {
  const headers = new Map(
    [...fields].map(([name, value]) => [name, Buffer.from(value, "utf8").toString("latin1")] as const),
  );
  const acl = headers.get("acl");
  if (acl !== undefined) headers.set("x-amz-acl", acl);
  if (headers.has("tagging")) throw headerNotImplemented("tagging");
  return headers;
}

async function* withinRange(
  file: AsyncIterable<Buffer>,
  { min, max }: { min: number; max: number },
): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const piece of file) {
    size += piece.length;
    if (size > max)
      throw new S3Error("EntityTooLarge", undefined, {
        ProposedSize: String(size),
        MaxSizeAllowed: String(max),
      });
    yield piece;
  }
  if (size < min)
    throw new S3Error("EntityTooSmall", undefined, {
      ProposedSize: String(size),
      MinSizeAllowed: String(min),
    });
}

function answer(
  request: S3Request,
  fields: Fields,
  { bucket, key, etag, checksum, headers: kept }: StoredObject,
): Reply {
  const location = `${request.base}/${encodeKey(key)}`;
  const headers = { etag: quoted(etag), location, ...checksumHeaders(checksum), ...encryptionHeader(kept) };
  const redirect = fields.get("success_action_redirect") ?? fields.get("redirect");
  if (redirect !== undefined && URL.canParse(redirect)) {
    const target = new URL(redirect);
    for (const [name, value] of Object.entries({ bucket, key, etag: quoted(etag) }))
      target.searchParams.append(name, value);
    return { status: 303, headers: { ...headers, location: target.href } };
  }
  const status = fields.get("success_action_status");
  if (status === "201") {
    const body = render("PostResponse", { Location: location, Bucket: bucket, Key: key, ETag: quoted(etag) });
    return { status: 201, headers: { ...headers, "content-type": "application/xml" }, body };
  }
  return { status: status === "200" ? 200 : 204, headers };
}
