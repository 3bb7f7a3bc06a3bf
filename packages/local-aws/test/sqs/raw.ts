/** Requests to the local SQS below the SDK, signed by AWS's own signer. */
import { Hash } from "@smithy/hash-node";
import { HttpRequest } from "@smithy/protocol-http";
import { SignatureV4 } from "@smithy/signature-v4";
import { CREDENTIALS, REGION } from "./server.ts";

export interface RawOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly credentials?: { accessKeyId: string; secretAccessKey: string };
  readonly region?: string;
  readonly signedAt?: Date;
  /** Sent instead of what was signed. */
  readonly sentBody?: string;
}

export async function signedFetch(url: string, body: string, options: RawOptions = {}): Promise<Response> {
  const {
    method = "POST",
    headers = {},
    credentials = CREDENTIALS,
    region = REGION,
    signedAt = new Date(),
  } = options;
  const { host, hostname, port, protocol, pathname, searchParams } = new URL(url);
  const signer = new SignatureV4({ service: "sqs", region, credentials, sha256: Hash.bind(null, "sha256") });
  const request = new HttpRequest({
    method,
    protocol,
    hostname,
    port: Number(port),
    path: pathname,
    query: Object.fromEntries(searchParams),
    headers: { host, ...headers },
    ...(method === "GET" ? {} : { body }),
  });
  const signed = await signer.sign(request, { signingDate: signedAt });
  const { host: _, ...rest } = signed.headers;
  return fetch(url, {
    method,
    headers: rest,
    ...(method === "GET" ? {} : { body: options.sentBody ?? body }),
  });
}

/** One action in the JSON protocol. */
export function json(
  url: string,
  action: string,
  input: unknown,
  options: RawOptions = {},
): Promise<Response> {
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
  const body = typeof input === "string" ? input : JSON.stringify(input);
  return signedFetch(url, body, { ...options, headers: { ...headers, ...options.headers } });
}

/** One action in the Query protocol; answers with the XML. */
export async function query(
  url: string,
  parameters: Record<string, string>,
): Promise<{ status: number; xml: string }> {
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const body = new URLSearchParams({ Version: "2012-11-05", ...parameters }).toString();
  const response = await signedFetch(url, body, { headers });
  return { status: response.status, xml: await response.text() };
}
