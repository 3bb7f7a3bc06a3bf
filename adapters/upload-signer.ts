/**
 * Signs uploads for S3 with AWS's own signer and no I/O. Everything we demand of the upload is a signed header or a
 * policy condition, so S3 itself refuses whatever differs.
 */
import { Hash } from "@smithy/hash-node";
import { HttpRequest } from "@smithy/protocol-http";
import { SignatureV4 } from "@smithy/signature-v4";
import type { SignUpload, UploadTerms } from "../core/issue-uploads.ts";

export interface SignerSettings {
  readonly bucket: string;
  readonly region: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Another server than AWS's, addressed in path style. */
  readonly endpoint?: string | undefined;
  readonly validitySeconds: number;
  readonly now: () => Date;
}

export function uploadSigner(settings: SignerSettings): SignUpload {
  const { region, credentials } = settings;
  const signer = new SignatureV4({
    credentials,
    region,
    service: "s3",
    sha256: Hash.bind(null, "sha256"),
    // S3 signs the path as it is sent, not encoded a second time as the other services do.
    uriEscapePath: false,
  });
  return (method, terms) =>
    method === "PUT" ? signPut(signer, settings, terms) : signPost(signer, settings, terms);
}

function bucketUrl({ bucket, region, endpoint }: SignerSettings): string {
  return endpoint ? `${endpoint}/${bucket}` : `https://${bucket}.s3.${region}.amazonaws.com`;
}

const asMetadataHeaders = (metadata: UploadTerms["metadata"]) =>
  Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]));

async function signPut(signer: SignatureV4, settings: SignerSettings, terms: UploadTerms) {
  const signingDate = settings.now();
  const headers = {
    "content-type": terms.type,
    // Write once: a second PUT, by a retry or by whoever got hold of the URL, is answered with 412.
    "if-none-match": "*",
    ...(terms.sha256 ? { "x-amz-checksum-sha256": terms.sha256 } : {}),
    ...asMetadataHeaders(terms.metadata),
  };
  const target = new URL(`${bucketUrl(settings)}/${terms.key}`);
  const signed = await signer.presign(
    new HttpRequest({
      method: "PUT",
      protocol: target.protocol,
      hostname: target.hostname,
      ...(target.port ? { port: Number(target.port) } : {}),
      path: target.pathname,
      headers: {
        ...headers,
        host: target.host,
        "content-length": String(terms.size),
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
      },
    }),
    // In the query S3 would ignore the checksum, and a browser could leave the metadata out.
    { signingDate, expiresIn: settings.validitySeconds, unhoistableHeaders: new Set(Object.keys(headers)) },
  );
  for (const [name, value] of Object.entries(signed.query ?? {}))
    target.searchParams.set(name, String(value));
  return { method: "PUT" as const, url: target.href, headers, expiresAt: expiry(settings, signingDate) };
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
    ["content-length-range", terms.size, terms.size],
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
