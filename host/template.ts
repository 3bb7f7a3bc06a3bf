/**
 * Reads `serverless.yml` as the local stage sees it: the functions, routes, queues and CORS rules that deploy are
 * the ones that run here. Understands what that file uses: `${param:…}`, `${list:…}`, `${file(…)}`.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { listOf, parametersOf } from "../adapters/parameters.ts";
import { ENDING, OURS } from "../adapters/project.ts";

export interface QueueTemplate {
  /** As the resource is called, `ImagesQueue`. */
  readonly logicalId: string;
  readonly visibilitySeconds: number;
  readonly deadLetters?: { readonly logicalId: string; readonly maxReceives: number };
}

export interface FunctionTemplate {
  readonly name: string;
  /** Relative to the root, `functions/worker.ts` in a clone. */
  readonly file: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  /** Route keys, `GET /images/{id}`. */
  readonly routes: readonly string[];
  readonly sources: readonly {
    readonly queue: string;
    readonly batchSize: number;
    readonly concurrency: number;
  }[];
  /** Milliseconds between two turns of each of its schedules. */
  readonly schedules: readonly number[];
  /** `RecursiveLoop: Allow`: may be invoked any number of times in one chain. */
  readonly mayRecurse: boolean;
}

export interface Template {
  readonly functions: readonly FunctionTemplate[];
  readonly queues: readonly QueueTemplate[];
  readonly buckets: Readonly<Record<"uploads" | "media", string>>;
  /** API Gateway's `cors` block. */
  readonly apiCors: ApiCors;
  readonly apiThrottle: ApiThrottle;
  /** `CorsRules` and event names of the uploads bucket. */
  readonly uploadsCors: readonly BucketCorsRule[];
  readonly uploadsEvents: readonly string[];
  readonly uploadsPrefix: string;
  /** What expires in a bucket, or is tidied up. */
  readonly lifecycles: Readonly<Record<"uploads" | "media", readonly BucketLifecycleRule[]>>;
}

/** Of all routes together. */
export interface ApiThrottle {
  readonly perSecond: number;
  readonly burst: number;
}

export interface ApiCors {
  readonly allowedOrigins: string[];
  readonly allowedMethods: string[];
  readonly allowedHeaders: string[];
  readonly exposedResponseHeaders: string[];
  readonly maxAge: number;
}

export interface BucketCorsRule {
  readonly AllowedOrigins: string[];
  readonly AllowedMethods: string[];
  readonly AllowedHeaders: string[];
  readonly ExposedHeaders?: string[];
  readonly MaxAge?: number;
}

export interface BucketLifecycleRule {
  readonly Id: string;
  readonly Status: "Enabled" | "Disabled";
  readonly Prefix?: string;
  readonly ExpirationInDays?: number;
  readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation: number };
}

/** The parts of `serverless.yml` that are read here. */
interface Service {
  readonly provider: { readonly httpApi: { readonly cors: unknown } };
  readonly functions: Record<string, ServiceFunction>;
  /** `${file(deploy/infra/queues.yml)}` */
  readonly resources: readonly string[];
}
interface ServiceFunction {
  readonly handler: string;
  readonly timeout?: number;
  readonly memorySize?: number;
  readonly events?: readonly {
    readonly httpApi?: string;
    readonly sqs?: SqsEvent;
    readonly schedule?: string | { readonly rate: string; readonly enabled: boolean };
  }[];
}
interface SqsEvent {
  readonly arn: GetAtt;
  readonly batchSize?: number;
  readonly maximumConcurrency?: number | string;
}
type GetAtt = { readonly "Fn::GetAtt": readonly [string, string] };
interface Resource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
}
/** A file of resources; `extensions` change what Serverless makes of the functions. */
interface Resources {
  readonly Resources?: Readonly<Record<string, Resource>>;
  readonly extensions?: Readonly<Record<string, Pick<Resource, "Properties">>>;
}
interface QueueProperties {
  readonly VisibilityTimeout?: number;
  readonly RedrivePolicy?: { readonly deadLetterTargetArn: GetAtt; readonly maxReceiveCount: number };
}
interface BucketProperties {
  readonly CorsConfiguration?: { readonly CorsRules: BucketCorsRule[] };
  readonly NotificationConfiguration?: { readonly QueueConfigurations: readonly QueueConfiguration[] };
  readonly LifecycleConfiguration?: { readonly Rules: readonly BucketLifecycleRule[] };
}
interface QueueConfiguration {
  readonly Event: string;
  readonly Filter: {
    readonly S3Key: { readonly Rules: readonly { readonly Name: string; readonly Value: string }[] };
  };
}

export function readTemplate(root: URL = OURS): Template {
  const load = (path: string): unknown => parse(readFileSync(new URL(path, root), "utf8"), { merge: true });
  const service = load("serverless.yml") as Service;
  const params = parametersOf("local", root);
  const resources: Record<string, Resource> = {};
  const extensions: Record<string, Pick<Resource, "Properties">> = {};
  for (const reference of service.resources) {
    const path = /^\$\{file\((.+\.yml)\)\}$/.exec(reference)?.[1];
    const file = path ? (load(path) as Resources) : {};
    Object.assign(resources, file.Resources);
    Object.assign(extensions, file.extensions);
  }
  const bucket = (name: string) => resolve(resources[name]?.Properties ?? {}, params) as BucketProperties;
  const uploads = bucket("UploadsBucket");
  const notifications = uploads.NotificationConfiguration?.QueueConfigurations ?? [];
  const prefix = notifications[0]?.Filter.S3Key.Rules.find(({ Name }) => Name === "prefix")?.Value;
  return {
    functions: Object.entries(service.functions).map(([name, fn]) => ({
      ...functionOf(name, resolve(fn, params) as ServiceFunction),
      mayRecurse: extensions[logicalIdOf(name)]?.Properties?.["RecursiveLoop"] === "Allow",
    })),
    queues: Object.entries(resources)
      .filter(([, { Type }]) => Type === "AWS::SQS::Queue")
      .map(([logicalId, { Properties = {} }]) => queueOf(logicalId, Properties)),
    buckets: { uploads: localName("UploadsBucket"), media: localName("MediaBucket") },
    apiThrottle: throttleOf(resolve(extensions["HttpApiStage"]?.Properties ?? {}, params)),
    apiCors: resolve(service.provider.httpApi.cors, params) as ApiCors,
    uploadsCors: uploads.CorsConfiguration?.CorsRules ?? [],
    uploadsEvents: notifications.map(({ Event }) => Event),
    uploadsPrefix: prefix ?? "",
    lifecycles: {
      uploads: uploads.LifecycleConfiguration?.Rules ?? [],
      media: bucket("MediaBucket").LifecycleConfiguration?.Rules ?? [],
    },
  };
}

/** `${param:NAME}` and `${list:NAME}` replaced by what the local stage says. */
function resolve(value: unknown, params: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((entry) => resolve(entry, params));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, resolve(entry, params)]));
  }
  const [, source, name = ""] = /^\$\{(param|list):(\w+)\}$/.exec(String(value)) ?? [];
  if (source === undefined) return value;
  return source === "list" ? listOf(params[name]) : params[name];
}

function throttleOf(stage: unknown): ApiThrottle {
  const { DefaultRouteSettings: settings } = stage as {
    DefaultRouteSettings?: { ThrottlingRateLimit?: unknown; ThrottlingBurstLimit?: unknown };
  };
  // API Gateway's own bounds where the template sets none.
  return {
    perSecond: Number(settings?.ThrottlingRateLimit ?? 10_000),
    burst: Number(settings?.ThrottlingBurstLimit ?? 5000),
  };
}

/** As Serverless calls a function's resource: `worker` is `WorkerLambdaFunction`. */
const logicalIdOf = (name: string) => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}LambdaFunction`;

function functionOf(name: string, fn: ServiceFunction): Omit<FunctionTemplate, "mayRecurse"> {
  const events = fn.events ?? [];
  return {
    name,
    file: fn.handler.replace(/\.handler$/, ENDING),
    timeoutSeconds: fn.timeout ?? 6,
    memoryMb: fn.memorySize ?? 1024,
    routes: events.flatMap(({ httpApi }) => httpApi ?? []),
    sources: events.flatMap(({ sqs }) =>
      sqs
        ? {
            queue: sqs.arn["Fn::GetAtt"][0],
            batchSize: sqs.batchSize ?? 10,
            concurrency: Number(sqs.maximumConcurrency ?? 2),
          }
        : [],
    ),
    // One that is off until a parameter says otherwise is off here.
    schedules: events.flatMap(({ schedule }) => (typeof schedule === "string" ? everyMs(schedule) : [])),
  };
}

const UNIT_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** `rate(15 minutes)`, in the form of EventBridge. */
function everyMs(schedule: string): number {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(schedule) ?? [];
  if (!count || !unit) throw new Error(`serverless.yml: the local stack knows no schedule ${schedule}.`);
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

function queueOf(logicalId: string, { VisibilityTimeout, RedrivePolicy }: QueueProperties): QueueTemplate {
  return {
    logicalId,
    visibilitySeconds: VisibilityTimeout ?? 30,
    ...(RedrivePolicy
      ? {
          deadLetters: {
            logicalId: RedrivePolicy.deadLetterTargetArn["Fn::GetAtt"][0],
            maxReceives: RedrivePolicy.maxReceiveCount,
          },
        }
      : {}),
  };
}

/** What a queue or bucket is called on the local stack: `ImagesQueue` is `darkroom-images`. */
export function localName(logicalId: string): string {
  const words = logicalId.replace(/(Queue|Bucket)$/, "").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-");
  return `darkroom-${words.toLowerCase()}`;
}
