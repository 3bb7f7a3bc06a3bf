/** What `serverless.yml` and `infra/` say, against the code and against each other. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { parse } from "yaml";
import { ownSettings } from "../../adapters/environment.ts";
import { writeUploadMetadata } from "../../core/upload-metadata.ts";
import { sampleEvents } from "../events/cases.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");

interface GetAtt {
  readonly "Fn::GetAtt": readonly [string, string];
}
interface FunctionTemplate {
  readonly handler: string;
  readonly role: string;
  readonly timeout: number;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly httpApi?: string;
    readonly sqs?: { readonly arn: GetAtt; readonly functionResponseType?: string };
  }[];
}
interface Queue {
  readonly VisibilityTimeout: number;
  readonly MessageRetentionPeriod: number;
  readonly RedrivePolicy?: { readonly deadLetterTargetArn: GetAtt; readonly maxReceiveCount: number };
}
interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
}

const service = parse(read("serverless.yml"), { merge: true }) as {
  provider: {
    environment: Record<string, unknown>;
    httpApi: { cors: { allowedMethods: string[] } };
  };
  functions: Record<string, FunctionTemplate>;
  resources: string[];
};
const functions = Object.entries(service.functions);
const resources: Record<string, { Type: string; Properties: Record<string, unknown> }> = Object.assign(
  {},
  ...service.resources.map((reference) => parse(read(/file\((.+)\)/.exec(reference)?.[1] ?? "")).Resources),
);
const ofType = (type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);
const queues = new Map(
  ofType("AWS::SQS::Queue").map(([id, { Properties }]) => [id, Properties as unknown as Queue]),
);
const consumers = functions.flatMap(([name, { timeout, events }]) =>
  events.flatMap(({ sqs }) => (sqs ? [{ name, timeout, queue: sqs.arn["Fn::GetAtt"][0], sqs }] : [])),
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
    const given = Object.keys({ ...service.provider.environment, ...environment });
    assert.deepEqual(given.sort(), (await settingsReadBy(name)).sort());
  });
}

test("a setting of the table is read by some function", async () => {
  const all = await Promise.all(functions.map(([name]) => settingsReadBy(name)));
  assert.deepEqual([...new Set(all.flat())].sort(), [...ownSettings].sort());
});

/** What the function's code, and all it imports, names in calls of `environment(…)`. */
async function settingsReadBy(name: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(ROOT),
    entryPoints: [`functions/${name}.ts`],
    outdir: "none",
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    packages: "external",
    metafile: true,
  });
  const calls = Object.keys(metafile.inputs).flatMap((path) => [
    ...read(path).matchAll(/\benvironment\(([^)]*)\)/g),
  ]);
  const named = calls.flatMap(([, list = ""]) =>
    [...list.matchAll(/"([A-Z0-9_]+)"/g)].map(([, setting = ""]) => setting),
  );
  const own = new Set<string>(ownSettings);
  return [...new Set(named)].filter((setting) => own.has(setting));
}

test("a message stays invisible for six times the time-out of whoever works on it", () => {
  assert.ok(consumers.length >= 4);
  for (const { name, timeout, queue } of consumers) {
    const visibility = queues.get(queue)?.VisibilityTimeout ?? 0;
    assert.ok(visibility >= 6 * timeout, `${queue}: ${visibility} s, ${name} may take ${timeout} s`);
  }
});

test("batches are answered message by message", () => {
  for (const { name, sqs } of consumers)
    assert.equal(sqs.functionResponseType, "ReportBatchItemFailures", name);
});

test("every queue has dead letters, kept longer, after at least five receives, and somebody reads them", () => {
  const letters = new Set<string>();
  for (const [id, { RedrivePolicy, MessageRetentionPeriod }] of queues) {
    if (!RedrivePolicy) continue;
    const target = RedrivePolicy.deadLetterTargetArn["Fn::GetAtt"][0];
    letters.add(target);
    assert.ok(RedrivePolicy.maxReceiveCount >= 5, id);
    assert.ok((queues.get(target)?.MessageRetentionPeriod ?? 0) > MessageRetentionPeriod, target);
  }
  const withoutDeadLetters = [...queues].filter(([, { RedrivePolicy }]) => !RedrivePolicy).map(([id]) => id);
  assert.deepEqual(withoutDeadLetters.sort(), [...letters].sort());
  const read = new Set(consumers.map(({ queue }) => queue));
  for (const id of queues.keys()) assert.ok(read.has(id), `nobody reads ${id}`);
});

test("every route of the API has a sibling with the token in its path", () => {
  const routes = functions.flatMap(([, { events }]) => events.flatMap(({ httpApi }) => httpApi ?? []));
  const plain = routes.filter((route) => !route.includes("/t/{token}"));
  const siblings = plain.map((route) => route.replace(" /", " /t/{token}/"));
  assert.deepEqual(routes.sort(), [...plain, ...siblings].sort());
});

test("a browser may use every method of the API", () => {
  const { allowedMethods } = service.provider.httpApi.cors;
  const methods = functions.flatMap(([, { events }]) =>
    events.flatMap(({ httpApi }) => httpApi?.split(" ")[0] ?? []),
  );
  assert.deepEqual([...allowedMethods].sort(), [...new Set(methods)].sort());
});

test("a browser may send every header that an upload signs", () => {
  const uploads = resources["UploadsBucket"]?.Properties as {
    CorsConfiguration: { CorsRules: { AllowedHeaders: string[]; ExposedHeaders: string[] }[] };
  };
  const [rule] = uploads.CorsConfiguration.CorsRules;
  const metadata = writeUploadMetadata({
    owner: "o",
    preset: "p",
    filename: "f",
    focus: { x: 0, y: 0 },
    sha256: "s",
  });
  const signed = [
    "content-type",
    "if-none-match",
    "x-amz-checksum-sha256",
    ...Object.keys(metadata).map((name) => `x-amz-meta-${name}`),
  ];
  assert.deepEqual([...(rule?.AllowedHeaders ?? [])].sort(), signed.sort());
  assert.ok(rule?.ExposedHeaders.includes("ETag"));
});

test("the queue hears of every way an original comes and goes", () => {
  const uploads = resources["UploadsBucket"]?.Properties as {
    NotificationConfiguration: { QueueConfigurations: { Event: string; Queue: GetAtt; Filter: unknown }[] };
  };
  const told = uploads.NotificationConfiguration.QueueConfigurations;
  assert.deepEqual(told.map(({ Event }) => Event).sort(), [
    "s3:LifecycleExpiration:*",
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
  ]);
  for (const { Queue, Filter } of told) {
    assert.equal(Queue["Fn::GetAtt"][0], "ImagesQueue");
    assert.deepEqual(Filter, { S3Key: { Rules: [{ Name: "prefix", Value: "originals/" }] } });
  }
});

test("both buckets are shut", () => {
  const buckets = ofType("AWS::S3::Bucket");
  assert.deepEqual(buckets.map(([id]) => id).sort(), ["MediaBucket", "UploadsBucket"]);
  for (const [id, { Properties }] of buckets) {
    const block = {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    };
    assert.deepEqual(Properties["PublicAccessBlockConfiguration"], block, id);
    assert.deepEqual(
      Properties["OwnershipControls"],
      { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
      id,
    );
    assert.match(JSON.stringify(Properties["BucketEncryption"]), /"SSEAlgorithm":"(AES256|aws:kms)"/, id);
    const policy = resources[`${id}Policy`]?.Properties["PolicyDocument"];
    assert.match(JSON.stringify(policy), /"Effect":"Deny".*"aws:SecureTransport":"false"/, id);
  }
});

const statementsOf = (role: string) =>
  (
    (resources[role]?.Properties["Policies"] ?? []) as { PolicyDocument: { Statement: Statement[] } }[]
  ).flatMap(({ PolicyDocument }) => PolicyDocument.Statement);

test("no role has a wildcard for an action, or objects without a prefix", () => {
  for (const [, { role }] of functions) {
    for (const { Action, Resource } of statementsOf(role)) {
      const actions = [Action].flat();
      for (const action of actions) assert.match(action, /^[a-z0-9]+:[A-Za-z]+$/, role);
      if (!actions.some((action) => action.endsWith("Object"))) continue;
      for (const resource of [Resource].flat()) {
        assert.match(
          JSON.stringify(resource),
          /\$\{(Uploads|Media)Bucket\.Arn\}\/(originals|owners|failures|images)\//,
          role,
        );
      }
    }
  }
});

test("only presign and multipart may put originals, and presign nothing else", () => {
  const puts = (role: string) =>
    statementsOf(role)
      .filter(({ Action }) => [Action].flat().includes("s3:PutObject"))
      .map(({ Resource }) => JSON.stringify(Resource))
      .join();
  assert.deepEqual(
    functions.filter(([, { role }]) => puts(role).includes("/originals/")).map(([name]) => name),
    ["presign", "multipart"],
  );
  const beyondLogs = statementsOf("PresignRole").filter(
    ({ Action }) => ![Action].flat().every((action) => action.startsWith("logs:")),
  );
  assert.deepEqual(
    beyondLogs.map(({ Action }) => Action),
    ["s3:PutObject"],
  );
});
