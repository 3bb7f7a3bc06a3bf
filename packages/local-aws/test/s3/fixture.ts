/** A running local S3, the AWS SDK in front of it, and requests made by hand where the SDK would not make them. */
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { S3Client } from "@aws-sdk/client-s3";
import { Hash } from "@smithy/hash-node";
import { HttpRequest } from "@smithy/protocol-http";
import { SignatureV4 } from "@smithy/signature-v4";
import { type LocalS3Options, startS3 } from "../../s3/server.ts";

export const REGION = "eu-central-1";
export const KEYS = { accessKeyId: "AKIDLOCAL", secretAccessKey: "local/secret+key" };

export interface Fixture {
  readonly url: string;
  readonly port: number;
  readonly data: string;
  /** Everything that `notify` was called with, in order. */
  readonly sent: { queue: string; body: string }[];
  readonly client: S3Client;
  stop(): Promise<void>;
  /** Stops the server if it runs and starts another one on the same data and port. */
  restart(options?: Partial<LocalS3Options>): Promise<void>;
}

/** One per test file: ends with it. */
export async function startFixture(options: Partial<LocalS3Options> = {}): Promise<Fixture> {
  const data = mkdtempSync(join(tmpdir(), "local-s3-"));
  const sent: Fixture["sent"] = [];
  const start = (more: Partial<LocalS3Options>) =>
    startS3({
      data,
      port: 0,
      credentials: KEYS,
      region: REGION,
      notify: (queue, body) => void sent.push({ queue, body }),
      ...options,
      ...more,
    });
  let server = await start({});
  const { url } = server;
  const port = Number(new URL(url).port);
  const client = newClient(url);
  after(async () => {
    client.destroy();
    await server.close();
    rmSync(data, { recursive: true, force: true });
  });
  return {
    url,
    port,
    data,
    sent,
    client,
    stop: () => server.close(),
    async restart(more = {}) {
      await server.close();
      server = await start({ port, ...more });
    },
  };
}

/** No kept connections: after a restart the server has ended them, and the next request would find out too late. */
export const newClient = (
  url: string,
  more: Partial<ConstructorParameters<typeof S3Client>[0]> = {},
): S3Client =>
  new S3Client({
    endpoint: url,
    region: REGION,
    credentials: KEYS,
    forcePathStyle: true,
    maxAttempts: 1,
    requestHandler: { httpAgent: { keepAlive: false } },
    ...more,
  });

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  /** Of an error document. */
  readonly code: string | undefined;
}

export interface RawCall {
  readonly method?: string;
  /** As it goes over the wire, with the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

/** Sends exactly this. */
export async function send(
  { port }: { port: number },
  { method = "GET", path, headers = {}, body }: RawCall,
): Promise<RawAnswer> {
  const outgoing = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent: false });
  outgoing.end(body);
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  return {
    status: response.statusCode,
    headers: response.headers,
    body: text,
    code: /<Code>(.*?)<\/Code>/.exec(text)?.[1],
  };
}

/** Sends these bytes and reads until the server closes. */
export async function sendBytes({ port }: { port: number }, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(bytes);
  let text = "";
  socket.setEncoding("latin1");
  for await (const chunk of socket) text += chunk;
  return text;
}

export const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
export const md5 = (data: string | Buffer): string => createHash("md5").update(data).digest("hex");

export interface SignOptions {
  readonly secret?: string;
  readonly accessKeyId?: string;
  readonly region?: string;
  readonly service?: string;
  readonly date?: Date;
  readonly sessionToken?: string;
}

const signerOf = ({ secret, accessKeyId, region, service, sessionToken }: SignOptions): SignatureV4 =>
  new SignatureV4({
    service: service ?? "s3",
    region: region ?? REGION,
    credentials: {
      accessKeyId: accessKeyId ?? KEYS.accessKeyId,
      secretAccessKey: secret ?? KEYS.secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
    },
    sha256: Hash.bind(null, "sha256"),
    uriEscapePath: false,
  });

function smithyRequest(port: number, { method = "GET", path, headers = {}, body }: RawCall): HttpRequest {
  const [pathname = "", query = ""] = path.split("?");
  return new HttpRequest({
    protocol: "http:",
    hostname: "127.0.0.1",
    port,
    method,
    path: pathname,
    query: Object.fromEntries(new URLSearchParams(query)),
    headers: { host: `127.0.0.1:${port}`, ...(headers as Record<string, string>) },
    body,
  });
}

/** The call with an Authorization header, made by AWS's own signer. */
export async function signed(
  fixture: { port: number },
  call: RawCall,
  options: SignOptions = {},
): Promise<RawCall> {
  const payload = call.headers?.["x-amz-content-sha256"] ?? sha256(call.body ?? "");
  const length = call.body === undefined ? {} : { "content-length": String(Buffer.byteLength(call.body)) };
  const headers = { ...length, ...call.headers, "x-amz-content-sha256": payload };
  const request = smithyRequest(fixture.port, { ...call, headers });
  const { headers: all } = await signerOf(options).sign(
    request,
    options.date ? { signingDate: options.date } : {},
  );
  return { ...call, headers: all };
}

/** Signs and sends. */
export const call = async (
  fixture: { port: number },
  raw: RawCall,
  options: SignOptions = {},
): Promise<RawAnswer> => send(fixture, await signed(fixture, raw, options));

/**
 * The call with a signature in its query, payload unsigned. Its headers are signed as headers, unless `hoist` moves the
 * `x-amz-*` among them and the payload's `UNSIGNED-PAYLOAD` into the query, as AWS's presigner for JavaScript does.
 */
export async function presigned(
  fixture: { port: number },
  raw: RawCall,
  { expires = 300, hoist = false, ...options }: SignOptions & { expires?: number; hoist?: boolean } = {},
): Promise<RawCall> {
  const names = Object.keys(raw.headers ?? {});
  const { body: _, ...bodiless } = raw;
  const payload = { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
  const request = smithyRequest(fixture.port, { ...bodiless, headers: { ...raw.headers, ...payload } });
  const { query, headers } = await signerOf(options).presign(request, {
    expiresIn: expires,
    signableHeaders: new Set(["host", ...names]),
    unsignableHeaders: new Set(["x-amz-content-sha256"]),
    unhoistableHeaders: hoist ? new Set() : new Set([...names, "x-amz-content-sha256"]),
    ...(options.date ? { signingDate: options.date } : {}),
  });
  const text = Object.entries(query ?? {})
    .map(([name, value]) => `${encode(name)}=${encode(String(value))}`)
    .join("&");
  const { "x-amz-content-sha256": __, ...sent } = headers;
  return { ...raw, path: `${raw.path.split("?")[0]}?${text}`, headers: sent };
}

/** RFC 3986, as signatures want it. */
export const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
export const encodePath = (key: string): string => key.split("/").map(encode).join("/");

const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();

/** SigV4's key by hand, for what AWS's signer has no method for. */
export function signingKey(day: string, secret: string = KEYS.secretAccessKey, region = REGION): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), "s3"), "aws4_request");
}
export const hmacHex = (key: Buffer, data: string): string => hmac(key, data).toString("hex");

export const timestamp = (date: Date): string => date.toISOString().replace(/[-:]|\.\d{3}/g, "");

export type Field = readonly [name: string, value: string];

/** A browser's form. */
export function formBody(
  fields: readonly Field[],
  file: Buffer | string | undefined,
  { boundary = "----x1", filename = "photo.jpg", after = [] as readonly Field[], end = true } = {},
): { headers: Record<string, string>; body: Buffer } {
  const field = ([name, value]: Field) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const body = Buffer.concat([
    Buffer.from(fields.map(field).join("")),
    ...(file === undefined
      ? []
      : [
          Buffer.from(
            `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${filename}"\r\nContent-Type: image/png\r\n\r\n`,
          ),
          Buffer.from(file),
          Buffer.from("\r\n"),
        ]),
    Buffer.from(after.map(field).join("")),
    Buffer.from(end ? `--${boundary}--\r\n` : ""),
  ]);
  return {
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(body.length),
    },
    body,
  };
}

/** A policy of these conditions, signed, as fields. */
export function policyFields(
  conditions: readonly unknown[],
  {
    date = new Date(),
    expiresIn = 300,
    secret = KEYS.secretAccessKey,
    accessKeyId = KEYS.accessKeyId,
    policy = undefined as unknown,
  } = {},
): Field[] {
  const stamp = timestamp(date);
  const credential = `${accessKeyId}/${stamp.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const own: Field[] = [
    ["x-amz-algorithm", "AWS4-HMAC-SHA256"],
    ["x-amz-credential", credential],
    ["x-amz-date", stamp],
  ];
  const document = policy ?? {
    expiration: new Date(date.getTime() + expiresIn * 1000).toISOString(),
    conditions: [...conditions, ...own.map(([name, value]) => ({ [name]: value }))],
  };
  const text = Buffer.from(typeof document === "string" ? document : JSON.stringify(document)).toString(
    "base64",
  );
  return [
    ...own,
    ["policy", text],
    ["x-amz-signature", hmacHex(signingKey(stamp.slice(0, 8), secret), text)],
  ];
}

/** Code and status that an SDK call failed with. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return `${$metadata?.httpStatusCode} ${name}`;
  }
  return "no failure";
}
