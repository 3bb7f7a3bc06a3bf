/** `darkroom reprocess`: starts a job, and watches it. */
import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import type { DryRun } from "../core/job/dry-run.ts";
import type { Progress as Job } from "../core/job/job-progress.ts";
import { type Api, connect } from "./api.ts";
import { CliError, exitCodes } from "./exit.ts";
import { follow, report } from "./follow-job.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { agreed, counted, duration, note } from "./terminal.ts";

interface ReprocessOptions extends ApiOptions {
  readonly owner?: string;
  readonly status?: string;
  readonly preset?: string;
  readonly after?: string;
  readonly before?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** As many ids as one job takes. */
const IDS_A_JOB = 2000;

export const command = new Command("reprocess")
  .description("develop images again: what is missing or changed since, or all of it with --force")
  .argument("[ids...]", "these images; - reads ids from standard input, one to a line")
  .addOption(
    new Option(
      "-s, --status <status>",
      "what became of them; stale: made by another recipe than today's",
    ).choices(["failed", "rejected", "stale", "all"]),
  )
  .option("-o, --owner <sub>", "images of this owner")
  .option("-p, --preset <name>", "images of this preset")
  .option("--after <time>", "uploaded at this time or later; a date or a time, ISO 8601")
  .option("--before <time>", "uploaded earlier than this")
  .option("-f, --force", "make everything anew that is there already")
  .option("-n, --dry-run", "only say what it would do, and what that costs")
  .option("--no-wait", "do not wait until it is done")
  .option("-y, --yes", "do not ask before a job over all images")
  .action(async (ids: string[], options: ReprocessOptions) => {
    process.exitCode = await reprocess(await connect(options, "admin"), await idsFrom(ids), options);
  });
withJson(withApi(command), "the job, or what it would do, as JSON");
withExamples(
  command,
  "reprocess --status stale --dry-run",
  "reprocess --status failed",
  "reprocess --owner anna --preset avatar --after 2026-05-01 --force",
  "failures --json | jq -r .id | darkroom reprocess -",
);

async function idsFrom(given: readonly string[]): Promise<string[]> {
  const piped = given.includes("-") ? (await text(process.stdin)).split(/\s+/) : [];
  return [...given.filter((id) => id !== "-"), ...piped].filter((id) => id !== "");
}

async function reprocess(api: Api, ids: readonly string[], options: ReprocessOptions): Promise<number> {
  const { owner, status, preset, after, before, force = false, dryRun, wait, json } = options;
  const select = {
    ...(owner === undefined ? {} : { owner }),
    ...(status ? { status } : {}),
    ...(preset ? { preset } : {}),
    ...(after ? { uploadedAfter: after } : {}),
    ...(before ? { uploadedBefore: before } : {}),
  };
  if (ids.length === 0 && Object.keys(select).length === 0)
    throw new CliError("Say which images: ids, --status, --owner, --preset, --after or --before.", "usage");
  if (dryRun) {
    for (const batch of batches(ids)) {
      const body = { select: { ...batch, ...select }, force, dryRun: true };
      const estimate = await api.call<DryRun>("POST", "/admin/reprocess", body);
      console.log(json ? JSON.stringify(estimate) : told(estimate));
    }
    return exitCodes.done.status;
  }
  const isAll = ids.length === 0 && Object.keys(select).join() === "status" && status === "all";
  if (isAll && !options.yes && !(await confirmed(api, force))) return exitCodes.failed.status;
  let worst: number = exitCodes.done.status;
  for (const batch of batches(ids)) {
    const body = { select: { ...batch, ...select }, force };
    const job = await api.call<Job>("POST", "/admin/reprocess", body);
    if (!json) note(`Job ${job.id}`);
    if (wait) worst = Math.max(worst, report(await follow(api, job), json));
    else if (json) console.log(JSON.stringify(job));
  }
  return worst;
}

/** One selection without ids, or as many as the ids take. */
function batches(ids: readonly string[]): { ids?: string[] }[] {
  if (ids.length === 0) return [{}];
  return Array.from({ length: Math.ceil(ids.length / IDS_A_JOB) }, (_, i) => ({
    ids: ids.slice(i * IDS_A_JOB, (i + 1) * IDS_A_JOB),
  }));
}

/** Asks only where somebody is there to answer. */
async function confirmed(api: Api, force: boolean): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const body = { select: { status: "all" }, force, dryRun: true };
  note(told(await api.call<DryRun>("POST", "/admin/reprocess", body)));
  return agreed("Go on?");
}

/** For whoever has renamed a preset or taken it away. */
export const goneAdvice = (name: string) =>
  `say formerly: ["${name}"] in the preset that took its place, or nothing new can be made of them.`;

export function told(estimate: DryRun): string {
  const { images, changed, gone, variants, lambdaSeconds, gbSeconds, requests, dollars, exact, sample } =
    estimate;
  const about = exact ? "" : "about ";
  return [
    `${about}${counted(images, "image")}, ${about}${changed} of them to change: ${about}${counted(variants, "variant")} to make`,
    `  about ${duration(lambdaSeconds * 1000)} of Lambda (${gbSeconds} GB-seconds), ${requests.s3} requests to S3, ${requests.sqs} to SQS: ${dollars < 0.01 ? "less than $0.01" : `$${dollars.toFixed(2)}`} by the price list`,
    ...(exact ? [] : [`  extrapolated from ${sample} images`]),
    ...Object.entries(gone).map(
      ([name, of]) => `  ${counted(of, "image")} of the preset ${name}, which is gone: ${goneAdvice(name)}`,
    ),
  ].join("\n");
}
