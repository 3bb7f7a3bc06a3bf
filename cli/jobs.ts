/** `darkroom jobs`: what runs and what ran, stopping it, going on with it. */
import { Command } from "commander";
import type { Progress as Job } from "../core/job/job-progress.ts";
import { all, connect } from "./api.ts";
import { finishedOf, follow, report, show } from "./follow-job.ts";
import { type ApiOptions, wholeNumber, withApi, withExamples, withJson } from "./options.ts";
import { minute, table } from "./terminal.ts";

interface JobOptions extends ApiOptions {
  readonly json?: boolean;
  readonly wait?: boolean;
  readonly limit: number;
}

export const command = new Command("jobs").description(
  "look at jobs, imports among them, cancel and resume them",
);

const list = new Command("list")
  .description("the last jobs, newest first")
  .option("-n, --limit <n>", "how many", wholeNumber, 10)
  .action(async ({ limit, json, ...options }: JobOptions) => {
    const api = await connect(options, "admin");
    const jobs: Job[] = [];
    for await (const job of all<Job>(api, `/admin/jobs?limit=${Math.min(25, limit)}`, "jobs"))
      if (jobs.push(job) === limit) break;
    if (json) for (const job of jobs) console.log(JSON.stringify(job));
    else console.log(jobs.length > 0 ? listed(jobs) : "There are no jobs.");
  });

const one = new Command("show")
  .description("how far a job is")
  .argument("<id>", "as list shows it")
  .option("-w, --wait", "watch it to its end")
  .action(async (id: string, { json, wait, ...options }: JobOptions) => {
    const api = await connect(options, "admin");
    const job = await api.call<Job>("GET", pathOf(id));
    if (wait) process.exitCode = report(await follow(api, job), json);
    else show(job, json);
  });

const cancel = new Command("cancel")
  .description("stop a job: it does within a page of images; what it made stays")
  .argument("<id>", "as list shows it")
  .action(async (id: string, { json, ...options }: JobOptions) => {
    const job = await (await connect(options, "admin")).call<Job>("DELETE", pathOf(id));
    show(job, json);
  });

const resume = new Command("resume")
  .description("go on with a job that failed, or got stuck, where it stopped")
  .argument("<id>", "as list shows it")
  .option("--no-wait", "do not wait until it is done")
  .action(async (id: string, { json, wait, ...options }: JobOptions) => {
    const api = await connect(options, "admin");
    const job = await api.call<Job>("POST", "/admin/reprocess", { resume: id });
    if (wait) process.exitCode = report(await follow(api, job), json);
    else if (json) console.log(JSON.stringify(job));
  });

for (const inner of [list, one, cancel, resume]) command.addCommand(withJson(withApi(inner)));
withExamples(list, "jobs list", "jobs list --limit 100 --json");
withExamples(one, "jobs show 8204823999999k3v9x2m", "jobs show 8204823999999k3v9x2m --wait");
withExamples(cancel, "jobs cancel 8204823999999k3v9x2m");
withExamples(resume, "jobs resume 8204823999999k3v9x2m");
withExamples(
  command,
  "jobs list",
  "jobs show 8204823999999k3v9x2m --wait",
  "jobs resume 8204823999999k3v9x2m",
);

const pathOf = (id: string) => `/admin/jobs/${encodeURIComponent(id)}`;

function listed(jobs: readonly Job[]): string {
  const rows = jobs.map((job) => [
    job.id,
    job.state,
    minute(job.startedAt),
    [
      ...Object.entries(job.select).map(([name, value]) => `${name}: ${value}`),
      ...(job.force ? ["force"] : []),
      ...(job.action === "develop" ? [] : [job.action]),
    ].join(", "),
    `${finishedOf(job)}/${job.total ?? "?"}`,
    `${job.rejected + job.failed}`,
  ]);
  return table(["id", "state", "started (UTC)", "images", "finished", "in trouble"], rows);
}
