/** The whole system on one machine: S3, SQS, API, functions, CDN and page, wired as `serverless.yml` says. */
import { createHmac, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { GetQueueUrlCommand } from "@aws-sdk/client-sqs";
import { SignJWT } from "jose";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { errorFields, jsonLog } from "../adapters/log.ts";
import type { Scope } from "../core/caller.ts";
import { type Invoke, lambda } from "../host/lambda.ts";
import { provision } from "../host/provision.ts";
import { queueTrigger } from "../host/queue-trigger.ts";
import { scheduledEvent, startSchedule } from "../host/schedule.ts";
import { readTemplate } from "../host/template.ts";
import { watchOriginals } from "../host/watch.ts";
import { startS3 } from "../packages/local-aws/s3/server.ts";
import type { Credentials } from "../packages/local-aws/sigv4.ts";
import { startSqs } from "../packages/local-aws/sqs/server.ts";
import { apiGateway } from "./api-gateway.ts";
import { mediaServer } from "./media.ts";
import { pageServer } from "./page.ts";
import { webhookReceiver } from "./webhooks.ts";

const ROOT = new URL("../", import.meta.url);

export interface StackOptions {
  /** Of the page; API, S3, SQS and media take the next four. 0 picks free ones. */
  readonly port: number;
  /** Folder that keeps everything across restarts. */
  readonly data: string;
  /** Whether queues are consumed; a test that invokes handlers itself says false. */
  readonly poll?: boolean;
  readonly logLevel?: string;
  /** Told after each invocation, for tests that wait for one. */
  readonly onInvocation?: (name: string, event: unknown, result: unknown) => void;
  /** Fault injection for tests: an S3 answer instead of the real one. */
  readonly s3Fault?: Parameters<typeof startS3>[0]["fault"];
}

export interface Stack {
  readonly page: string;
  readonly api: string;
  readonly media: string;
  readonly s3: string;
  readonly sqs: string;
  /** What ran already and was used instead of the embedded server. */
  readonly external: { readonly s3: boolean; readonly sqs: boolean };
  readonly uploadToken: string;
  readonly adminToken: string;
  /** The functions' environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a function directly. */
  invoke(name: string, event: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Invocations of one queue at once: more would only share the same two cores. */
const LOCAL_CONCURRENCY = 2;
/** Of the events function, which waits for receivers and takes no CPU: a few that hang must not be all there are. */
const WAITING_CONCURRENCY = 8;
/** Of the user's own account: with them the SDK would pass by the credentials above. */
const NOT_OURS = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"];
/** How long Ctrl-C waits for images in development before giving them back to the queue. */
const GRACE_MS = 3000;
/** What a server that does notify is given to do so before its originals are queued a second way. */
const NOTIFY_GRACE_MS = 10_000;

export async function startStack(options: StackOptions): Promise<Stack> {
  const { data } = options;
  const logLevel = options.logLevel ?? process.env["LOG_LEVEL"] ?? "warn";
  const log = jsonLog(logLevel, { part: "local" });
  mkdirSync(data, { recursive: true });
  const template = readTemplate(ROOT);
  const given = process.env;
  const secret = keptSecret(data, given["AUTH_SECRET"]);
  const webhookSecret = given["WEBHOOK_SECRET"] || derivedWebhookSecret(secret);
  const external = { s3: Boolean(given["AWS_ENDPOINT_URL_S3"]), sqs: Boolean(given["AWS_ENDPOINT_URL_SQS"]) };
  const region = given["AWS_REGION"] ?? "us-east-1";
  const credentials = credentialsFor(external);
  const ports = portsFrom(options.port);
  const closers: (() => Promise<void>)[] = [];

  const sqsError = (error: unknown) => log("error", "sqs internal error", errorFields(error));
  const embeddedSqs = external.sqs
    ? undefined
    : await startSqs({
        data,
        port: ports.sqs,
        credentials,
        region,
        releaseInFlight: true,
        onError: sqsError,
      });
  if (embeddedSqs) closers.push(() => embeddedSqs.close());
  const sqsUrl = embeddedSqs?.url ?? given["AWS_ENDPOINT_URL_SQS"] ?? "";
  const sqs = sqsClient({ endpoint: sqsUrl, region, credentials });
  // The embedded S3 notifies the embedded queue directly, another through its API.
  const notifyForeign = async (arn: string, body: string) => {
    const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: arn.split(":").at(-1) }));
    await sqsQueue(sqs, QueueUrl).send(body);
  };
  const embeddedS3 = external.s3
    ? undefined
    : await startS3({
        data,
        port: ports.s3,
        credentials,
        region,
        log,
        notify: (arn, body) => (embeddedSqs ? embeddedSqs.send(arn, body) : notifyForeign(arn, body)),
        ...(options.s3Fault ? { fault: options.s3Fault } : {}),
      });
  if (embeddedS3) closers.push(() => embeddedS3.close());
  const s3Url = embeddedS3?.url ?? given["AWS_ENDPOINT_URL_S3"] ?? "";
  const s3 = s3Client({ endpoint: s3Url, region, credentials, forcePathStyle: true });

  const { queues, notifies } = await provision({ s3, sqs, region }, template, log);

  const media = await listen(mediaServer(s3Store(s3, template.buckets.media), log), ports.media);
  closers.push(media.close);
  const env: Record<string, string> = {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(credentials.sessionToken ? { AWS_SESSION_TOKEN: credentials.sessionToken } : {}),
    AWS_ENDPOINT_URL_S3: s3Url,
    AWS_ENDPOINT_URL_SQS: sqsUrl,
    UPLOADS_BUCKET: template.buckets.uploads,
    MEDIA_BUCKET: template.buckets.media,
    MEDIA_URL: media.url,
    IMAGES_QUEUE_URL: queues.get("ImagesQueue")?.url ?? "",
    EVENTS_QUEUE_URL: queues.get("EventsQueue")?.url ?? "",
    EVENTS_DEAD_LETTERS_URL: queues.get("EventsDeadLetters")?.url ?? "",
    // The page's own is added once it is there.
    WEBHOOK_URLS: given["WEBHOOK_URLS"] ?? "",
    WEBHOOK_SECRET: webhookSecret,
    WEBHOOK_ALLOW_PRIVATE: given["WEBHOOK_ALLOW_PRIVATE"] || "true",
    BACKFILL_QUEUE_URL: queues.get("BackfillQueue")?.url ?? "",
    AUTH_SECRET: secret,
    LOG_LEVEL: logLevel,
  };
  // The handlers read their settings where Lambda puts them. What the user set for tokens holds.
  const before = new Map([...NOT_OURS, ...Object.keys(env)].map((name) => [name, process.env[name]]));
  for (const name of NOT_OURS) delete process.env[name];
  Object.assign(process.env, env);

  const functions = new Map<string, Invoke>();
  const routes = new Map<string, Invoke>();
  for (const fn of template.functions) {
    const run = lambda(fn, ROOT);
    const invoke: Invoke = async (event) => {
      const result = await run(event);
      options.onInvocation?.(fn.name, event, result);
      return result;
    };
    functions.set(fn.name, invoke);
    for (const route of fn.routes) routes.set(route, invoke);
  }
  const api = await listen(apiGateway(routes, template.apiCors, log), ports.api);
  closers.push(api.close);

  const token = (scope: string, hours: number) => mintToken(secret, scope, hours);
  const where = { api: api.url, media: media.url, s3: s3Url, sqs: sqsUrl };
  const receiver = webhookReceiver(webhookSecret.split(/[\s,]+/)[0] ?? "");
  const page = await listen(
    withWebhooks(
      receiver,
      pageServer(
        where,
        async () => ({
          ...where,
          // Within the hour that a token in a path may live.
          uploadToken: await token("upload", 1),
          adminToken: await token("upload admin", 1),
        }),
        log,
      ),
    ),
    ports.page,
  );
  closers.push(page.close);

  // Read by the events function at its first invocation, which is yet to come.
  env["WEBHOOK_URLS"] = `${page.url}/webhooks ${env["WEBHOOK_URLS"]}`.trim();
  process.env["WEBHOOK_URLS"] = env["WEBHOOK_URLS"];

  const stoppers: (() => Promise<void>)[] = [];
  for (const fn of options.poll === false ? [] : template.functions) {
    for (const source of fn.sources) {
      const [invoke, queue] = [functions.get(fn.name), queues.get(source.queue)];
      if (!invoke || !queue)
        throw new Error(`${fn.name} is to consume ${source.queue}, which no file in deploy/infra/ declares.`);
      const trigger = queueTrigger(invoke, {
        queue: sqsQueue(sqs, queue.url),
        arn: queue.arn,
        batchSize: source.batchSize,
        concurrency: Math.min(
          source.concurrency,
          fn.name === "events" ? WAITING_CONCURRENCY : LOCAL_CONCURRENCY,
        ),
        log,
      });
      stoppers.push(() => trigger.close(GRACE_MS));
    }
    const invoke = functions.get(fn.name);
    for (const everyMs of invoke ? fn.schedules : []) {
      const schedule = startSchedule(async () => void (await invoke?.(scheduledEvent())), everyMs, log);
      stoppers.push(async () => schedule.stop());
    }
  }
  if ((external.s3 || !notifies) && options.poll !== false) {
    const watch = watchOriginals({
      uploads: s3Store(s3, template.buckets.uploads),
      media: s3Store(s3, template.buckets.media),
      queue: sqsQueue(sqs, env["IMAGES_QUEUE_URL"] ?? ""),
      bucket: template.buckets.uploads,
      graceMs: notifies ? NOTIFY_GRACE_MS : 0,
      log,
    });
    stoppers.push(() => watch.close());
  }

  const tokens = { uploadToken: await token("upload", 12), adminToken: await token("upload admin", 12) };
  const noteFile = join(data, "local.json");
  // For the command line; credentials of the user's own stay where they are.
  const own = external.s3 || external.sqs ? {} : { credentials };
  const { buckets } = template;
  const imagesQueue = env["IMAGES_QUEUE_URL"];
  const note = { page: page.url, ...where, region, buckets, imagesQueue, webhookSecret, ...own, ...tokens };
  writePrivate(noteFile, JSON.stringify(note, undefined, 2));
  return {
    page: page.url,
    ...where,
    ...tokens,
    external,
    env,
    invoke: (name, event) => {
      const invoke = functions.get(name);
      if (!invoke) throw new Error(`There is no function called ${name}.`);
      return invoke(event);
    },
    async close() {
      rmSync(noteFile, { force: true });
      await Promise.all(stoppers.map((stop) => stop()));
      for (const close of closers.reverse()) await close();
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      s3.destroy();
      sqs.destroy();
    },
  };
}

const withWebhooks =
  (receiver: RequestListener, page: RequestListener): RequestListener =>
  (request, response) =>
    (/^\/webhooks(\.json)?(\?|$)/.test(request.url ?? "") ? receiver : page)(request, response);

/** Consecutive ports, so that URLs kept in metadata stay right across restarts. */
function portsFrom(port: number) {
  const at = (offset: number) => (port === 0 ? 0 : port + offset);
  return { page: at(0), api: at(1), s3: at(2), sqs: at(3), media: at(4) };
}

function credentialsFor(external: Stack["external"]): Credentials {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env;
  if (external.s3 || external.sqs) {
    if (accessKeyId && secretAccessKey) {
      return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
    }
    throw new Error(
      "AWS_ENDPOINT_URL_S3 or _SQS is set: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for it too.",
    );
  }
  // Never the user's own: the embedded servers have one account, and nothing here may reach AWS.
  return { accessKeyId: "darkroom", secretAccessKey: "darkroom-local-secret" };
}

/** The user's own, so that a back end can mint tokens with it; else one made at the first start. */
function keptSecret(data: string, own: string | undefined): string {
  const file = join(data, "secret");
  if (own) writePrivate(file, own);
  if (!existsSync(file)) writePrivate(file, randomBytes(48).toString("base64url"));
  return readFileSync(file, "utf8");
}

function derivedWebhookSecret(secret: string): string {
  return `whsec_${createHmac("sha256", secret).update("webhooks").digest("base64")}`;
}

function writePrivate(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
}

async function mintToken(secret: string, scope: string, hours: number): Promise<string> {
  return new SignJWT({ scope: scope satisfies string as Scope })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("local")
    .setIssuedAt()
    .setExpirationTime(`${hours}h`)
    .sign(new TextEncoder().encode(secret));
}

/** On the loopback only: nothing here is meant for others. */
async function listen(
  listener: RequestListener,
  port: number,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new Error(`Port ${port} is in use. Stop what uses it, or set PORT.`)
          : error,
      ),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, close };
}
