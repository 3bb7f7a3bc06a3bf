/** On a schedule, or asked by a person: mends what no message will. */
import { onSchedule } from "../adapters/aws/on-schedule.ts";
import { ports } from "../adapters/aws/ports.ts";
import config from "../adapters/presets.ts";
import { confirmStop } from "../core/sweep/breaker.ts";
import { sweep } from "../core/sweep/sweep.ts";
import { readSweepRequest } from "../core/sweep/sweep-request.ts";

export const handler = onSchedule(() => {
  const { env, deps } = ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "BACKFILL_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "SUPERSEDED_DAYS",
    "REJECTED_DAYS",
    "ORIGINALS_DAYS",
  );
  const usual = { supersededDays: env.SUPERSEDED_DAYS, rejectedDays: env.REJECTED_DAYS };
  const originalsDays = env.ORIGINALS_DAYS;
  return {
    logLevel: env.LOG_LEVEL,
    name: "sweep",
    // For the batch that is under way: a second or two, a minute while S3 throttles.
    reserveMs: 60_000,
    async turn({ event, until, log, count }) {
      const { confirm, ...request } = readSweepRequest(event, usual);
      if (confirm !== undefined) await confirmStop(deps, confirm);
      const timeLeft = () => deps.now() < until;
      const report = await sweep({ ...deps, originalsDays, config, log }, { ...request, timeLeft });
      // Nothing found is a figure too: it says that the sweep has been there.
      count("Mended", 0);
      count("SweepStopped", report.state === "stopped" ? 1 : 0);
      for (const [deed, mended] of Object.entries(report.done)) count("Mended", mended, deed);
      return report;
    },
  };
});
