/**
 * What whoever deploys may set, a row each: with `--param NAME=value`, or in `darkroom.deploy.yml`, which is the user's own.
 * `serverless.yml` takes its parameters from here, the plugin checks them before it packages.
 */
import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";

interface Parameter {
  readonly default: string;
  /** On the laptop, where it differs. */
  readonly local?: string;
  readonly help: string;
  /** Says what the value should be, where it is not. */
  readonly check: (value: string) => string | undefined;
}

const matches =
  (pattern: RegExp, what: string, empty = false) =>
  (value: string) =>
    (empty && value === "") || pattern.test(value) ? undefined : what;
const whole = (from: number, to: number) => (value: string) =>
  /^[0-9]{1,9}$/.test(value) && Number(value) >= from && Number(value) <= to
    ? undefined
    : `a whole number from ${from} to ${to}`;
const oneOf =
  (...values: string[]) =>
  (value: string) =>
    values.includes(value) ? undefined : values.join(", ");

/** As browsers send it: scheme, host, port, and nothing behind. `*` would open the API and the bucket to every page. */
const ORIGIN = /^https?:\/\/[a-z0-9.-]+(:[0-9]{1,5})?$/;
/** What CloudWatch Logs takes, up to ten years. */
const LOG_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** Closed until said otherwise: a name that never resolves (RFC 2606, 2), so no page in a browser may upload. */
const NO_ORIGIN = "https://origins-not-set.invalid";

export const parameters = {
  origins: {
    default: NO_ORIGIN,
    local: "http://localhost:*,http://127.0.0.1:*",
    help: "pages that may upload: origins, several with commas between",
    check: matches(ORIGIN, "an origin such as https://app.example.com"),
  },
  authJwksUrl: {
    default: "",
    help: "keys of your identity provider; in place of a secret of the stack's own",
    check: matches(/^https:\/\/\S+$/, "an https URL", true),
  },
  authIssuer: {
    default: "",
    help: "`iss` of its tokens",
    check: () => undefined,
  },
  authAudience: {
    default: "",
    help: "`aud` of its tokens",
    check: () => undefined,
  },
  authSecretVersion: {
    default: "",
    help: "version of the tokens' secret, after you changed it",
    check: matches(/^[A-Za-z0-9-]{32,64}$/, "a version id of Secrets Manager", true),
  },
  authSecretPrevious: {
    default: "false",
    help: "version whose tokens are accepted too, while yours change; `true` is the one that was current before",
    check: matches(/^(true|false|[A-Za-z0-9-]{32,64})$/, "a version id of Secrets Manager, true or false"),
  },
  webhookUrls: {
    default: "",
    help: "who is told of events: https URLs, several with commas between",
    check: matches(/^https:\/\/[^\s,]+(,\s*https:\/\/[^\s,]+)*$/, "https URLs with commas between", true),
  },
  webhookSecretVersion: {
    default: "",
    help: "version of the webhooks' secret, after you changed it",
    check: matches(/^[A-Za-z0-9-]{32,64}$/, "a version id of Secrets Manager", true),
  },
  webhookSecretPrevious: {
    default: "",
    help: "version that signs webhooks too, while your receivers change",
    check: matches(/^[A-Za-z0-9-]{32,64}$/, "a version id of Secrets Manager", true),
  },
  webhookAllowPrivate: {
    default: "false",
    local: "true",
    help: "whether webhooks may go to private addresses, as in a VPC of your own",
    check: oneOf("true", "false"),
  },
  domain: {
    default: "",
    help: "your own domain for the images",
    check: matches(/^([a-z0-9-]+\.)+[a-z]{2,}$/, "a domain such as images.example.com", true),
  },
  certificate: {
    default: "",
    help: "its certificate, of ACM in us-east-1",
    check: matches(
      /^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate\/\S+$/,
      "the ARN of a certificate in us-east-1",
      true,
    ),
  },
  apiDomain: {
    default: "",
    help: "your own domain for the API",
    check: matches(/^([a-z0-9-]+\.)+[a-z]{2,}$/, "a domain such as api.example.com", true),
  },
  apiCertificate: {
    default: "",
    help: "its certificate, of ACM in the stack's region; in us-east-1 where there is a webAcl",
    check: matches(/^arn:aws:acm:[a-z0-9-]+:[0-9]{12}:certificate\/\S+$/, "the ARN of a certificate", true),
  },
  webAcl: {
    default: "",
    help: "a WAF before the API and the CDN: ARN of a web ACL for CloudFront, as deploy/web-acl.yml makes one",
    check: matches(
      /^arn:aws:wafv2:us-east-1:[0-9]{12}:global\/webacl\/\S+$/,
      "the ARN of a web ACL for CloudFront",
      true,
    ),
  },
  cookieDomain: {
    default: "",
    local: "localhost",
    help: "domain that both the API's and the images' are of, for cookies that the API itself sets for private images",
    check: matches(/^([a-z0-9-]+\.)*[a-z]{2,}$/, "a domain such as example.com", true),
  },
  cdnKey: {
    default: "1",
    help: "which key signs for private images: one more than before changes it (docs/deploy.md)",
    check: whole(1, 1_000_000),
  },
  alarmEmail: {
    default: "",
    help: "who is told of alarms; AWS asks that address to confirm",
    check: matches(/^\S+@\S+\.\S+$/, "an e-mail address", true),
  },
  probeMinutes: {
    default: "0",
    help: "minutes from one to the next tiny picture that is sent the whole way and measured; 0 is none",
    check: (value) =>
      value === "0" ? undefined : whole(5, 1440)(value) && "0, or a whole number from 5 to 1440",
  },
  budgetDollars: {
    default: "0",
    help: "US dollars a month of this stack beyond which you are told, as of alarms; 0 is no budget",
    check: whole(0, 10_000_000),
  },
  validity: {
    default: "300",
    help: "seconds that a signed upload is accepted",
    check: whole(60, 900),
  },
  uploadsBy: {
    default: "any",
    help: "`put` signs no forms, for S3 servers that take none",
    check: oneOf("any", "put"),
  },
  requestsPerSecond: {
    default: "100",
    help: "of the API, all callers together",
    check: whole(1, 10_000),
  },
  requestBurst: {
    default: "200",
    help: "of the API, at once",
    check: whole(1, 5_000),
  },
  workers: {
    // So that ten hours of uploads at one a second, kept back by an outage, are ready 20 minutes after it (bench/outage.ts).
    default: "120",
    help: "Lambdas at once that develop uploads",
    check: whole(2, 1_000),
  },
  backfillWorkers: {
    default: "10",
    help: "Lambdas at once that develop jobs",
    check: whole(2, 1_000),
  },
  gradual: {
    default: "false",
    help: "`true`: a new worker takes a tenth of the images for ten minutes first, and goes back where it fails",
    check: oneOf("true", "false"),
  },
  supersededDays: {
    default: "30",
    help: "days that variants of an earlier recipe are kept, for pages that name them",
    check: whole(1, 3650),
  },
  originalsColdDays: {
    default: "0",
    help: "days after which originals are moved to a colder class of S3; 0 is never",
    check: whole(0, 3650),
  },
  originalsColdClass: {
    default: "INTELLIGENT_TIERING",
    help: "that class, of those that are read at once",
    check: oneOf("INTELLIGENT_TIERING", "STANDARD_IA", "GLACIER_IR"),
  },
  originalsDays: {
    default: "0",
    help: "days after which originals are let go, so that nothing new can be made of them; 0 is never",
    check: whole(0, 36_500),
  },
  rejectedDays: {
    default: "30",
    help: "days after which the originals of rejected images are let go; 0 is never",
    check: whole(0, 3650),
  },
  undoDays: {
    default: "0",
    help: "days that what is deleted can be brought back by `darkroom undelete`, and is paid for; 0 is never. A tombstone stands for 15",
    check: whole(0, 14),
  },
  logLevel: {
    default: "info",
    help: "of the functions",
    check: oneOf("debug", "info", "warn", "error"),
  },
  logDays: {
    default: "30",
    help: "days that logs are kept",
    check: oneOf(...LOG_DAYS.map(String)),
  },
  tracing: {
    default: "PassThrough",
    help: "X-Ray: `Active` traces, `PassThrough` does not",
    check: oneOf("Active", "PassThrough"),
  },
  bucketSuffix: {
    default: "",
    help: "of the buckets' names, for a new stack beside buckets that were kept; refused on a live one",
    check: matches(/^-[a-z0-9]{1,8}$/, "a dash and up to eight letters or digits", true),
  },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof parameters;

/**
 * What a stage is deployed with where no `--param` says otherwise: the rows' defaults, and over them the stage's block of
 * `darkroom.deploy.yml`. The stage `local` is the laptop, and reads no file.
 * @param root with the file, which may be absent
 * @throws Error that names what is no parameter
 */
export function parametersOf(stage: string, root: URL): Record<string, string> {
  const local = stage === "local";
  const rows: [string, Parameter][] = Object.entries(parameters);
  const defaults = rows.map(([name, row]) => [name, (local ? row.local : undefined) ?? row.default]);
  const file = new URL("darkroom.deploy.yml", root);
  const blocks = local || !existsSync(file) ? undefined : parse(readFileSync(file, "utf8"));
  const own: Record<string, unknown> = blocks?.[stage] ?? {};
  const unknown = Object.keys(own).filter((name) => !Object.hasOwn(parameters, name));
  if (unknown.length > 0)
    throw new Error(
      `darkroom.deploy.yml, ${stage}: no such parameter: ${unknown.join(", ")}. docs/deploy.md has them all.`,
    );
  // A list is the same as its parts with commas between, as `--param` has it.
  const said = Object.entries(own).map(([name, value]) => [name, String(value ?? "")]);
  return Object.fromEntries([...defaults, ...said]);
}

/** `a, b` or a list, as the values of a parameter. */
export const listOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : String(value).split(",")).map((one) => String(one).trim()).filter(Boolean);

/** @throws Error that names every parameter that is wrong, and what it should be */
export function checkParameters(given: Readonly<Record<string, unknown>>): void {
  const of = (name: ParameterName) => listOf(given[name] ?? "");
  const problems = Object.entries(parameters).flatMap(([name, { check }]) => {
    const values = name === "origins" ? of(name) : [String(given[name] ?? "")];
    if (values.length === 0) return [`${name} must be at least one origin`];
    return values.flatMap((value) => {
      const wanted = check(value);
      return wanted === undefined ? [] : [`${name} must be ${wanted}, and is "${value}"`];
    });
  });
  for (const name of Object.keys(given))
    if (!Object.hasOwn(parameters, name)) problems.push(`there is none called ${name}`);
  const together = (one: ParameterName, ...others: ParameterName[]) => {
    for (const other of others)
      if (of(one).length > 0 && of(other).length === 0) problems.push(`${one} needs ${other} too`);
  };
  if (String(given["authSecretPrevious"] ?? "false") !== "false")
    together("authSecretPrevious", "authSecretVersion");
  problems.push(...coldProblems(given));
  together("webhookSecretPrevious", "webhookSecretVersion");
  together("domain", "certificate");
  together("certificate", "domain");
  together("apiDomain", "apiCertificate");
  together("apiCertificate", "apiDomain");
  const [apiCertificate] = of("apiCertificate");
  if (of("webAcl").length > 0 && apiCertificate && !apiCertificate.includes(":us-east-1:"))
    problems.push("apiCertificate must be in us-east-1 where there is a webAcl: CloudFront takes no other");
  together("authJwksUrl", "authIssuer", "authAudience");
  if (of("authJwksUrl").length > 0 && String(given["probeMinutes"] ?? "0") !== "0")
    problems.push(
      "probeMinutes must be 0 where there is an authJwksUrl: the probe signs its token with the stack's own secret",
    );
  if (problems.length > 0) {
    const list = problems.map((problem) => `  - ${problem}`).join("\n");
    throw new Error(
      `Parameters (--param NAME=value or darkroom.deploy.yml, docs/deploy.md has them all):\n${list}`,
    );
  }
}

/** What S3 would refuse of them. */
function coldProblems(given: Readonly<Record<string, unknown>>): string[] {
  const days = (name: ParameterName) => Number(given[name] ?? 0);
  const [cold, kept] = [days("originalsColdDays"), days("originalsDays")];
  if (cold > 0 && cold < 30 && given["originalsColdClass"] === "STANDARD_IA")
    return ["originalsColdDays must be 30 or more for STANDARD_IA"];
  return cold > 0 && kept > 0 && kept <= cold
    ? ["originalsDays must be more than originalsColdDays: they would go before they are moved"]
    : [];
}

/** What is worth saying of parameters that are right. */
export function notices(given: Readonly<Record<string, unknown>>): string[] {
  const closed = listOf(given["origins"]).includes(NO_ORIGIN);
  return [
    ...(closed
      ? ["No origins are set: no page in a browser may upload. Set the parameter origins when you know it."]
      : []),
    ...(given["alarmEmail"] ? [] : ["No alarmEmail is set: alarms show in the console only."]),
  ];
}
