/**
 * The settings of the functions, one row each, and the only place that reads `process.env`. The rows are all there is:
 * `serverless.yml`, the laptop and the worker process give each function what the rows say. A test compares them with what
 * the functions' code reads.
 */
import type { ParameterName } from "./parameters.ts";

const text = (value: string) => value;
const url = (value: string) => {
  if (!URL.canParse(value)) throw new Error("a URL");
  return value.replace(/\/+$/, "");
};
const wholeNumber = (value: string) => {
  if (!/^[1-9][0-9]{0,8}$/.test(value)) throw new Error("a whole number above 0");
  return Number(value);
};
/** 0 where there is no end to them. */
const daysOrNone = (value: string) => (value === "0" ? 0 : wholeNumber(value));
const secret = (value: string) => {
  // RFC 7518 3.2: an HS256 key has at least 256 bits.
  if (new TextEncoder().encode(value).length < 32) throw new Error("at least 32 bytes");
  return value;
};

const words = (value: string) => value.split(/[\s,]+/);
const urls = (value: string) => {
  const list = words(value);
  if (!list.every((one) => /^https?:/i.test(one) && URL.canParse(one)))
    throw new Error("URLs with spaces between");
  return list;
};
/** Standard Webhooks: 24 to 64 bytes. */
const webhookSecrets = (value: string) => {
  const list = words(value);
  if (!list.every((one) => /^(whsec_)?[A-Za-z0-9+/]{32,88}={0,2}$/.test(one)))
    throw new Error("24 to 64 bytes in base64, several with spaces between");
  return list;
};
const yesOrNo = (value: string) => {
  if (value !== "true" && value !== "false") throw new Error("true or false");
  return value === "true";
};

const oneOf =
  <T extends string>(...values: T[]) =>
  (value: string): T => {
    const found = values.find((one) => one === value);
    if (found === undefined) throw new Error(values.join(" or "));
    return found;
  };

/** Of who authenticates callers. */
const API: FunctionName[] = ["presign", "multipart", "images", "reprocess", "webhooks"];
/** Of who signs uploads. */
const SIGNING: FunctionName[] = ["presign", "multipart"];

export const settings = {
  UPLOADS_BUCKET: {
    parse: text,
    help: "bucket of the originals",
    for: [...API, "worker", "failures", "sweep", "events", "parked", "imports"],
    from: { ref: "UploadsBucket" },
  },
  MEDIA_BUCKET: {
    parse: text,
    help: "bucket of the variants and metadata",
    for: ["images", "reprocess", "worker", "failures", "sweep", "parked", "webhooks", "imports"],
    from: { ref: "MediaBucket" },
  },
  MEDIA_URL: {
    parse: url,
    help: "where the CDN serves the media bucket",
    for: ["images", "worker", "parked"],
    from: { value: "mediaUrl" },
  },
  CDN_KEY_ID: {
    parse: text,
    help: "public key by which the CDN verifies what is signed for private images",
    optional: true,
    for: ["images"],
    from: { value: "cdnKeyId" },
  },
  CDN_PRIVATE_KEY: {
    parse: text,
    help: "its private key: RSA of 2,048 bits, PKCS #8 in base64; of Bunny the token authentication key",
    optional: true,
    for: ["images"],
    from: { value: "cdnPrivateKey" },
  },
  COOKIE_DOMAIN: {
    parse: text,
    help: "domain of the cookies for private images; without it their values are told, and none is set",
    optional: true,
    for: ["images"],
    from: { param: "cookieDomain" },
  },
  IMAGES_QUEUE_URL: {
    parse: url,
    help: "queue of the live uploads",
    for: ["images", "worker"],
    from: { ref: "ImagesQueue" },
  },
  EVENTS_DEAD_LETTERS_URL: {
    parse: url,
    help: "queue of what nobody took",
    for: ["webhooks"],
    from: { ref: "EventsDeadLetters" },
  },
  EVENTS_QUEUE_URL: {
    parse: url,
    help: "queue of what is told",
    for: ["images", "worker", "failures", "sweep", "events", "webhooks", "parked"],
    from: { ref: "EventsQueue" },
  },
  BACKFILL_QUEUE_URL: {
    parse: url,
    help: "queue of the re-process jobs, and of what the sweep found",
    for: ["reprocess", "worker", "sweep"],
    from: { ref: "BackfillQueue" },
  },
  IMPORTS_QUEUE_URL: {
    parse: url,
    help: "queue of the URLs to import",
    for: ["reprocess", "imports"],
    from: { ref: "ImportsQueue" },
  },
  UPLOAD_VALIDITY_SECONDS: {
    parse: wholeNumber,
    default: 300,
    help: "how long a signed upload is accepted, in seconds",
    for: SIGNING,
    from: { param: "validity" },
  },
  UPLOADS_BY: {
    parse: oneOf("any", "put"),
    default: "any",
    help: "`put` where the S3 server takes no forms: all in one piece is signed as PUT",
    for: SIGNING,
    from: { param: "uploadsBy" },
  },
  WORKERS: {
    parse: wholeNumber,
    default: 120,
    help: "images developed at once, to tell when to ask again for one",
    for: ["images"],
    from: { param: "workers" },
  },
  SUPERSEDED_DAYS: {
    parse: wholeNumber,
    default: 30,
    help: "how long superseded variants are kept, in days",
    for: ["sweep"],
    from: { param: "supersededDays" },
  },
  ORIGINALS_DAYS: {
    parse: daysOrNone,
    default: 0,
    help: "how long originals are kept, in days; 0 is for ever",
    for: ["worker", "failures", "sweep"],
    from: { param: "originalsDays" },
  },
  REJECTED_DAYS: {
    parse: daysOrNone,
    default: 30,
    help: "how long originals of rejected images are kept, in days; 0 is for ever",
    for: ["sweep"],
    from: { param: "rejectedDays" },
  },
  AUTH_SECRET: {
    parse: secret,
    help: "HS256 key of the callers' tokens",
    optional: true,
    for: [...API, "probe"],
    from: { value: "authSecret" },
  },
  AUTH_SECRET_PREVIOUS: {
    parse: secret,
    help: "the key before it, as long as tokens signed with that are accepted too",
    optional: true,
    for: API,
    from: { value: "authPreviousSecret" },
  },
  API_URL: {
    parse: url,
    help: "the API, for a picture that goes the whole way now and then",
    optional: true,
    for: ["probe"],
    from: { value: "apiUrl" },
  },
  SEAL_SECRET: {
    parse: secret,
    help: "key of what clients carry for us between requests; AUTH_SECRET where absent",
    optional: true,
    for: SIGNING,
    from: { value: "sealSecret" },
  },
  AUTH_JWKS_URL: {
    parse: url,
    help: "keys of RS256 or ES256 tokens",
    optional: true,
    for: API,
    from: { param: "authJwksUrl" },
  },
  AUTH_ISSUER: {
    parse: text,
    help: "`iss` of tokens verified by JWKS",
    optional: true,
    for: API,
    from: { param: "authIssuer" },
  },
  AUTH_AUDIENCE: {
    parse: text,
    help: "`aud` of tokens verified by JWKS",
    optional: true,
    for: API,
    from: { param: "authAudience" },
  },
  WEBHOOK_URLS: {
    parse: urls,
    help: "who is told of events, spaces between",
    optional: true,
    for: ["events", "parked", "webhooks"],
    from: { param: "webhookUrls" },
  },
  WEBHOOK_SECRET: {
    parse: webhookSecrets,
    help: "signs what they are told, `whsec_…`; two with a space between while one replaces the other",
    optional: true,
    for: ["events"],
    from: { value: "webhookSecret" },
  },
  WEBHOOK_ALLOW_PRIVATE: {
    parse: yesOrNo,
    default: false,
    help: "`true` allows receivers without TLS and at private addresses",
    for: ["events"],
    from: { param: "webhookAllowPrivate" },
  },
  MEDIA_DISTRIBUTION_ID: {
    parse: text,
    help: "CloudFront's, asked to forget deleted images",
    optional: true,
    for: ["parked"],
    from: { ref: "MediaDistribution" },
  },
  METRICS_SERVICE: {
    parse: text,
    help: "name under which metrics are counted; none where absent",
    optional: true,
    for: ["worker", "failures", "sweep", "events", "parked", "probe", "imports"],
    from: { ref: "AWS::StackName" },
  },
  LOG_LEVEL: {
    parse: text,
    default: "info",
    help: "debug, info, warn or error",
    for: "all",
    from: { param: "logLevel" },
  },
  IMPORTS_ALLOW_PRIVATE: {
    parse: yesOrNo,
    default: false,
    help: "`true` also imports from private addresses; not for Lambda, where nothing but its own endpoints has one",
  },
  // Set by Lambda itself, or by whoever runs us elsewhere.
  AWS_REGION: { parse: text, help: "region" },
  AWS_ACCESS_KEY_ID: { parse: text, help: "credentials of the function's role" },
  AWS_SECRET_ACCESS_KEY: { parse: text, help: "credentials of the function's role" },
  AWS_SESSION_TOKEN: { parse: text, help: "credentials of the function's role", optional: true },
  DARKROOM_CONFIG: {
    parse: text,
    help: "another file of presets than `darkroom.config.ts`; not on Lambda, where they are part of the code",
    optional: true,
  },
  CDN: {
    parse: oneOf("cloudflare", "bunny", "fastly"),
    help: "another CDN than CloudFront: `cloudflare`, `bunny` or `fastly`",
    optional: true,
  },
  CDN_ZONE: { parse: text, help: "Cloudflare's zone, or Fastly's service", default: "" },
  CDN_TOKEN: { parse: text, help: "of its API, which is asked to forget deleted images", default: "" },
  AWS_ENDPOINT_URL_S3: { parse: url, help: "another S3 server than AWS's", optional: true },
} as const satisfies Record<string, Setting>;

type FunctionName =
  | "presign"
  | "multipart"
  | "images"
  | "reprocess"
  | "worker"
  | "parked"
  | "failures"
  | "sweep"
  | "events"
  | "webhooks"
  | "imports"
  | "probe";

export interface Setting {
  /** Throws an Error whose message says what the value should be. */
  readonly parse: (value: string) => string | number | boolean | string[];
  /** What the variable holds. */
  readonly help: string;
  /** Where it is absent or empty. */
  readonly default?: string | number | boolean;
  /** May be absent or empty. */
  readonly optional?: true;
  /** The functions that read it: these are given it, and no others. Absent, with `from`: not ours to give. */
  readonly for?: readonly FunctionName[] | "all";
  /**
   * Its value on AWS: what CloudFormation calls `ref`, a parameter of the deployment, or one of `custom.values` in
   * `serverless.yml`. Elsewhere `host/settings.ts` has a queue or bucket for the `ref`, and what the host gives for the rest.
   */
  readonly from?: Source;
}
export type Source =
  | { readonly ref: string }
  | { readonly param: ParameterName }
  | { readonly value: string };

export type SettingName = keyof typeof settings;
type Settings = {
  [N in SettingName]:
    | ReturnType<(typeof settings)[N]["parse"]>
    | ((typeof settings)[N] extends { optional: true } ? undefined : never);
};

/** Reads the named settings. Throws one Error that names every one that is missing or wrong. */
export function environment<N extends SettingName>(...names: N[]): Pick<Settings, N> {
  const problems: string[] = [];
  const read = names.map((name) => {
    const { parse, help, ...row }: Setting = settings[name];
    const value = process.env[name]?.trim();
    if (!value) {
      if (!row.optional && row.default === undefined) problems.push(`${name} is not set (${help})`);
      return [name, row.default];
    }
    try {
      return [name, parse(value)];
    } catch (error) {
      problems.push(`${name} must be ${(error as Error).message} (${help})`);
      return [name, undefined];
    }
  });
  if (problems.length > 0)
    throw new Error(`Settings:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
  return Object.fromEntries(read);
}

/** Those that are ours to give, with their rows. */
export const ownSettings = (Object.entries(settings) as [SettingName, Setting][]).flatMap(
  ([name, { for: readers, from }]) => (readers && from ? [{ name, readers, from }] : []),
);

export const settingsOf = (fn: string) =>
  ownSettings.filter(({ readers }) => readers === "all" || readers.some((reader) => reader === fn));
