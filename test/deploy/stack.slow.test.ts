/** The packaged template: valid to AWS's own validator, right by our rules, and each check bites. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { parse } from "yaml";
import { isAllowed } from "./iam.ts";
import { functionsOf, packagedTemplate, plain, type Template } from "./packaged.ts";
import { refusals } from "./refusals.ts";
import { type Edit, edited } from "./rule.ts";
import { rules } from "./rules.ts";
import { gradualRules, versionIn } from "./rules-gradual.ts";

/** All that may be set is set, so that every branch of the template is there. */
const PARAMETERS = [
  "origins=https://app.example.com, https://b.example",
  "domain=images.example.com",
  "certificate=arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
  "apiDomain=api.example.com",
  "apiCertificate=arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
  "webAcl=arn:aws:wafv2:us-east-1:123456789012:global/webacl/darkroom/12345678-1234-1234-1234-123456789012",
  "alarmEmail=on-call@example.com",
  "logDays=14",
  "probeMinutes=15",
];

let template: Template;
before(async () => {
  template = await packagedTemplate(PARAMETERS);
});

for (const [name, { check, breaks }] of Object.entries(rules)) {
  test(name, async () => {
    assert.deepEqual(await check(template), []);
    for (const edit of breaks) {
      const found = await check(edited(template, edit));
      assert.notDeepEqual(found, [], `not noticed: ${edit[0]} = ${JSON.stringify(edit[1])}`);
    }
  });
}

for (const [name, { check, breaks }] of Object.entries(gradualRules)) {
  test(name, async () => {
    assert.deepEqual(await check(template), [], "off by default");
    const gradual = await packagedTemplate([...PARAMETERS, "gradual=true"]);
    assert.deepEqual(await check(gradual), []);
    assert.deepEqual(errorsIn(gradual), []);
    for (const [path, value] of breaks)
      assert.notDeepEqual(
        await check(edited(gradual, [path.replace("VERSION", versionIn(gradual)), value])),
        [],
        path,
      );
    // Another text in a setting of the worker is another version.
    const changed = await packagedTemplate([...PARAMETERS, "gradual=true", "logLevel=warn"]);
    assert.notEqual(versionIn(gradual), versionIn(changed));
  });
}

test("no function may do what is none of its business", () => {
  let cases = 0;
  for (const { name, role } of functionsOf(template)) {
    for (const [action, resource] of refusals(name)) {
      assert.ok(!isAllowed(template, role, { action, resource }), `${name} may ${action} ${resource}`);
      cases++;
    }
  }
  assert.ok(cases >= 60, `${cases} cases`);
});

test("tokens are verified by the stack's own secret, in its newest or a named version, or by an identity provider", () => {
  const secretWith = (condition: string | undefined, variable = "AUTH_SECRET") => {
    const yes = { "Fn::Equals": ["a", "a"] };
    const no = { "Fn::Equals": ["a", "b"] };
    const changed = condition
      ? edited(edited(template, [`Conditions.${condition}`, yes]), ["Conditions.AuthPreviousPinned", no])
      : template;
    const presign = functionsOf(changed).find(({ name }) => name === "presign");
    return plain(presign?.variables[variable], changed);
  };
  const previous = "AUTH_SECRET_PREVIOUS";
  assert.equal(secretWith(undefined, previous), "");
  assert.equal(
    secretWith("AuthSecretsBoth", previous),
    "{{resolve:secretsmanager:AuthSecret:SecretString::AWSPREVIOUS}}",
  );
  assert.equal(secretWith(undefined), "{{resolve:secretsmanager:AuthSecret:SecretString}}");
  assert.match(
    String(secretWith("AuthSecretPinned")),
    /^\{\{resolve:secretsmanager:AuthSecret:SecretString:::.*\}\}$/,
  );
  assert.equal(secretWith("TokensByJwks"), "");
});

interface Diagnostic {
  readonly ruleId: string;
  readonly severity: string;
  readonly message: string;
  readonly entity?: { readonly logicalId?: string };
}
interface Engine {
  validateStandard(file: object): { readonly diagnostics: readonly Diagnostic[] };
  free(): void;
}

/** CommonJS with WebAssembly inside; it takes seconds to start and is shared. */
const { RegoEngine, TemplateFile } = createRequire(import.meta.url)("@aws/cloudformation-validate") as {
  RegoEngine: new () => Engine;
  TemplateFile: new (path: string) => object;
};
let engine: Engine | undefined;
let folder: string | undefined;
after(() => {
  engine?.free();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function errorsIn(candidate: Template): string[] {
  engine ??= new RegoEngine();
  folder ??= mkdtempSync(join(tmpdir(), "darkroom-validate-"));
  const file = join(folder, "template.json");
  writeFileSync(file, JSON.stringify(candidate));
  return engine
    .validateStandard(new TemplateFile(file))
    .diagnostics.filter(({ severity }) => !["WARN", "INFO"].includes(severity))
    .map(({ ruleId, entity, message }) => `${ruleId} ${entity?.logicalId}: ${message}`);
}

/** What the validator is there for: shapes and references, of which our rules know nothing. */
const validatorCatches: readonly Edit[] = [
  ["Resources.ImagesQueue.Properties.VisibilityTimeOut", 3600],
  ["Resources.ImagesQueue.Properties.VisibilityTimeout", "an hour"],
  ["Resources.UploadsBucket.Type", "AWS::S3::Bukket"],
  ["Resources.WorkerLambdaFunction.Properties.MemorySize", 64],
  ["Resources.WorkerLambdaFunction.Properties.Role", { "Fn::GetAtt": ["WorkerRol", "Arn"] }],
  [
    "Resources.MediaDistribution.Properties.DistributionConfig.DefaultCacheBehavior.CachePolicyId",
    { Ref: "Nowhere" },
  ],
  ["Outputs.MediaDomain.Value", { "Fn::GetAtt": ["MediaDistribution", "Domain"] }],
];

test("AWS's validator finds no error", () => {
  assert.deepEqual(errorsIn(template), []);
});
test("AWS's validator finds no error in the web ACL, which is YAML as CloudFormation reads it", () => {
  const text = readFileSync(new URL("../../deploy/web-acl.yml", import.meta.url), "utf8");
  // No aliases, which it does not know.
  const acl = parse(text, { maxAliasCount: 0 }) as Template;
  assert.deepEqual(errorsIn(acl), []);
  assert.notDeepEqual(errorsIn(edited(acl, ["Resources.WebAcl.Properties.DefaultAction", undefined])), []);
});
for (const edit of validatorCatches) {
  test(`AWS's validator notices ${edit[0]} = ${JSON.stringify(edit[1])}`, () => {
    assert.notDeepEqual(errorsIn(edited(template, edit)), []);
  });
}
