/** The steps of docs/deploy.md by which the secret changes, walked on a Secrets Manager that knows versions and stages. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { afterEach } from "node:test";
import { SignJWT } from "jose";
import { parse } from "yaml";
import { authenticator } from "../../adapters/http/auth.ts";
import { webhookSender } from "../../adapters/http/webhook.ts";
import { checkParameters, parametersOf } from "../../adapters/parameters.ts";
import { assertSigned, Receiver } from "../receiver.ts";
import { plain, type Template } from "./packaged.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const NOW = new Date("2026-11-20T12:00:00Z");
const names = ["AUTH_SECRET", "AUTH_SECRET_PREVIOUS"] as const;
afterEach(() => {
  for (const name of names) delete process.env[name];
});

/** As AWS has it: a stage stands at one version, and AWSPREVIOUS goes where AWSCURRENT was. */
class SecretsManager {
  readonly #values = new Map<string, string>();
  readonly stages = new Map<string, string>();

  put(version: string, value: string, stage = "AWSCURRENT"): void {
    this.#values.set(version, value);
    this.move(stage, version);
  }

  move(stage: string, to: string): void {
    const before = this.stages.get(stage);
    if (stage === "AWSCURRENT" && before !== undefined) this.stages.set("AWSPREVIOUS", before);
    this.stages.set(stage, to);
  }

  /** `{{resolve:secretsmanager:ID:SecretString:KEY:STAGE:VERSION}}`, as CloudFormation does. */
  resolve(reference: string): string {
    if (reference === "") return "";
    const [, stage = "", version = ""] =
      /^\{\{resolve:secretsmanager:[^:]+:SecretString(?:::([^:}]*)(?::([^}]*))?)?\}\}$/.exec(reference) ??
      assert.fail(reference);
    const value = this.#values.get(version || (this.stages.get(stage || "AWSCURRENT") ?? ""));
    return value ?? assert.fail(`no version for ${reference}`);
  }
}

/** What a function finds in its environment after a deployment with these parameters. */
function deploy(manager: SecretsManager, changes: Record<string, string>) {
  const parameters = { ...parametersOf("prod", new URL("file:///nowhere/")), ...changes };
  checkParameters(parameters);
  const filled = (text: string) =>
    text.replaceAll(
      /\$\{param:(\w+)\}/g,
      (_, name: string) => (parameters as Record<string, string>)[name] ?? "",
    );
  const { Conditions, Resources } = parse(filled(read("deploy/infra/secrets.yml"))) as Template;
  const { custom } = parse(filled(read("serverless.yml")), { merge: true }) as {
    custom: { values: Record<string, unknown> };
  };
  const template = { Conditions: Conditions ?? {}, Resources, Outputs: {} };
  const of = (name: string) =>
    String(plain(custom.values[name], template))
      .split(" ")
      .map((one) => manager.resolve(one));
  return {
    auth: [of("authSecret").join(), of("authPreviousSecret").join()] as const,
    webhooks: of("webhookSecret"),
  };
}

const token = (secret: string) =>
  new SignJWT({ scope: "upload" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("me")
    .setExpirationTime(NOW.getTime() / 1000 + 3600)
    .sign(new TextEncoder().encode(secret));

async function accepts([secret, previous]: readonly [string, string], signedBy: string): Promise<boolean> {
  process.env["AUTH_SECRET"] = secret;
  process.env["AUTH_SECRET_PREVIOUS"] = previous;
  const authenticate = authenticator(() => NOW);
  return authenticate(await token(signedBy), "header").then(
    () => true,
    () => false,
  );
}

const [OLD, NEW] = ["0".repeat(36), "1".repeat(36)];
const [OLD_VALUE, NEW_VALUE] = ["old".repeat(12), "new".repeat(12)];

test("nobody is refused at any step, whenever a back end restarts and reads the secret", async () => {
  const manager = new SecretsManager();
  manager.put(OLD, OLD_VALUE);
  /** What a back end may sign with: what it read at any step so far. */
  const signing = new Set([OLD_VALUE]);
  let functions = deploy(manager, {}).auth;
  const steps: (() => void)[] = [
    () => manager.put(NEW, NEW_VALUE, "AWSPENDING"),
    () => {
      functions = deploy(manager, { authSecretVersion: NEW, authSecretPrevious: OLD }).auth;
    },
    () => manager.move("AWSCURRENT", NEW),
    // A deployment of something else in between changes nothing.
    () => {
      functions = deploy(manager, { authSecretVersion: NEW, authSecretPrevious: OLD }).auth;
    },
  ];
  for (const step of steps) {
    step();
    signing.add(manager.resolve("{{resolve:secretsmanager:AuthSecret:SecretString}}"));
    for (const secret of signing) assert.ok(await accepts(functions, secret), `${step}`);
  }
  functions = deploy(manager, { authSecretVersion: NEW }).auth;
  assert.ok(await accepts(functions, NEW_VALUE));
  assert.ok(!(await accepts(functions, OLD_VALUE)), "the old one is over");
});

test("the steps as they were refused whoever restarted before the deployment", async () => {
  const manager = new SecretsManager();
  manager.put(OLD, OLD_VALUE);
  const functions = deploy(manager, {}).auth;
  manager.put(NEW, NEW_VALUE);
  assert.ok(
    !(await accepts(functions, manager.resolve("{{resolve:secretsmanager:AuthSecret:SecretString}}"))),
  );
  // With what the last release documents, the version before is still accepted.
  assert.ok(
    await accepts(deploy(manager, { authSecretVersion: NEW, authSecretPrevious: "true" }).auth, OLD_VALUE),
  );
});

test("every webhook is verified at any step, whenever a receiver restarts and reads the secret", async () => {
  const manager = new SecretsManager();
  manager.put(OLD, OLD_VALUE);
  /** What a receiver may verify with: what it read at any step so far. */
  const verifying = new Set([OLD_VALUE]);
  let signing = deploy(manager, {}).webhooks;
  const changing = { webhookSecretVersion: NEW, webhookSecretPrevious: OLD };
  const steps: (() => void)[] = [
    () => manager.put(NEW, NEW_VALUE, "AWSPENDING"),
    () => {
      signing = deploy(manager, changing).webhooks;
    },
    () => manager.move("AWSCURRENT", NEW),
    () => {
      signing = deploy(manager, changing).webhooks;
    },
  ];
  const receiver = await Receiver.start();
  try {
    const send = async () => {
      const options = { secrets: signing, allowPrivate: true, timeoutMs: 60_000, now: () => new Date() };
      await webhookSender(options)(receiver.url, "id", "{}");
      return receiver.received.at(-1) ?? assert.fail("nothing came");
    };
    for (const step of steps) {
      step();
      verifying.add(manager.resolve("{{resolve:secretsmanager:WebhookSecret:SecretString}}"));
      const received = await send();
      for (const secret of verifying) assertSigned(received, secret);
    }
    signing = deploy(manager, { webhookSecretVersion: NEW }).webhooks;
    const received = await send();
    assertSigned(received, NEW_VALUE);
    assert.throws(() => assertSigned(received, OLD_VALUE), "the old one is over");
  } finally {
    receiver.close();
  }
});

test("the document has these steps, in this order", () => {
  const section = /## Changing the secret\n([\s\S]*?)\n## /.exec(read("docs/deploy.md"))?.[1] ?? "";
  const found = ["--version-stages AWSPENDING", "authSecretPrevious=", "update-secret-version-stage"].map(
    (word) => section.indexOf(word),
  );
  assert.ok(
    found.every((at, i) => at > (found[i - 1] ?? 0)),
    String(found),
  );
});
