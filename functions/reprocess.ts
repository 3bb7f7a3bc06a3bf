/** `/admin/…`: jobs, imports among them, what needs attention, and the sweep. Invoked directly, it takes the body of `POST /admin/reprocess`. */
import { ports } from "../adapters/aws/ports.ts";
import { viewSigner } from "../adapters/aws/upload-signer.ts";
import { admin, PAGE, pageOf, parseJson } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { apiAndDirect } from "../adapters/http/direct.ts";
import { jobRoutes } from "../adapters/http/jobs.ts";
import config from "../adapters/presets.ts";
import { FindQuery, listOrFind } from "../core/job/find-images.ts";
import { AskSweep, askSweep, sweepState } from "../core/sweep/ask-sweep.ts";

const FIND_QUERY = ["owner", "ref", "status", "preset", "after", "before", ...PAGE];
const ok = <T>(json: T) => ({ status: 200, json });

export const handler = apiAndDirect("POST /admin/reprocess", () => {
  const { env, deps: made } = ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "BACKFILL_QUEUE_URL",
    "IMPORTS_QUEUE_URL",
  );
  const deps = { ...made, config, signDownload: viewSigner(made.now) };
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: {
      ...jobRoutes(deps),
      "GET /admin/images": admin(async ({ query }) => {
        const page = pageOf(query, 25, 100);
        return ok(await listOrFind(deps, parseJson(query, FindQuery), page));
      }, FIND_QUERY),
      "GET /admin/sweep": admin(async () => ok(await sweepState(deps))),
      "POST /admin/sweep": admin(async ({ body }) => {
        const asked = body(AskSweep);
        return { status: asked.dryRun ? 200 : 202, json: await askSweep(deps, asked) };
      }),
    },
  };
});
