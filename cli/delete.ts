/** `darkroom delete`: says what would go, asks, and starts a job that deletes for good. */
import { Command } from "commander";
import type { DeleteDryRun } from "../core/job/dry-delete.ts";
import type { Progress as Job } from "../core/job/job-progress.ts";
import { type Api, connect } from "./api.ts";
import { CliError, exitCodes } from "./exit.ts";
import { follow, report } from "./follow-job.ts";
import { withApi, withExamples, withJson } from "./options.ts";
import { batches, idsFrom, type SelectOptions, selectOf, withSelect } from "./select.ts";
import { agreed, bytes, counted, isAttended, money, note } from "./terminal.ts";

interface DeleteOptions extends SelectOptions {
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export const command = withSelect(
  new Command("delete").description("delete images for good: says what would go first, and asks"),
)
  .option("-n, --dry-run", "only say what would go, and what that saves")
  .option("--no-wait", "do not wait until it is done")
  .option("-y, --yes", "do not ask")
  .action(async (ids: string[], options: DeleteOptions) => {
    process.exitCode = await run(await connect(options, "admin"), await idsFrom(ids), options);
  });
withJson(withApi(command), "the job, or what would go, as JSON");
withExamples(
  command,
  "delete --owner anna --dry-run",
  "delete qbbfm3f3cr98440ngmn6a6rh3w",
  "delete --status rejected --before 2026-05-01 --yes",
  "find --owner anna --ref order-1234 --json | jq -r .id | darkroom delete - --yes",
);

type Batch = ReturnType<typeof selectOf> & { readonly ids?: string[] };

async function run(api: Api, ids: readonly string[], options: DeleteOptions): Promise<number> {
  const { dryRun, wait, yes, json } = options;
  const select = selectOf(options);
  if (ids.length === 0 && Object.keys(select).length === 0)
    throw new CliError("Say which images: ids, --status, --owner, --preset, --after or --before.", "usage");
  const orders: { select: Batch; would: DeleteDryRun }[] = [];
  for (const batch of batches(ids)) {
    const body = { action: "delete", select: { ...batch, ...select } };
    const would = await api.call<DeleteDryRun>("POST", "/admin/reprocess", { ...body, dryRun: true });
    const { uploadedBefore } = would;
    // What is uploaded while somebody reads this was not in it.
    orders.push({ select: { ...body.select, ...(uploadedBefore ? { uploadedBefore } : {}) }, would });
    if (json && dryRun) console.log(JSON.stringify(would));
    else if (dryRun) console.log(told(would));
    else if (!json) note(told(would));
  }
  if (dryRun) return exitCodes.done.status;
  if (orders.every(({ would }) => would.exact && would.images === 0)) return exitCodes.done.status;
  if (!yes) {
    if (!isAttended())
      throw new CliError("Nobody is there to ask. With --yes they are deleted without a question.", "usage");
    if (!(await agreed("Delete them for good?"))) return exitCodes.failed.status;
  }
  let worst: number = exitCodes.done.status;
  for (const order of orders) {
    const body = { action: "delete", select: order.select };
    const job = await api.call<Job>("POST", "/admin/reprocess", body);
    if (!json) note(`Job ${job.id}`);
    if (wait) worst = Math.max(worst, report(await follow(api, job), json));
    else if (json) console.log(JSON.stringify(job));
  }
  return worst;
}

function told({ images, bytes: kept, exact, sample, dollars, savesMonthly }: DeleteDryRun): string {
  const about = exact ? "" : "about ";
  if (exact && images === 0) return "No image fits this: nothing to delete.";
  return [
    `${about}${counted(images, "image")} to delete: ${about}${bytes(kept.originals)} of originals, ${bytes(kept.variants)} of variants`,
    `  costs ${money(dollars)} once and saves ${money(savesMonthly)} a month by the price list`,
    ...(exact ? [] : [`  extrapolated from ${sample} images`]),
  ].join("\n");
}
