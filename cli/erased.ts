/** `darkroom erased`: whether anything still names an owner whose images were deleted, and what the CDN still holds. */
import { Command } from "commander";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { s3Versions } from "../adapters/aws/s3-versions.ts";
import { jobProgress } from "../core/job/job-progress.ts";
import { clearTraces, isErased, type Traces, tracesOf } from "../core/sweep/erased.ts";
import { type AwsOptions, findDeployment, withAws } from "./deployment.ts";
import { CliError, exitCodes } from "./exit.ts";
import { withExamples, withJson } from "./options.ts";
import { counted, minute, note, table } from "./terminal.ts";

interface ErasedOptions extends AwsOptions {
  readonly clear?: boolean;
  readonly json?: boolean;
}

export const command = new Command("erased")
  .description("prove that nothing names an owner whose images were deleted; say what the CDN still holds")
  .argument("<owner>", "the `sub` of his tokens")
  .option(
    "--clear",
    "also remove what still names him and serves nobody: entries of deleted images, orders of jobs that are over",
  )
  .action(async (owner: string, options: ErasedOptions) => {
    process.exitCode = await run(owner, options);
  });
withJson(withAws(command), "what was found, as JSON");
withExamples(command, "erased anna", "erased anna --clear --stack darkroom-prod --region eu-central-1");

async function run(owner: string, { clear, json, ...aws }: ErasedOptions): Promise<number> {
  const { buckets, s3 } = await findDeployment(aws);
  const client = s3Client(s3);
  const uploads = s3Store(client, buckets.uploads);
  const now = () => new Date();
  const deps = {
    uploads,
    media: s3Store(client, buckets.media),
    kept: s3Versions(client, buckets.uploads),
    now,
  };
  try {
    let traces = await tracesOf(deps, owner);
    const { cdn } = traces;
    if (clear) {
      if (traces.images.length > 0)
        throw new CliError(
          `${counted(traces.images.length, "image")} of his are there: darkroom delete --owner ${owner}`,
        );
      const isOver = async (job: string) => (await jobProgress({ uploads, now }, job)).state !== "running";
      await clearTraces(deps, traces, isOver);
      // What was cleared has said of when the CDN's day is over.
      traces = { ...(await tracesOf(deps, owner)), cdn };
    }
    const erased = isErased(traces);
    if (json) console.log(JSON.stringify({ owner, erased, ...traces }));
    else print(owner, traces, erased);
    return exitCodes[erased ? "done" : "failed"].status;
  } finally {
    client.destroy();
  }
}

const day = (time: string | undefined) => (time === undefined ? "" : `, the last until ${time.slice(0, 10)}`);
const inUtc = (time: string) => `${minute(time)} (UTC)`;

function print(owner: string, traces: Traces, erased: boolean): void {
  const { images, entries, counts, jobs, events, deliveries, versions, cdn, looked } = traces;
  const row = (what: string, count: number, more = "") => [what, count === 0 ? "none" : `${count}${more}`];
  console.log(
    table(
      ["what names him", "found"],
      [
        row("images that are there", images.length),
        row("entries of deleted images", entries.length, day(traces.entriesUntil)),
        row("counts of what he has", counts.length),
        row("orders of jobs", jobs.length, day(traces.jobsUntil)),
        row("kept events", events.length),
        row("parked webhooks", deliveries.length),
        row("kept versions", versions, ", until undoDays are over"),
      ],
    ),
  );
  const { originals, jobs: orders, events: kept } = looked;
  note(
    `Looked at ${counted(originals, "original")}, ${counted(orders, "job")}, ${counted(kept, "event")} and webhooks.`,
  );
  const waiting = cdn.toForget > 0 ? `; ${counted(cdn.toForget, "image")} still to be forgotten` : "";
  if (cdn.until === undefined)
    console.log(
      "The CDN: of no deleted image is known when that was; a day after the last it holds nothing.",
    );
  else console.log(`The CDN holds nothing of them after ${inUtc(cdn.until)}${waiting}.`);
  if (erased) console.log(`Erased: nothing names ${owner}.`);
  else if (images.length > 0) console.log(`Not erased. Next: darkroom delete --owner ${owner}`);
  else if (entries.length + counts.length + jobs.length > 0)
    console.log(`Not erased yet. Now, and not then: darkroom erased ${owner} --clear`);
  else console.log("Not erased yet: the rest goes by itself.");
}
