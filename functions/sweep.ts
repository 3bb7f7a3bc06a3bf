/** On a schedule, or asked by a person: mends what no message will. */
import middy from "@middy/core";
import { meter } from "../adapters/aws/metrics.ts";
import { ports } from "../adapters/aws/ports.ts";
import { jsonLog } from "../adapters/log.ts";
import config from "../adapters/presets.ts";
import { type SweepReport, sweep } from "../core/sweep/sweep.ts";
import { readSweepRequest } from "../core/sweep/sweep-request.ts";

/** Of the invocation's time, for the batch that is under way: a second or two, a minute while S3 throttles. */
const RESERVE_MS = 60_000;

const setUp = () =>
  ports("UPLOADS_BUCKET", "MEDIA_BUCKET", "BACKFILL_QUEUE_URL", "EVENTS_QUEUE_URL", "SUPERSEDED_DAYS");
let made: ReturnType<typeof setUp> | undefined;
const measured = meter();

export const handler = middy<unknown, SweepReport>()
  .use(measured.middleware)
  .handler(async (event, context): Promise<SweepReport> => {
    made ??= setUp();
    const { env, deps } = made;
    const log = jsonLog(env.LOG_LEVEL, { requestId: context.awsRequestId });
    const timeLeft = () => context.getRemainingTimeInMillis() > RESERVE_MS;
    const request = readSweepRequest(event, env.SUPERSEDED_DAYS);
    const report = await sweep({ ...deps, config, log }, { ...request, timeLeft });
    log("info", "sweep", { ...report });
    // Nothing found is a figure too: it says that the sweep has been there.
    measured.count("Mended", 0);
    for (const [deed, count] of Object.entries(report.done)) measured.count("Mended", count, deed);
    return report;
  });
