/**
 * Signs uploads for S3 with AWS's own signer and no I/O. Everything we demand of the upload is a signed header or a
 * policy condition, so S3 itself refuses whatever differs.
 */
import { Hash } from "@smithy/hash-node";
import { HttpRequest } from "@smithy/protocol-http";
import { SignatureV4 } from "@smithy/signature-v4";
import { DarkroomError } from "../../core/errors.ts";
import { ORIGINAL_SECONDS, type SignDownload } from "../../core/image/original.ts";
import type { SignUpload, UploadTerms } from "../../core/upload/issue-uploads.ts";
import type { SignPart } from "../../core/upload/multipart.ts";
import { environment } from "../environment.ts";

export interface SignerSettings {
  readonly bucket: string;
  readonly region: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Another server than AWS's, addressed in path style. */
  readonly endpoint?: string | undefined;
  readonly validitySeconds: number;
  /** `put` where the server takes no forms (Cloudflare R2): what would be one is signed as a PUT. */
  readonly uploadsBy?: "any" | "put";
  readonly now: () => Date;
}

/** Of the uploads bucket, by the function's own rights. */
export function signerSettings(validitySeconds: number, now: () => Date): SignerSettings {
  const env = environment(
    "UPLOADS_BUCKET",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_S3",
  );
  return {
    bucket: env.UPLOADS_BUCKET,
    region: env.AWS_REGION,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
    },
    endpoint: env.AWS_ENDPOINT_URL_S3,
    validitySeconds,
    now,
  };
}

export function uploadSigner(settings: SignerSettings): SignUpload {
  const signer = signerOf(settings);
  return (method, terms) =>
    method === "PUT" || settings.uploadsBy === "put"
      ? signPut(signer, settings, terms)
      : signPost(signer, settings, terms);
}

/** Signs one part of a multipart upload, with its exact length where that is known. */
export function partSigner(settings: SignerSettings): SignPart {
  const signer = signerOf(settings);
  return async (key, uploadId, part, size) => {
    const query = { partNumber: String(part), uploadId };
    const length = size === undefined ? {} : { "content-length": String(size) };
    const url = await presign(signer, settings, "PUT", {
      key,
      query,
      headers: length,
      signedHeaders: [],
      at: settings.now(),
    });
    return { url, seconds: settings.validitySeconds };
  };
}

/** Signs a download, under the name that it is to have on the caller's disk. */
export function downloadSigner(settings: SignerSettings): SignDownload {
  const signer = signerOf(settings);
  return async (key, disposition) => {
    const at = settings.now();
    const query = { "response-content-disposition": disposition };
    const url = await presign(signer, settings, "GET", { key, query, headers: {}, signedHeaders: [], at });
    return { url, expiresAt: expiry(settings, at) };
  };
}

/** Signs what a function may read of the uploads bucket, for as long as its policy lets a signature hold. */
export const viewSigner = (now: () => Date) => downloadSigner(signerSettings(ORIGINAL_SECONDS, now));

function signerOf({ region, credentials }: SignerSettings): SignatureV4 {
  return new SignatureV4({
    credentials,
    region,
    service: "s3",
    sha256: Hash.bind(null, "sha256"),
    // S3 signs the path as it is sent, not encoded a second time as the other services do.
    uriEscapePath: false,
  });
}

export function bucketUrl({ bucket, region, endpoint }: SignerSettings): string {
  return endpoint ? `${endpoint}/${bucket}` : `https://${bucket}.s3.${region}.amazonaws.com`;
}

const asMetadataHeaders = (metadata: UploadTerms["metadata"]) =>
  Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]));

/** @throws DarkroomError `no-forms` where the size is not known, which only a form can bound */
async function signPut(signer: SignatureV4, settings: SignerSettings, terms: UploadTerms) {
  if (terms.size === undefined) throw new DarkroomError("no-forms");
  const signingDate = settings.now();
  const headers = {
    "content-type": terms.type,
    // Write once: a second PUT, by a retry or by whoever got hold of the URL, is answered with 412.
    "if-none-match": "*",
    // Ceph compares the checksum only where its algorithm is named too.
    ...(terms.sha256
      ? { "x-amz-checksum-sha256": terms.sha256, "x-amz-sdk-checksum-algorithm": "SHA256" }
      : {}),
    ...asMetadataHeaders(terms.metadata),
  };
  const url = await presign(signer, settings, "PUT", {
    key: terms.key,
    query: {},
    headers: { ...headers, "content-length": String(terms.size) },
    // In the query S3 would ignore the checksum, and a browser could leave the metadata out.
    signedHeaders: Object.keys(headers),
    at: signingDate,
  });
  return { method: "PUT" as const, url, headers, expiresAt: expiry(settings, signingDate) };
}

interface Presigning {
  readonly key: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** `x-amz-*` headers that stay headers; others would move into the query. */
  readonly signedHeaders: readonly string[];
  readonly at: Date;
}

async function presign(
  signer: SignatureV4,
  settings: SignerSettings,
  method: "GET" | "PUT",
  { key, query, headers, signedHeaders, at }: Presigning,
): Promise<string> {
  const target = new URL(`${bucketUrl(settings)}/${key}`);
  const request = new HttpRequest({
    method,
    protocol: target.protocol,
    hostname: target.hostname,
    ...(target.port ? { port: Number(target.port) } : {}),
    path: target.pathname,
    query,
    headers: { ...headers, host: target.host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
  });
  const options = {
    signingDate: at,
    expiresIn: settings.validitySeconds,
    unhoistableHeaders: new Set(signedHeaders),
  };
  const signed = await signer.presign(request, options);
  for (const [name, value] of Object.entries(signed.query ?? {}))
    target.searchParams.set(name, String(value));
  return target.href;
}

async function signPost(signer: SignatureV4, settings: SignerSettings, terms: UploadTerms) {
  const { region, credentials, bucket } = settings;
  const signingDate = settings.now();
  const date = signingDate.toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const expiresAt = expiry(settings, signingDate);
  const fields = {
    key: terms.key,
    "Content-Type": terms.type,
    success_action_status: "201",
    ...(terms.sha256 ? { "x-amz-checksum-sha256": terms.sha256 } : {}),
    ...asMetadataHeaders(terms.metadata),
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": `${credentials.accessKeyId}/${date.slice(0, 8)}/${region}/s3/aws4_request`,
    "x-amz-date": date,
    ...(credentials.sessionToken ? { "x-amz-security-token": credentials.sessionToken } : {}),
  };
  const conditions = [
    { bucket },
    ["content-length-range", terms.size ?? 1, terms.size ?? terms.maxBytes],
    ...Object.entries(fields).map(([name, value]) => ({ [name]: value })),
  ];
  const policy = Buffer.from(JSON.stringify({ expiration: expiresAt, conditions })).toString("base64");
  const signature = await signer.sign(policy, { signingDate });
  const url = bucketUrl(settings);
  return {
    method: "POST" as const,
    url,
    fields: { ...fields, policy, "x-amz-signature": signature },
    expiresAt,
  };
}

function expiry({ validitySeconds }: SignerSettings, from: Date): string {
  return new Date(from.getTime() + validitySeconds * 1000).toISOString().replace(/\.\d{3}Z$/, "Z");
}
