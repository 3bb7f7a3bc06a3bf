/** Both of SQS's protocols over HTTP: from a signed request to an action and its parameters, and back. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { readClaim, SigV4Error, type SigV4Reason, sha256, type Verifier, verify } from "../sigv4.ts";
import { describeError, type SqsCode, sqsError } from "./errors.ts";
import { type Input, isRecord } from "./input.ts";
import { errorXml, readForm, resultXml } from "./query.ts";
import { QueueError } from "./queue-rules.ts";

/** 1 MiB of text, nothing of it ASCII, percent-encoded in a form, and what stands around it. */
const MAX_REQUEST_BYTES = 4_194_304;

export interface SqsRequest {
  readonly action: string;
  readonly input: Input;
}

/** Whether the client speaks SQS's JSON protocol; otherwise it is answered in XML. */
export const speaksJson = (request: IncomingMessage): boolean =>
  request.headers["content-type"]?.startsWith("application/x-amz-json") ?? false;

/** @throws QueueError what SQS would refuse it for */
export async function readRequest(request: IncomingMessage, verifier: Verifier): Promise<SqsRequest> {
  const body = await readBody(request);
  const [path = "/", query = ""] = (request.url ?? "/").split(/\?(.*)/s);
  authenticate(request, { path, query, body }, verifier);
  if (speaksJson(request)) return readJson(String(request.headers["x-amz-target"] ?? ""), body);
  const parsed = readForm(new URLSearchParams(request.method === "GET" ? query : body.toString()), path);
  if (parsed.action === "") {
    throw sqsError(
      "MissingParameter",
      "The request must contain the parameter Action, or speak AWS JSON 1.0.",
    );
  }
  return parsed;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw sqsError("RequestEntityTooLarge", "No valid request is that long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readJson(target: string, body: Buffer): SqsRequest {
  let input: unknown;
  try {
    input = body.length === 0 ? {} : JSON.parse(body.toString());
  } catch {
    throw sqsError("MalformedInput", "The body is not JSON.");
  }
  if (!isRecord(input)) throw sqsError("MalformedInput", "The body is not a JSON object.");
  return { action: target.replace(/^AmazonSQS\./, ""), input };
}

/** What SQS calls a failure to sign; the reasons not listed are `SignatureDoesNotMatch`. */
const SIGNATURE_CODES: Partial<Record<SigV4Reason, SqsCode>> = {
  malformed: "IncompleteSignature",
  "no-date": "IncompleteSignature",
  "not-v4": "IncompleteSignature",
  "two-signatures": "IncompleteSignature",
  "unknown-key": "InvalidClientTokenId",
  "wrong-token": "InvalidClientTokenId",
};

function authenticate(
  { method = "", rawHeaders }: IncomingMessage,
  { path, query, body }: { path: string; query: string; body: Buffer },
  verifier: Verifier,
): void {
  const headers = rawHeaders.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? ""]] : [],
  );
  const raw = { method, path, query, headers };
  try {
    const claim = readClaim(raw);
    if (!claim) throw sqsError("MissingAuthenticationToken", "Request is missing Authentication Token");
    verify(raw, claim, sha256(body), verifier);
  } catch (error) {
    if (!(error instanceof SigV4Error)) throw error;
    throw sqsError(
      SIGNATURE_CODES[error.reason] ?? "SignatureDoesNotMatch",
      `Signature refused: ${error.message}.`,
    );
  }
}

export function sendResult(response: ServerResponse, json: boolean, action: string, result: object): void {
  const requestId = randomUUID();
  const body = json ? JSON.stringify(result) : resultXml(action, result, requestId);
  send(response, 200, json, requestId, body);
}

/** Anything but a QueueError is the server's own failure; what it was is not told to the client. */
export function sendError(response: ServerResponse, json: boolean, error: unknown): void {
  const requestId = randomUUID();
  const known = error instanceof QueueError;
  const { status, type, query } = describeError(known ? error.code : "InternalFailure");
  const message = known ? error.message : "We encountered an internal error. Please try again.";
  const fault = status < 500 ? "Sender" : "Receiver";
  if (json) {
    response.setHeader("x-amzn-query-error", `${query};${fault}`);
    send(response, status, json, requestId, JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message }));
  } else send(response, status, json, requestId, errorXml({ code: query, message, fault }, requestId));
}

function send(
  response: ServerResponse,
  status: number,
  json: boolean,
  requestId: string,
  body: string,
): void {
  response.writeHead(status, {
    "content-type": json ? "application/x-amz-json-1.0" : "text/xml",
    "content-length": Buffer.byteLength(body),
    "x-amzn-requestid": requestId,
    // Half-read, a request leaves its connection unusable.
    ...(response.req.complete ? {} : { connection: "close" }),
  });
  response.end(body);
}
