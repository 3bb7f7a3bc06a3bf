/** `darkroom doctor`: looks at a deployment from outside and says what is wrong and what to do about it. */
import { LambdaClient } from "@aws-sdk/client-lambda";
import { Command } from "commander";
import { s3Client } from "../adapters/aws/s3-store.ts";
import { sqsClient } from "../adapters/aws/sqs-queue.ts";
import { typed } from "../adapters/project.ts";
import { type Api, connect } from "./api.ts";
import { runCertify } from "./certify/run.ts";
import { type AwsOptions, type Deployment, findDeployment, withAws } from "./deployment.ts";
import { apiChecks } from "./doctor/api.ts";
import { type Check, type Finding, NotChecked, type Patient } from "./doctor/check.ts";
import { functionChecks } from "./doctor/functions.ts";
import { queueChecks } from "./doctor/queues.ts";
import { storageChecks } from "./doctor/storage.ts";
import { exitCodes, messageOf } from "./exit.ts";
import { type ApiOptions, wholeNumber, withApi, withExamples, withJson } from "./options.ts";
import { note, paint } from "./terminal.ts";

interface DoctorOptions extends ApiOptions, AwsOptions {
  readonly timeout: number;
  readonly json?: boolean;
  readonly certify?: string;
}

export const command = new Command("doctor")
  .description("check a deployment, or the local stack, and say what to do about what is wrong")
  .option("-t, --timeout <seconds>", "how long the test image may take", wholeNumber, 60)
  .option(
    "--certify <endpoint>",
    "an S3 server instead: play every tampered request, and say which promises hold there",
  )
  .option(
    "--bucket <name>",
    "with --certify: this bucket, whose rules are left alone; else one is made and removed",
  )
  .option("--in-use", "with --certify: although that bucket holds objects")
  .action((options: DoctorOptions) =>
    options.certify === undefined ? doctor(options) : runCertify({ ...options, certify: options.certify }),
  );
withJson(command, "one JSON document with all results");
withApi(command);
withAws(command);
withExamples(
  command,
  "doctor",
  'doctor --stack darkroom-prod --region eu-central-1 --token "$TOKEN"',
  'doctor --api https://abc.execute-api.eu-central-1.amazonaws.com --token "$TOKEN"   # without AWS credentials',
  "doctor --certify http://127.0.0.1:9000   # credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
);

interface Result {
  readonly check: string;
  readonly status: "ok" | "problem" | "not checked";
  readonly findings: readonly Finding[];
  readonly reason?: string;
}

async function doctor(options: DoctorOptions): Promise<void> {
  const patient = await admit(options);
  const results: Result[] = [];
  const onLambda = patient.deployment?.local ? [] : functionChecks;
  // One after the other: the last one, an image's whole way, is best read after the others.
  for (const check of [
    ...apiChecks.before,
    ...storageChecks,
    ...queueChecks,
    ...onLambda,
    ...apiChecks.after,
  ]) {
    const result = await examine(check, patient);
    results.push(result);
    if (!options.json) print(result);
  }
  patient.s3.destroy();
  patient.sqs.destroy();
  patient.lambda.destroy();
  const problems = results.flatMap(({ findings }) => findings).length;
  if (options.json) process.stdout.write(`${JSON.stringify({ api: patient.apiUrl, problems, results })}\n`);
  else note(problems === 0 ? "Nothing is wrong." : `${problems} to see to.`);
  process.exitCode = exitCodes[problems === 0 ? "done" : "failed"].status;
}

async function admit(options: DoctorOptions): Promise<Patient> {
  const { stack, token, timeout } = options;
  // An API alone can be looked at from outside only.
  const deployment: Deployment | undefined =
    options.api !== undefined && stack === undefined ? undefined : await findDeployment(options);
  const apiUrl = (options.api ?? deployment?.api ?? "").replace(/\/+$/, "");
  const tokenless = !deployment?.local && token === undefined;
  const api: Api | undefined = tokenless
    ? undefined
    : await connect({ ...(deployment?.local ? {} : { api: apiUrl }), ...(token ? { token } : {}) });
  return {
    api,
    apiUrl,
    deployment,
    s3: s3Client(deployment?.s3 ?? {}),
    sqs: sqsClient(deployment?.sqs ?? {}),
    // Of the same region; the laptop has none, and asks it nothing.
    lambda: new LambdaClient(options.region ? { region: options.region } : {}),
    repair: deployment?.local
      ? `Stop it and start it again (${typed("start")}): it makes what is missing.`
      : `${typed("deploy")} makes what is missing.`,
    now: () => new Date(),
    timeout,
  };
}

export async function examine({ name, run }: Check, patient: Patient): Promise<Result> {
  try {
    const findings = await run(patient);
    return { check: name, status: findings.length === 0 ? "ok" : "problem", findings };
  } catch (error) {
    if (error instanceof NotChecked)
      return { check: name, status: "not checked", findings: [], reason: error.message };
    const { name: code } = error as Error;
    const message = `${code && code !== "Error" ? `${code}: ` : ""}${causeOf(error)}`;
    return { check: name, status: "problem", findings: [{ message, advice: adviceOn(code, patient) }] };
  }
}

/** fetch's own message is "fetch failed". */
const causeOf = (error: unknown) =>
  error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error);

function adviceOn(code: string, { repair, apiUrl }: Patient): string {
  if (/Credentials|Token/.test(code))
    return "Give AWS credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID, or aws sso login.";
  if (/AccessDenied|Forbidden|NotAuthorized/.test(code))
    return "The credentials in use may not read this: use others, or allow it.";
  if (/NoSuchBucket|NonExistentQueue|QueueDoesNotExist/.test(code)) return repair;
  if (code === "TypeError") return `Is ${apiUrl} right, and can it be reached from here?`;
  return "Try again; if it stays, the function's log says more.";
}

function print({ check, status, findings, reason }: Result): void {
  const mark = { ok: paint("green", "✓"), problem: paint("red", "✗"), "not checked": paint("yellow", "–") }[
    status
  ];
  const lines = [
    `${mark} ${check}${reason ? `: not checked, ${reason}` : ""}`,
    ...findings.flatMap(({ message, advice }) => [`    ${message}`, `    ${paint("dim", `→ ${advice}`)}`]),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
