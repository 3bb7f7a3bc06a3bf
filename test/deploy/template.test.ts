/** What `serverless.yml` says, against the code; `stack.slow.test.ts` looks at the template that comes of it. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { ownSettings, settings, settingsOf } from "../../adapters/environment.ts";
import { checkParameters, listOf, notices, parameters, parametersOf } from "../../adapters/parameters.ts";
import { WORKER_BATCH, WORKER_GB } from "../../core/money/prices.ts";
import { type UploadMetadata, writeUploadMetadata } from "../../core/upload-metadata.ts";
import { cdnKeyResources } from "../../deploy/cdn-keys.ts";
import { policies } from "../../laptop/media.ts";
import { sampleEvents } from "../events/cases.ts";
import { at } from "./packaged.ts";
import { settingsReadBy } from "./settings.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");

const service = parse(read("serverless.yml"), { merge: true }) as {
  provider: { stackPolicy: { Effect: string; Action: string | string[]; Resource: string | string[] }[] };
  custom: { values: Record<string, unknown> };
  functions: Record<
    string,
    {
      readonly handler: string;
      readonly role: string;
      readonly memorySize: number;
      readonly environment: string;
      readonly events: readonly {
        readonly httpApi?: string;
        readonly sqs?: { readonly batchSize: number };
      }[];
    }
  >;
  resources: string[];
};
const functions = Object.entries(service.functions);
const resources: Record<string, { Type: string; Properties: Record<string, unknown> }> = Object.assign(
  {},
  cdnKeyResources("darkroom-dev", "eu-central-1", 1).Resources,
  ...service.resources
    .filter((reference) => reference.endsWith(".yml)}"))
    .map((reference) => parse(read(/file\((.+)\)/.exec(reference)?.[1] ?? "")).Resources),
);

test("a function has one name: in the template, as file, as role and before its events", () => {
  const names = functions.map(([name]) => name).sort();
  assert.deepEqual(
    names,
    readdirSync(new URL("functions/", ROOT))
      .map((file) => file.replace(/\.ts$/, ""))
      .sort(),
  );
  assert.deepEqual(names, [...new Set(sampleEvents.map(({ fn }) => fn))].sort());
  for (const [name, { handler, role }] of functions) {
    assert.equal(handler, `functions/${name}.handler`);
    assert.equal(role.toLowerCase(), `${name}role`);
    assert.equal(resources[role]?.Type, "AWS::IAM::Role");
  }
});

for (const [name, { environment }] of functions) {
  test(`${name} is given the settings it reads, and no others`, async () => {
    assert.equal(environment, `\${settings:${name}}`);
    const given = settingsOf(name).map((setting) => setting.name);
    assert.deepEqual(given.sort(), (await settingsReadBy(name)).sort());
  });
}

test("a setting comes from something that there is", () => {
  const values = ownSettings.flatMap(({ from }) => ("value" in from ? from.value : []));
  assert.deepEqual(values.sort(), Object.keys(service.custom.values).sort());
  for (const { name, from } of ownSettings)
    if ("ref" in from && from.ref !== "AWS::StackName")
      assert.ok(resources[from.ref], `${name}: ${from.ref}`);
});

test("a job's estimate counts with the worker that there is", () => {
  const worker = service.functions["worker"];
  assert.equal(worker?.memorySize, WORKER_GB * 1024);
  assert.deepEqual(
    worker?.events.map(({ sqs }) => sqs?.batchSize),
    [WORKER_BATCH, WORKER_BATCH],
  );
});

test("no update replaces the buckets of a live stack, or takes them out", () => {
  const [all, ...denies] = service.provider.stackPolicy;
  assert.deepEqual([all?.Effect, all?.Action], ["Allow", "Update:*"]);
  for (const bucket of ["UploadsBucket", "MediaBucket"])
    for (const action of ["Update:Replace", "Update:Delete"])
      assert.ok(
        denies.some(
          ({ Effect, Action, Resource }) =>
            Effect === "Deny" &&
            Action.includes(action) &&
            Resource.includes(`LogicalResourceId/${bucket}`) &&
            resources[bucket],
        ),
        `${action} of ${bucket}`,
      );
});

test("the template that takes kept buckets into a new stack names them as the stack does, and keeps them", () => {
  const text = /```json import-buckets\n([\s\S]*?)```/.exec(read("docs/deploy.md"))?.[1] ?? "";
  const imported = JSON.parse(text) as {
    Resources: Record<string, { Type: string; DeletionPolicy: string; Properties: { BucketName: unknown } }>;
  };
  assert.deepEqual(Object.keys(imported.Resources).sort(), ["MediaBucket", "UploadsBucket"]);
  const { custom } = parse(read("serverless.yml"), { merge: true }) as { custom: Record<string, string> };
  for (const [id, name] of [
    ["UploadsBucket", custom["uploadsBucketName"]],
    ["MediaBucket", custom["mediaBucketName"]],
  ] as const) {
    const { Type, DeletionPolicy, Properties } = imported.Resources[id] ?? assert.fail(id);
    assert.equal(Type, resources[id]?.Type);
    // Import asks for one; without it the bucket would go with a stack that fails.
    assert.equal(DeletionPolicy, "Retain");
    assert.deepEqual(Properties.BucketName, {
      "Fn::Sub": name
        ?.replace("${self:service}-${sls:stage}", "${AWS::StackName}")
        .replace("${param:bucketSuffix}", ""),
    });
  }
});

test("every route for uploaders has a sibling with the token in its path", () => {
  const routes = functions.flatMap(([, { events }]) => events.flatMap(({ httpApi }) => httpApi ?? []));
  const plain = routes.filter((route) => !route.includes("/t/{token}"));
  // A token in a path is never an admin's.
  const isAdmins = (route: string) => / \/admin\/|^POST \/images\/\{id\}\//.test(route);
  const forUploaders = plain.filter((route) => !isAdmins(route));
  const siblings = forUploaders.map((route) => route.replace(" /", " /t/{token}/"));
  assert.deepEqual(routes.sort(), [...plain, ...siblings].sort());
});

test("a browser may send every header that an upload signs", () => {
  const uploads = resources["UploadsBucket"]?.Properties as {
    CorsConfiguration: { CorsRules: { AllowedHeaders: string[]; ExposedHeaders: string[] }[] };
  };
  const [rule] = uploads.CorsConfiguration.CorsRules;
  // All there are: another one is forgotten here by nobody.
  const all: Required<UploadMetadata> = {
    owner: "o",
    preset: "p",
    filename: "f",
    focus: { x: 0, y: 0 },
    sha256: "s",
    ref: "r",
    clientRef: "c",
    attachWithin: 3600,
    maxImages: 1,
    maxOwnerBytes: 1,
    access: "private",
  };
  const metadata = writeUploadMetadata(all);
  const signed = [
    "content-type",
    "if-none-match",
    "x-amz-checksum-sha256",
    "x-amz-sdk-checksum-algorithm",
    ...Object.keys(metadata).map((name) => `x-amz-meta-${name}`),
  ];
  assert.deepEqual([...(rule?.AllowedHeaders ?? [])].sort(), signed.sort());
  assert.ok(rule?.ExposedHeaders.includes("ETag"));
});

const defaults = parametersOf("prod", new URL("file:///nowhere/"));

test("the parameters' defaults are right, on the laptop as well", () => {
  checkParameters(defaults);
  assert.deepEqual(listOf(parametersOf("local", ROOT)["origins"]), [
    "http://localhost:*",
    "http://127.0.0.1:*",
  ]);
});

test("a stage's block of darkroom.deploy.yml is over the defaults; what is no parameter is named", () => {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-deploy-"));
  const of = (stage: string) => parametersOf(stage, pathToFileURL(`${folder}/`));
  try {
    writeFileSync(
      join(folder, "darkroom.deploy.yml"),
      "prod:\n  origins: [https://a.example, https://b.example]\n  workers: 80\n  domain:\nlocal:\n  workers: 9\nempty:\ntest:\n  worker: 3\n",
    );
    const prod = of("prod");
    assert.deepEqual(listOf(prod["origins"]), ["https://a.example", "https://b.example"]);
    assert.deepEqual([prod["workers"], prod["domain"], prod["validity"]], ["80", "", "300"]);
    checkParameters(prod);
    for (const stage of ["dev", "empty"]) assert.deepEqual(of(stage), defaults);
    assert.equal(of("local")["workers"], "120", "the laptop reads no file");
    assert.throws(() => of("test"), /darkroom.deploy.yml, test: no such parameter: worker/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const [name, value, complaint] of [
  ["origins", "*", /origins must be an origin/],
  ["origins", "https://app.example.com/", /origins must be an origin/],
  ["origins", "", /at least one origin/],
  ["validity", "3600", /validity must be a whole number from 60 to 900/],
  ["workers", "1", /workers must be/],
  ["workrs", "4", /there is none called workrs/],
  ["logDays", "8", /logDays must be/],
  ["domain", "images.example.com", /domain needs certificate too/],
  ["certificate", "arn:aws:acm:eu-central-1:123456789012:certificate/x", /us-east-1/],
  ["authSecretPrevious", "yes", /authSecretPrevious must be a version id/],
  ["authSecretPrevious", "true", /authSecretPrevious needs authSecretVersion too/],
  ["authJwksUrl", "https://id.example.com/jwks", /needs authIssuer too[\s\S]*needs authAudience too/],
] as const) {
  test(`the parameter ${name} = "${value}" is refused with a reason`, () => {
    assert.throws(() => checkParameters({ ...defaults, [name]: value }), complaint);
  });
}

test("what a parameter may be, the functions that are given it take, and without it they go by its default", () => {
  for (const { name, from } of ownSettings) {
    if (!("param" in from)) continue;
    const setting = settings[name];
    if ("default" in setting) assert.equal(String(setting.default), parameters[from.param].default, name);
    const { check, default: byDefault }: { check: (value: string) => unknown; default: string } =
      parameters[from.param];
    // An empty one is a setting that is not there.
    const values = [byDefault, "0", "1", "60", "900", "true", "false"].filter((value) => value !== "");
    for (const value of values.filter((one) => check(one) === undefined))
      assert.doesNotThrow(() => settings[name].parse(value), `${name}=${value}`);
  }
});

test("origins that nobody set, and alarms that reach nobody, are spoken of", () => {
  assert.equal(notices(defaults).length, 2);
  assert.deepEqual(notices({ origins: ["https://app.example.com"], alarmEmail: "a@example.com" }), []);
  assert.deepEqual(listOf("https://a.example, https://b.example"), [
    "https://a.example",
    "https://b.example",
  ]);
});

for (const [name, resource] of [
  ["images", "MediaHeaders"],
  ["static", "StaticHeaders"],
] as const) {
  test(`the local CDN answers for ${name} with the headers that CloudFront adds`, () => {
    const config = at(resources[resource], "Properties.ResponseHeadersPolicyConfig");
    const csp = at(config, "SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy");
    const custom = (at(config, "CustomHeadersConfig.Items") ?? []) as { Header: string; Value: string }[];
    assert.deepEqual(policies[name], {
      "access-control-allow-origin": (
        at(config, "CorsConfig.AccessControlAllowOrigins.Items") as string[]
      ).join(),
      ...(at(config, "SecurityHeadersConfig.ContentTypeOptions")
        ? { "x-content-type-options": "nosniff" }
        : {}),
      ...Object.fromEntries(custom.map(({ Header, Value }) => [Header, Value])),
      ...(csp ? { "content-security-policy": csp } : {}),
    });
  });
}
