/** Jobs over HTTP: many images developed again, deleted, or imported. */
import { ImportRequest, importReport, startImport } from "../../core/job/import.ts";
import { cancelJob, jobId, listJobs, ReprocessRequest, reprocess } from "../../core/job/job.ts";
import { jobProgress, type Progress } from "../../core/job/job-progress.ts";
import type { Log } from "../../core/ports.ts";
import { admin, PAGE, pageOf, type Routes } from "./api.ts";

const ok = <T>(json: T) => ({ status: 200, json });

function begun(json: Progress, log: Log) {
  log("info", "job", { job: json.id, state: json.state });
  return { status: 202, json };
}

export const jobRoutes = (deps: Parameters<typeof reprocess>[0]): Routes => ({
  "POST /admin/reprocess": admin(async ({ body, log }) => {
    const answer = await reprocess(deps, body(ReprocessRequest));
    return "dryRun" in answer ? ok(answer) : begun(answer, log);
  }),
  "POST /admin/imports": admin(async ({ body, log }) =>
    begun(await startImport(deps, body(ImportRequest)), log),
  ),
  "GET /admin/imports/{id}": admin(async ({ params }) => ok(await importReport(deps, jobId(params["id"])))),
  "GET /admin/jobs": admin(async ({ query }) => ok(await listJobs(deps, pageOf(query, 10, 25))), PAGE),
  "GET /admin/jobs/{id}": admin(async ({ params }) => ok(await jobProgress(deps, jobId(params["id"])))),
  "DELETE /admin/jobs/{id}": admin(async ({ params }) => ok(await cancelJob(deps, jobId(params["id"])))),
});
