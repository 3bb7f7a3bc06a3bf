/** The local S3: an HTTP server on loopback that answers as S3 does, refusals included. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Log } from "../log.ts";
import type { Credentials } from "../sigv4.ts";
import { render } from "../xml.ts";
import { authenticate } from "./auth.ts";
import { createBucket } from "./buckets.ts";
import { corsHeaders, preflight } from "./cors.ts";
import { S3Error } from "./errors.ts";
import { Notifications } from "./notifications.ts";
import { deleteObject, getObject } from "./objects.ts";
import { type Reply, readRequest, type S3Request } from "./request.ts";
import { findRoute, isFormPost, levelOf } from "./routes.ts";
import { ACCOUNT, bucketOf, requireBucket, type S3 } from "./s3.ts";
import { Storage } from "./storage.ts";

export interface LocalS3Options {
  /** Folder; made when it is not there. One server at a time. */
  readonly data: string;
  /** 0 picks one. */
  readonly port: number;
  readonly credentials: Credentials;
  readonly region: string;
  /** Hands an event notification to a queue; a rejection is tried again. */
  readonly notify: (queueArn: string, body: string) => void | Promise<void>;
  readonly now?: () => Date;
  readonly log?: Log;
  /** For tests of clients: an error to answer instead of doing anything, such as SlowDown half of the time. */
  readonly fault?: (request: {
    readonly method: string;
    readonly bucket: string | undefined;
    readonly key: string | undefined;
    readonly query: ReadonlyMap<string, string>;
  }) => Fault | undefined | Promise<Fault | undefined>;
}

interface Fault {
  readonly status: number;
  readonly code: string;
}

export interface LocalS3 {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Ends idle connections at once and the others within a second; nothing that was answered is lost. */
  close(): Promise<void>;
}

/** How long `close` lets requests go on. */
const GRACE_MS = 1000;
/** Whole uploads, over a throttled link too; Node's own five minutes would cut them off. */
const REQUEST_TIMEOUT_MS = 3_600_000;
/** Longer than clients keep a connection: Node's 5 s end some just as the next request sets out. */
const KEEP_ALIVE_MS = 65_000;

/** @throws Error when the folder or the port is in use */
export async function startS3(options: LocalS3Options): Promise<LocalS3> {
  const { credentials, region, notify, fault, now = () => new Date(), log = () => {} } = options;
  mkdirSync(options.data, { recursive: true });
  const storage = new Storage(options.data);
  const notifications = new Notifications({ storage, region, account: ACCOUNT, now, notify, log });
  const s3: S3 = { storage, notifications, credentials, region, now };
  const running = new Set<Promise<void>>();

  const accept = (expectsContinue: boolean) => (incoming: IncomingMessage, response: ServerResponse) => {
    const one = handle({ s3, fault, log }, incoming, response, expectsContinue)
      .catch((error) => {
        log("error", "s3 answer not sent", { error: String(error) });
        incoming.destroy();
      })
      .finally(() => running.delete(one));
    running.add(one);
  };
  // Node's own refusal of a missing Host is not XML; the signature needs one, so it is refused here.
  const server = createServer(
    { requireHostHeader: false, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    accept(false),
  );
  // A client that has nothing more to send may say so before it has the answer; by default Node drops its request.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on("checkContinue", accept(true));
  server.on("clientError", answerBadRequest);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port, "127.0.0.1", resolve);
    });
  } catch (error) {
    storage.close();
    throw error;
  }
  notifications.deliver();

  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    while (running.size > 0) await Promise.allSettled(running);
    clearTimeout(timer);
    server.closeAllConnections();
    await closed;
    await notifications.close();
    storage.close();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

interface Context {
  readonly s3: S3;
  readonly fault: LocalS3Options["fault"];
  readonly log: Log;
}

async function answer({ s3, fault }: Context, request: S3Request): Promise<Reply> {
  const injected = await fault?.(request);
  if (injected) return injectedReply(injected, request.id);
  if (request.method === "OPTIONS") return preflight(s3, request);
  const known = isFormPost(request)
    ? request
    : authenticate(request, { credentials: s3.credentials, region: s3.region, service: "s3", now: s3.now() });
  const { run } = findRoute(known);
  checkForeign(known, run === getObject || run === deleteObject);
  if (levelOf(known) !== "service" && run !== createBucket) requireBucket(s3, bucketOf(known));
  return run(s3, known);
}

async function handle(
  context: Context,
  incoming: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Promise<void> {
  const id = randomBytes(8).toString("hex").toUpperCase();
  let continued = !expectsContinue;
  let cors = {};
  let reply: Reply;
  try {
    const request = readRequest(incoming, id, () => {
      if (!continued) response.writeContinue();
      continued = true;
    });
    cors = corsHeaders(context.s3, request);
    reply = await answer(context, request);
  } catch (error) {
    reply = errorReply(error, id, incoming, context.log);
  }
  // Whoever was not told to send the body may or may not do so: only a new connection is unambiguous.
  const close: Record<string, string> = continued ? {} : { connection: "close" };
  await send(incoming, response, {
    ...reply,
    headers: { ...cors, ...reply.headers, ...close, "x-amz-request-id": id, "x-amz-id-2": id },
  });
}

/** Other accounts do not exist here, and of most operations there are no versions. */
function checkForeign({ headers, query }: S3Request, ofVersions: boolean): void {
  for (const name of ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"]) {
    if ((headers.get(name) ?? ACCOUNT) !== ACCOUNT) throw new S3Error("AccessDenied");
  }
  const version = query.get("versionId") ?? "null";
  if (!ofVersions && version !== "null") {
    throw new S3Error("InvalidArgument", "Invalid version id specified", {
      ArgumentName: "versionId",
      ArgumentValue: version,
    });
  }
}

const injectedReply = ({ status, code }: { status: number; code: string }, id: string): Reply => ({
  status,
  headers: { "content-type": "application/xml" },
  body: render("Error", { Code: code, Message: "Injected by a test", RequestId: id }),
});

function errorReply(error: unknown, id: string, incoming: IncomingMessage, log: Log): Reply {
  // A client that left in the middle of its upload is no error of the server's.
  const gone = incoming.errored !== null;
  const known =
    error instanceof S3Error ? error : new S3Error("InternalError", undefined, {}, { cause: error });
  if (known.status === 500 && !gone)
    log("error", "s3 internal error", { requestId: id, error: String(known.cause) });
  return {
    status: known.status,
    headers: { "content-type": "application/xml", ...known.headers },
    body: known.xml(id, (incoming.url ?? "").split("?")[0] ?? ""),
  };
}

async function send(
  incoming: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Reply,
): Promise<void> {
  const stream = typeof body === "object" ? body : undefined;
  const text = typeof body === "string" ? body : "";
  const bodiless = incoming.method === "HEAD" || status === 204 || status === 304;
  try {
    if (response.destroyed) return;
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
    if (!stream && !bodiless) response.setHeader("content-length", Buffer.byteLength(text));
    response.writeHead(status);
    if (stream) await pipeline(stream, response);
    else await ended(response, bodiless ? "" : text);
  } catch (error) {
    // The reader left, which is its right; a file that cannot be read is not.
    if (!response.destroyed || (error as NodeJS.ErrnoException).syscall === "open") throw error;
  } finally {
    await stream?.[Symbol.asyncIterator]().return?.();
    // Reads over what is left of a body that was not wanted, so that the connection can carry the next request.
    // Whoever gave up reading in the middle still listens, and would keep it from flowing.
    incoming.removeAllListeners("readable").resume();
  }
}

/** Also when the connection breaks, after which `end` never calls back. */
const ended = (response: ServerResponse, body: string): Promise<void> =>
  new Promise((resolve) => {
    response.once("close", resolve);
    response.end(body, () => resolve());
  });

/** What Node could not parse never becomes a request; it is answered in S3's form all the same. */
function answerBadRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const code =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "RequestHeaderSectionTooLarge"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "RequestTimeout"
        : error.code === "HPE_INVALID_EOF_STATE"
          ? "IncompleteBody"
          : "BadRequest";
  const body = new S3Error(code).xml(randomBytes(8).toString("hex").toUpperCase(), "");
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
