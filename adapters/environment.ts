/**
 * The settings of the functions, one row each, and the only place that reads `process.env`. A function names those
 * it reads; `serverless.yml` sets exactly these (a test compares).
 */
const text = (value: string) => value;
const url = (value: string) => {
  if (!URL.canParse(value)) throw new Error("a URL");
  return value.replace(/\/+$/, "");
};
const wholeNumber = (value: string) => {
  if (!/^[1-9][0-9]{0,8}$/.test(value)) throw new Error("a whole number above 0");
  return Number(value);
};
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

/** `help` says what the variable holds; a row with `optional` may be absent or empty. */
export const settings = {
  UPLOADS_BUCKET: { parse: text, help: "bucket of the originals" },
  MEDIA_BUCKET: { parse: text, help: "bucket of the variants and metadata" },
  MEDIA_URL: { parse: url, help: "where the CDN serves the media bucket" },
  IMAGES_QUEUE_URL: { parse: url, help: "queue of the live uploads" },
  EVENTS_DEAD_LETTERS_URL: { parse: url, help: "queue of what nobody took" },
  EVENTS_QUEUE_URL: { parse: url, help: "queue of what is told" },
  BACKFILL_QUEUE_URL: { parse: url, help: "queue of the re-process jobs, and of what the sweep found" },
  UPLOAD_VALIDITY_SECONDS: {
    parse: wholeNumber,
    help: "how long a signed upload is accepted, 300 by default",
    optional: true,
  },
  SUPERSEDED_DAYS: {
    parse: wholeNumber,
    help: "how long superseded variants are kept, 30 by default",
    optional: true,
  },
  AUTH_SECRET: { parse: secret, help: "HS256 key of the callers' tokens", optional: true },
  AUTH_SECRET_PREVIOUS: {
    parse: secret,
    help: "the key before it, as long as tokens signed with that are accepted too",
    optional: true,
  },
  SEAL_SECRET: {
    parse: secret,
    help: "key of what clients carry for us between requests; AUTH_SECRET where absent",
    optional: true,
  },
  AUTH_JWKS_URL: { parse: url, help: "keys of RS256 or ES256 tokens", optional: true },
  AUTH_ISSUER: { parse: text, help: "`iss` of tokens verified by JWKS", optional: true },
  AUTH_AUDIENCE: { parse: text, help: "`aud` of tokens verified by JWKS", optional: true },
  WEBHOOK_URLS: { parse: urls, help: "who is told of events, spaces between", optional: true },
  WEBHOOK_SECRET: {
    parse: webhookSecrets,
    help: "signs what they are told, `whsec_…`; two with a space between while one replaces the other",
    optional: true,
  },
  WEBHOOK_ALLOW_PRIVATE: {
    parse: yesOrNo,
    help: "`true` allows receivers without TLS and at private addresses",
    optional: true,
  },
  MEDIA_DISTRIBUTION_ID: {
    parse: text,
    help: "CloudFront's, asked to forget deleted images",
    optional: true,
  },
  METRICS_SERVICE: {
    parse: text,
    help: "name under which metrics are counted; none where absent",
    optional: true,
  },
  LOG_LEVEL: { parse: text, help: "debug, info, warn or error; info by default", optional: true },
  // Set by Lambda itself, or by whoever runs us elsewhere.
  AWS_REGION: { parse: text, help: "region", runtime: true },
  AWS_ACCESS_KEY_ID: { parse: text, help: "credentials of the function's role", runtime: true },
  AWS_SECRET_ACCESS_KEY: { parse: text, help: "credentials of the function's role", runtime: true },
  AWS_SESSION_TOKEN: {
    parse: text,
    help: "credentials of the function's role",
    runtime: true,
    optional: true,
  },
  DARKROOM_CONFIG: {
    parse: text,
    help: "another file of presets than `darkroom.config.ts`; not for Lambda, where they are part of the code",
    runtime: true,
    optional: true,
  },
  AWS_ENDPOINT_URL_S3: { parse: url, help: "another S3 server than AWS's", runtime: true, optional: true },
} as const satisfies Record<string, Setting>;

interface Setting {
  /** Throws an Error whose message says what the value should be. */
  readonly parse: (value: string) => string | number | boolean | string[];
  readonly help: string;
  readonly optional?: true;
  /** Not ours to set in `serverless.yml`. */
  readonly runtime?: true;
}

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
      if (!row.optional) problems.push(`${name} is not set (${help})`);
      return [name, undefined];
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

/** The settings that a template has to provide. */
export const ownSettings: SettingName[] = (Object.keys(settings) as SettingName[]).filter(
  (name) => !("runtime" in settings[name]),
);
