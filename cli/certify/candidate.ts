/** A server that is being certified: how it is asked, by signatures of Darkroom's own, and what its answers come to. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as http } from "node:http";
import { request as https } from "node:https";
import type { S3Client } from "@aws-sdk/client-s3";
import { type SignerSettings, uploadSigner } from "../../adapters/aws/upload-signer.ts";
import type { UploadTerms } from "../../core/upload/issue-uploads.ts";

/** Below it, and nowhere else, objects are written. */
export const CERTIFY = "darkroom-certify/";

export interface Candidate {
  readonly s3: S3Client;
  readonly bucket: string;
  /** Whether the bucket was made for this, so that its rules may be changed. */
  readonly own: boolean;
  readonly settings: Omit<SignerSettings, "now" | "validitySeconds">;
  /** Begins every key. */
  readonly prefix: string;
}

/** `enforced`: kept, or refused, as it must be. `ignored`: taken, and not kept to. `unsupported`: not known at all. */
export interface Outcome {
  readonly is: "enforced" | "ignored" | "unsupported" | "not asked";
  /** What the server did, in a few words. */
  readonly saw: string;
}

export type Probe = (candidate: Candidate) => Promise<Outcome>;
/** Of one promise: the first is what nobody has tampered with; where it fails, the others say nothing. */
export type Probes = readonly (readonly [name: string, run: Probe])[];

export interface Answer {
  readonly status: number;
  /** S3's, where it said one. */
  readonly code?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export const freshKey = ({ prefix }: Candidate) => `${prefix}${randomBytes(8).toString("hex")}`;

/** Sends exactly this. */
export async function send({ method, url, headers, body }: Request): Promise<Answer> {
  const outgoing = (url.startsWith("https:") ? https : http)(url, {
    method,
    headers: { ...headers, ...(body ? { "content-length": String(body.length) } : {}) },
    agent: false,
    timeout: 20_000,
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error("no answer within 20 seconds")));
  // A server that refuses need not read to the end: its answer counts, not the broken pipe.
  const failed = new Promise<never>((_, reject) => outgoing.on("error", reject));
  failed.catch(() => {});
  outgoing.end(body);
  const [response] = await Promise.race([once(outgoing, "response"), failed]);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return {
    status: response.statusCode,
    headers: response.headers,
    body: text,
    code: /<Code>(\w+)<\/Code>/.exec(text)?.[1],
  };
}

/** The same of a call by AWS's client. */
export async function answerOf(call: Promise<unknown>): Promise<Pick<Answer, "status" | "code">> {
  try {
    await call;
    return { status: 200 };
  } catch (error) {
    const { name, cause, $metadata } = error as {
      name: string;
      cause?: unknown;
      $metadata?: { httpStatusCode?: number };
    };
    const status = $metadata?.httpStatusCode;
    if (status !== undefined) return { status, code: name };
    // As our store says it, with S3's own error behind.
    if (cause) return answerOf(Promise.reject(cause));
    throw error;
  }
}

const words = ({ status, code }: Pick<Answer, "status" | "code">) => [status, code].filter(Boolean).join(" ");
const unknown = ({ status, code }: Pick<Answer, "status" | "code">) =>
  status === 405 || status >= 500 || code === "NotImplemented";

/** Of what has to be refused. */
export function refused(answer: Pick<Answer, "status" | "code">): Outcome {
  const saw = words(answer);
  if (unknown(answer)) return { is: "unsupported", saw };
  return { is: answer.status >= 400 ? "enforced" : "ignored", saw };
}

/** Of what has to be done. */
export function done(answer: Pick<Answer, "status" | "code">): Outcome {
  return { is: answer.status < 300 ? "enforced" : "unsupported", saw: words(answer) };
}

/** Of what has to be so. */
export const so = (holds: boolean, saw: string, otherwise = saw): Outcome =>
  holds ? { is: "enforced", saw } : { is: "ignored", saw: otherwise };

export const FILE = Buffer.from("what somebody uploads, to see what becomes of it");

/** A signed upload, as a client would send it. */
export async function signedUpload(
  candidate: Candidate,
  method: "PUT" | "POST",
  {
    now = () => new Date(),
    secret,
    ...terms
  }: Partial<UploadTerms> & { now?: () => Date; secret?: string } = {},
) {
  const { settings } = candidate;
  const credentials = { ...settings.credentials, ...(secret ? { secretAccessKey: secret } : {}) };
  const signer = uploadSigner({ ...settings, credentials, validitySeconds: 300, now });
  const signed = await signer(method, {
    key: freshKey(candidate),
    type: "image/png",
    size: FILE.length,
    maxBytes: FILE.length,
    metadata: { owner: "somebody", filename: "IMG%200042.png" },
    ...terms,
  });
  const fields = signed.method === "POST" ? signed.fields : {};
  const headers = signed.method === "PUT" ? signed.headers : {};
  return { method, url: signed.url, headers, fields };
}

/** As a browser sends a form. */
export function form(url: string, fields: Readonly<Record<string, string>>, file: Buffer): Request {
  const boundary = "----darkroom";
  const field = ([name, value]: [string, string]) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n`;
  return {
    method: "POST",
    url,
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([
      Buffer.from(Object.entries(fields).map(field).join("") + head),
      file,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  };
}
