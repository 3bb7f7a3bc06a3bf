/** `darkroom reprocess`: starts a job, and watches it. */
import { Command } from "commander";
import type { DryRun } from "../core/job/dry-run.ts";
import type { Progress as Job } from "../core/job/job-progress.ts";
import { type Api, connect } from "./api.ts";
import { CliError, exitCodes } from "./exit.ts";
import { follow, report } from "./follow-job.ts";
import { percentage, withApi, withExamples, withJson } from "./options.ts";
import { batches, idsFrom, type SelectOptions, selectOf, withSelect } from "./select.ts";
import { agreed, counted, duration, isAttended, money, note } from "./terminal.ts";

interface ReprocessOptions extends SelectOptions {
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly canary?: number;
  readonly canaryTo: string;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export const command = withSelect(
  new Command("reprocess").description(
    "develop images again: what is missing or changed since, or all of it with --force",
  ),
)
  .option("-f, --force", "make everything anew that is there already")
  .option("-n, --dry-run", "only say what it would do, and what that costs")
  .option(
    "--canary <share>",
    "develop a share here first, such as 1%, say how it differs, and ask",
    percentage,
  )
  .option(
    "--canary-to <folder>",
    "where the canary's page with pairs goes; nothing is written over",
    "canary",
  )
  .option("--no-wait", "do not wait until it is done")
  .option("-y, --yes", "do not ask before a job over all images")
  .action(async (ids: string[], options: ReprocessOptions) => {
    process.exitCode = await reprocess(await connect(options, "admin"), await idsFrom(ids), options);
  });
withJson(withApi(command), "the job, or what it would do, as JSON");
withExamples(
  command,
  "reprocess --status stale --dry-run",
  "reprocess --status stale --canary 1%",
  "reprocess --status failed",
  "reprocess --owner anna --preset avatar --after 2026-05-01 --force",
  "failures --json | jq -r .id | darkroom reprocess -",
);

async function reprocess(api: Api, ids: readonly string[], options: ReprocessOptions): Promise<number> {
  const { status, force = false, dryRun, wait, json } = options;
  const select = selectOf(options);
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
  if (options.canary !== undefined) {
    if (!(await passed(api, ids, options, options.canary))) return exitCodes.failed.status;
    // Whoever said so knows what it is over.
    options = { ...options, yes: true };
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

/** Goes on where somebody says so who has seen what would differ; with --yes, where all could be made. */
async function passed(
  api: Api,
  ids: readonly string[],
  { owner, status, preset, after, before, yes, canaryTo, json }: ReprocessOptions,
  share: number,
): Promise<boolean> {
  const asked = Object.entries({ owner, status, preset, after, before });
  const known = asked.flatMap(([name, value]): [string, string][] => (value ? [[name, value]] : []));
  const query = `${new URLSearchParams(known)}`;
  // Loads the pixel process, which no other way of this command needs.
  const { canary } = await import("./canary.ts");
  // With --json nothing but JSON goes to standard output.
  const isGood = await canary(api, { ids, query, share, folder: canaryTo }, json ? note : console.log);
  if (yes) return isGood;
  if (isAttended() && (await agreed("Go on with all of them?"))) return true;
  note("Nothing has changed. To go on: the same without --canary.");
  return false;
}

/** Asks only where somebody is there to answer. */
async function confirmed(api: Api, force: boolean): Promise<boolean> {
  if (!isAttended()) return true;
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
    `  about ${duration(lambdaSeconds * 1000)} of Lambda (${gbSeconds} GB-seconds), ${requests.s3} requests to S3, ${requests.sqs} to SQS: ${money(dollars)} by the price list`,
    ...(exact ? [] : [`  extrapolated from ${sample} images`]),
    ...Object.entries(gone).map(
      ([name, of]) => `  ${counted(of, "image")} of the preset ${name}, which is gone: ${goneAdvice(name)}`,
    ),
  ].join("\n");
}
