/** The CloudFormation that `npx serverless package` writes, and what its intrinsic functions come to. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** In the environment of every `package` here: nothing that says it may ever reach a template. */
export const SECRET = "a secret that must stay at home, long enough";

export interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}
export interface Template {
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Resources: Record<string, Resource>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

/** What a deployment is made of. */
const SOURCES =
  "adapters client core deploy events functions host laptop packages pixels serverless.yml package.json package-lock.json .npmrc";

/** A copy of the service: the CLI works in `.serverless/` of it, where only one can. */
async function copyOfService(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "darkroom-service-"));
  for (const source of SOURCES.split(" "))
    await cp(`${ROOT}${source}`, join(folder, source), { recursive: true });
  await mkdir(`${ROOT}.cache`, { recursive: true });
  for (const shared of ["node_modules", ".cache"]) await symlink(`${ROOT}${shared}`, join(folder, shared));
  return folder;
}

/** The CLI on a copy of the service, without credentials; `env` comes on top. */
export async function serverless(args: readonly string[], env: Record<string, string> = {}) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_"));
  const nowhere = { AWS_SHARED_CREDENTIALS_FILE: "/nonexistent", AWS_CONFIG_FILE: "/nonexistent" };
  const cwd = await copyOfService();
  try {
    return await promisify(execFile)("npx", ["serverless", ...args], {
      cwd,
      env: { ...Object.fromEntries(own), ...nowhere, AUTH_SECRET: SECRET, ...env },
    });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

export async function packageInto(
  folder: string,
  parameters: string[] = [],
  env: Record<string, string> = {},
  stage = "dev",
) {
  const options = parameters.map((parameter) => `--param=${parameter}`);
  return serverless(["package", "--stage", stage, "--package", folder, ...options], env);
}

/** Packages with these parameters and gives the template. */
export async function packagedTemplate(parameters: string[]): Promise<Template> {
  const folder = await mkdtemp(join(tmpdir(), "darkroom-template-"));
  try {
    await packageInto(folder, parameters);
    return JSON.parse(await readFile(join(folder, "cloudformation-template-update-stack.json"), "utf8"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What stands at `A.b.0.c`; undefined where any of it is missing. */
export function at(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (inner, key) =>
        typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>)[key] : undefined,
      value,
    );
}

export const ofType = (template: Template, type: string) =>
  Object.entries(template.Resources).filter(([, { Type }]) => Type === type);

/** `darkroom-dev-worker` is the function `worker`. */
export function functionsOf(template: Template) {
  return ofType(template, "AWS::Lambda::Function").map(([id, { Properties }]) => ({
    id,
    name: String(at(Properties, "FunctionName")).replace(/^.*-/, ""),
    role: String(at(Properties, "Role.Fn::GetAtt.0")),
    properties: Properties,
    variables: (at(Properties, "Environment.Variables") ?? {}) as Record<string, unknown>,
  }));
}

export const ACCOUNT = "123456789012";
const PSEUDO: Record<string, string> = {
  "AWS::AccountId": ACCOUNT,
  "AWS::Region": "eu-central-1",
  "AWS::Partition": "aws",
  "AWS::URLSuffix": "amazonaws.com",
  "AWS::StackName": "darkroom-dev",
};

/** What a resource is called in an ARN of ours: its logical id stands for its name. */
export const arnOf: Record<string, (id: string) => string> = {
  "AWS::S3::Bucket": (id) => `arn:aws:s3:::${id}`,
  "AWS::SQS::Queue": (id) => `arn:aws:sqs:eu-central-1:${ACCOUNT}:${id}`,
  "AWS::SNS::Topic": (id) => `arn:aws:sns:eu-central-1:${ACCOUNT}:${id}`,
  "AWS::Lambda::Function": (id) => `arn:aws:lambda:eu-central-1:${ACCOUNT}:function:${id}`,
  "AWS::IAM::Role": (id) => `arn:aws:iam::${ACCOUNT}:role/${id}`,
  "AWS::Logs::LogGroup": (id) => `arn:aws:logs:eu-central-1:${ACCOUNT}:log-group:${id}:*`,
  "AWS::SecretsManager::Secret": (id) => `arn:aws:secretsmanager:eu-central-1:${ACCOUNT}:secret:${id}`,
  "AWS::Scheduler::Schedule": (id) => `arn:aws:scheduler:eu-central-1:${ACCOUNT}:schedule/default/${id}`,
  "AWS::CloudFront::Distribution": (id) => `arn:aws:cloudfront::${ACCOUNT}:distribution/${id}`,
};

/** The value with Ref, GetAtt, Sub, Join and If carried out; a bucket's given name becomes its logical id again. */
export function plain(value: unknown, template: Template): unknown {
  if (Array.isArray(value))
    return value.map((one) => plain(one, template)).filter((one) => one !== undefined);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [[name, argument] = ["", undefined]] = entries;
  if (entries.length === 1) {
    if (name === "Ref") return reference(String(argument));
    if (name === "Fn::GetAtt") return attribute(argument as [string, string], template);
    if (name === "Fn::Sub") return substitute(String(argument), template);
    if (name === "Fn::Join") {
      const [glue, parts] = argument as [string, unknown[]];
      return parts.map((part) => plain(part, template)).join(glue);
    }
    if (name === "Fn::If") {
      const [condition, yes, no] = argument as [string, unknown, unknown];
      return plain(holds({ Condition: condition }, template) ? yes : no, template);
    }
  }
  return Object.fromEntries(
    entries.map(([key, one]) => [key, plain(one, template)]).filter(([, one]) => one !== undefined),
  );
}

function reference(id: string): string | undefined {
  return id === "AWS::NoValue" ? undefined : (PSEUDO[id] ?? id);
}

function attribute([id, what]: [string, string], { Resources }: Template): string {
  const make = arnOf[Resources[id]?.Type ?? ""];
  return what === "Arn" && make ? make(id) : `${id}.${what}`;
}

function substitute(text: string, template: Template): string {
  const filled = text.replaceAll(/\$\{([\w:.]+)\}/g, (_, name: string) => {
    const [id = "", what] = name.split(".");
    return what ? attribute([id, what], template) : (reference(name) ?? "");
  });
  // The names that buckets are given, where a Ref would make a circle.
  return ofType(template, "AWS::S3::Bucket").reduce((done, [id, { Properties }]) => {
    const given = at(Properties, "BucketName.Fn::Sub");
    const bucketName =
      typeof given === "string"
        ? given.replaceAll(/\$\{([\w:]+)\}/g, (_, name) => PSEUDO[name] ?? name)
        : undefined;
    return bucketName ? done.replaceAll(bucketName, id) : done;
  }, filled);
}

/** Whether a condition, or an expression of one, holds. */
export function holds(expression: unknown, template: Template): boolean {
  const [[name, argument] = ["", undefined]] = Object.entries(expression as object);
  if (name === "Condition") return holds(template.Conditions?.[String(argument)], template);
  const list = argument as unknown[];
  if (name === "Fn::Equals") return plain(list[0], template) === plain(list[1], template);
  if (name === "Fn::Not") return !holds(list[0], template);
  if (name === "Fn::And") return list.every((one) => holds(one, template));
  if (name === "Fn::Or") return list.some((one) => holds(one, template));
  throw new Error(`a condition with ${name}`);
}
