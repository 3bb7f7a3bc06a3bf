/** The whole system on one machine: S3, SQS, API, functions, CDN and page, wired as `serverless.yml` says. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { s3Store } from "../adapters/aws/s3-store.ts";
import { sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { jsonLog } from "../adapters/log.ts";
import { fileOfOurs, OURS } from "../adapters/project.ts";
import type { Log } from "../core/ports.ts";
import { accountOf } from "../host/concurrency.ts";
import { type HostedFunction, startEventSources } from "../host/event-sources.ts";
import { type Invoke, lambda } from "../host/lambda.ts";
import { type Note, noteFile } from "../host/note.ts";
import { type Provisioned, type ProvisionedQueue, provision } from "../host/provision.ts";
import { settingsFrom } from "../host/settings.ts";
import { readTemplate, type Template } from "../host/template.ts";
import { watchOriginals } from "../host/watch.ts";
import { apiGateway } from "./api-gateway.ts";
import { cloudFront, Edge } from "./edge.ts";
import { type Listening, listen } from "./listen.ts";
import { mediaServer } from "./media.ts";
import { pageServer } from "./page.ts";
import { derivedWebhookSecret, keptCdnKey, keptSecret, mintTokens, writePrivate } from "./secrets.ts";
import { type Faults, type Servers, startServers } from "./servers.ts";
import { webhookReceiver } from "./webhooks.ts";

export interface StackOptions extends Faults {
  /** Of the page; API, S3, SQS and media take the next four. 0 picks free ones. */
  readonly port: number;
  /** Folder that keeps everything across restarts. */
  readonly data: string;
  /** Whether queues are consumed; a test that invokes handlers itself says false. */
  readonly poll?: boolean;
  readonly logLevel?: string;
  /** Invocations at once, of all functions together: a new AWS account has 10, most have 1,000. */
  readonly accountConcurrency?: number;
  /** Another release, for tests of an update: its template and its functions' code. */
  readonly release?: URL;
  /** Told after each invocation, for tests that wait for one. */
  readonly onInvocation?: (name: string, event: unknown, result: unknown) => void;
}

export interface Stack {
  readonly page: string;
  readonly api: string;
  readonly media: string;
  readonly s3: string;
  readonly sqs: string;
  /** What ran already and was used instead of the embedded server. */
  readonly external: Servers["external"];
  readonly uploadToken: string;
  readonly adminToken: string;
  /** The functions' environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a function directly. */
  invoke(name: string, event: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Of the user's own account: with them the SDK would pass by the stack's credentials. */
const NOT_OURS = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"];
/** How long Ctrl-C waits for images in development before giving them back to the queue. */
const GRACE_MS = 3000;
/** What a server that does notify is given to do so before its originals are queued a second way. */
const NOTIFY_GRACE_MS = 10_000;

/** @throws Error with a sentence for the user, where a port is in use or a setting is missing */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { data, release = OURS } = options;
  const logLevel = options.logLevel ?? process.env["LOG_LEVEL"] ?? "warn";
  const log = jsonLog(logLevel, { part: "local" });
  mkdirSync(data, { recursive: true });
  const secret = keptSecret(data, process.env["AUTH_SECRET"]);
  const webhookSecret = process.env["WEBHOOK_SECRET"] || derivedWebhookSecret(secret);
  const ports = portsFrom(options.port);
  const template = readTemplate(release);
  const { buckets } = template;

  const servers = await startServers({ ...options, ports, log });
  const provisioned = await provision(servers, template, log);
  const edge = new Edge(s3Store(servers.s3, buckets.media));
  const cdnKey = keptCdnKey(data);
  const keys = new Map([[cdnKey.id, cdnKey.publicKey]]);
  const media = await listen(cloudFront(edge, mediaServer(edge, keys, log)), ports.media);
  const settings: Record<string, string> = {
    ...settingsFrom(refsOf(provisioned.queues, buckets), {
      mediaUrl: media.url,
      authSecret: secret,
      webhookSecret,
      cdnKeyId: cdnKey.id,
      cdnPrivateKey: cdnKey.privateKey,
    }),
    COOKIE_DOMAIN: "localhost",
    WEBHOOK_URLS: process.env["WEBHOOK_URLS"] ?? "",
    WEBHOOK_ALLOW_PRIVATE: process.env["WEBHOOK_ALLOW_PRIVATE"] || "true",
    IMPORTS_ALLOW_PRIVATE: process.env["IMPORTS_ALLOW_PRIVATE"] || "true",
  };
  const env: Record<string, string> = {
    ...connectionOf(servers),
    AWS_ENDPOINT_URL_CLOUDFRONT: media.url,
    ...settings,
    LOG_LEVEL: logLevel,
  };
  const restoreEnvironment = setEnvironment(env);
  const functions = functionsOf(template, options);
  const gateway = apiGateway(routesOf(functions), template.apiCors, log, template.apiThrottle);
  const api = await listen(gateway, ports.api);
  const where = { api: api.url, media: media.url, s3: servers.s3Url, sqs: servers.sqsUrl };
  const page = await startPage(where, { secret, webhookSecret, port: ports.page, log });
  // Read by the events function at its first invocation, which is yet to come.
  const receivers = `${page.url}/webhooks ${settings["WEBHOOK_URLS"]}`.trim();
  for (const at of [settings, env, process.env]) at["WEBHOOK_URLS"] = receivers;
  for (const at of [settings, env, process.env]) at["API_URL"] = api.url;
  const events =
    options.poll === false ? undefined : startEvents(functions, servers, provisioned, template, log);

  const tokens = await mintTokens(secret, 12);
  const { region, credentials, external } = servers;
  const own = external.s3 || external.sqs ? {} : { credentials };
  const imagesQueue = settings["IMAGES_QUEUE_URL"] ?? "";
  const config = { region, buckets, imagesQueue, settings, ...own };
  const note: Note = { page: page.url, ...where, ...tokens, ...config };
  writePrivate(noteFile(data), JSON.stringify(note, undefined, 2));
  return {
    page: page.url,
    ...where,
    ...tokens,
    external,
    env,
    async invoke(name, event) {
      const found = functions.find(({ template: fn }) => fn.name === name);
      if (!found) throw new Error(`There is no function called ${name}.`);
      return found.invoke(event);
    },
    async close() {
      rmSync(noteFile(data), { force: true });
      await events?.close();
      for (const one of [page, api, media, servers]) await one.close();
      restoreEnvironment();
    },
  };
}

/** Consecutive ports, so that URLs kept in metadata stay right across restarts. */
function portsFrom(port: number) {
  const at = (offset: number) => (port === 0 ? 0 : port + offset);
  return { page: at(0), api: at(1), s3: at(2), sqs: at(3), media: at(4) };
}

/** How the functions reach S3 and SQS. */
function connectionOf({ s3Url, sqsUrl, region, credentials }: Servers) {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    ...(sessionToken ? { AWS_SESSION_TOKEN: sessionToken } : {}),
    AWS_ENDPOINT_URL_S3: s3Url,
    AWS_ENDPOINT_URL_SQS: sqsUrl,
    // With a name AWS's clients hand the chain of invocations on, as they do on Lambda.
    AWS_LAMBDA_FUNCTION_NAME: "local",
  };
}

/** As CloudFormation's `Ref` has them. */
const refsOf = (queues: ReadonlyMap<string, ProvisionedQueue>, { uploads, media }: Template["buckets"]) =>
  new Map([
    ...[...queues].map(([id, { url }]) => [id, url] as const),
    ["UploadsBucket", uploads],
    ["MediaBucket", media],
    ["MediaDistribution", "ELOCAL"],
  ]);

/**
 * The handlers read their settings where Lambda puts them. What the user set for tokens holds.
 * @returns puts back what was there
 */
function setEnvironment(env: Readonly<Record<string, string>>): () => void {
  const before = [...NOT_OURS, ...Object.keys(env)].map((name) => [name, process.env[name]] as const);
  for (const name of NOT_OURS) delete process.env[name];
  Object.assign(process.env, env);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

function functionsOf(
  template: Template,
  { release = OURS, onInvocation, accountConcurrency }: StackOptions,
): HostedFunction[] {
  const most = accountConcurrency ?? (Number(process.env["ACCOUNT_CONCURRENCY"]) || 1000);
  const bounded = accountOf(most);
  return template.functions.map((fn) => {
    const run = bounded(lambda(fn, release));
    const invoke: Invoke = async (event, chain) => {
      const result = await run(event, chain);
      onInvocation?.(fn.name, event, result);
      return result;
    };
    return { template: fn, invoke };
  });
}

function routesOf(functions: readonly HostedFunction[]): ReadonlyMap<string, Invoke> {
  const routes = functions.flatMap(({ template, invoke }) =>
    template.routes.map((route) => [route, invoke] as const),
  );
  return new Map([["GET /openapi.json", describe], ...routes]);
}

/** The API's description, with this stack as its first server. */
const describe: Invoke = async (event) => {
  const { requestContext } = event as APIGatewayProxyEventV2;
  const json = JSON.parse(readFileSync(fileOfOurs("docs/openapi.json"), "utf8"));
  const servers = [{ url: `http://${requestContext.domainName}` }, ...json.servers];
  return { headers: { "content-type": "application/json" }, body: JSON.stringify({ ...json, servers }) };
};

/** With the receiver of webhooks beside it. */
function startPage(
  where: Pick<Stack, "api" | "media" | "s3" | "sqs">,
  options: { secret: string; webhookSecret: string; port: number; log: Log },
): Promise<Listening> {
  const receiver = webhookReceiver(options.webhookSecret.split(/[\s,]+/)[0] ?? "");
  // Within the hour that a token in a path may live.
  const local = async () => ({ ...where, ...(await mintTokens(options.secret, 1)) });
  const page = pageServer(where, local, options.log);
  return listen(
    (request, response) =>
      (/^\/webhooks(\.json)?(\?|$)/.test(request.url ?? "") ? receiver : page)(request, response),
    options.port,
  );
}

/** Queues and schedules, and originals by listing where the S3 server is not ours. */
function startEvents(
  functions: readonly HostedFunction[],
  { s3, sqs, external }: Servers,
  { queues, notifies }: Provisioned,
  { buckets }: Template,
  log: Log,
): { close(): Promise<void> } {
  const sources = startEventSources(functions, { sqs, queues, guarded: true, log });
  const watch =
    external.s3 || !notifies
      ? watchOriginals({
          uploads: s3Store(s3, buckets.uploads),
          media: s3Store(s3, buckets.media),
          queue: sqsQueue(sqs, queues.get("ImagesQueue")?.url ?? ""),
          bucket: buckets.uploads,
          graceMs: notifies ? NOTIFY_GRACE_MS : 0,
          log,
        })
      : undefined;
  return { close: async () => void (await Promise.all([sources.close(GRACE_MS), watch?.close()])) };
}
