/** `/admin/…`: re-process jobs, and what needs attention. Invoked directly, it takes the body of `POST /admin/reprocess`. */
import { randomBytes } from "node:crypto";
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { environment } from "../adapters/environment.ts";
import { api, parseJson, problemDocument, type Route, wholeNumber } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { jsonLog } from "../adapters/log.ts";
import { DarkroomError } from "../core/errors.ts";
import { cancelJob, jobId, listJobs, ReprocessRequest, reprocess } from "../core/job/job.ts";
import { jobProgress } from "../core/job/job-progress.ts";
import { AttentionStatus, listAttention } from "../core/job/list-attention.ts";
import config from "../darkroom.config.ts";

let made: ReturnType<typeof setUp> | undefined;

function setUp() {
  const env = environment(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "BACKFILL_QUEUE_URL",
    "LOG_LEVEL",
    "AWS_ENDPOINT_URL_S3",
  );
  const s3 = s3Client({ forcePathStyle: env.AWS_ENDPOINT_URL_S3 !== undefined });
  const deps = {
    uploads: s3Store(s3, env.UPLOADS_BUCKET),
    media: s3Store(s3, env.MEDIA_BUCKET),
    backfill: sqsQueue(sqsClient(), env.BACKFILL_QUEUE_URL),
    config,
    now: () => new Date(),
    random: randomBytes,
  };
  return { env, deps };
}

const http = api(() => {
  made ??= setUp();
  const { env, deps } = made;
  const admin = (run: Route["run"]): Route => ({ scopes: ["admin"], run });
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "POST /admin/reprocess": admin(async ({ body, log }) => {
        const json = await reprocess(deps, body(ReprocessRequest));
        if ("dryRun" in json) return { status: 200, json };
        log("info", "job", { job: json.id, state: json.state });
        return { status: 202, json };
      }),
      "GET /admin/jobs": admin(async ({ query }) => {
        const limit = wholeNumber(query, "limit", { byDefault: 10, from: 1, to: 25 });
        const page = { limit, cursor: query["cursor"] };
        return { status: 200, json: await listJobs(deps, page) };
      }),
      "GET /admin/jobs/{id}": admin(async ({ params }) => {
        return { status: 200, json: await jobProgress(deps, jobId(params["id"])) };
      }),
      "DELETE /admin/jobs/{id}": admin(async ({ params }) => {
        return { status: 200, json: await cancelJob(deps, jobId(params["id"])) };
      }),
      "GET /admin/images": admin(async ({ query }) => {
        const status = parseJson(query["status"], AttentionStatus);
        const limit = wholeNumber(query, "limit", { byDefault: 25, from: 1, to: 100 });
        const page = { limit, cursor: query["cursor"] };
        return { status: 200, json: await listAttention(deps, status, page) };
      }),
    },
  };
});

export async function handler(event: APIGatewayProxyEventV2 | object, context: Context): Promise<unknown> {
  if ("routeKey" in event) return http(event, context);
  // Whoever may invoke the function is an admin: IAM says so.
  made ??= setUp();
  try {
    const answer = await reprocess(made.deps, parseJson(event, ReprocessRequest));
    const log = jsonLog(made.env.LOG_LEVEL, { requestId: context.awsRequestId });
    if ("state" in answer) log("info", "job", { job: answer.id, state: answer.state });
    return answer;
  } catch (error) {
    if (!(error instanceof DarkroomError)) throw error;
    return problemDocument(error, context.awsRequestId).json;
  }
}
