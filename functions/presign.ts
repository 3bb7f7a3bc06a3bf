/** `POST /uploads`: signs uploads. Computes only: no SDK, no call, a cold start of milliseconds. */

import { uploadSigner } from "../adapters/aws/upload-signer.ts";
import { api } from "../adapters/http/api.ts";
import config from "../adapters/presets.ts";
import { uploadDeps } from "../adapters/upload-deps.ts";
import { issueUploads, UploadRequest } from "../core/upload/issue-uploads.ts";
import { rateLimit } from "../core/upload/rate-limit.ts";

export const handler = api(() => {
  const { env, signer, authenticate, issue } = uploadDeps(config);
  const sign = uploadSigner(signer);
  const limit = rateLimit(issue.now);
  return {
    authenticate,
    logLevel: env.LOG_LEVEL,
    routes: {
      "POST /uploads": {
        scopes: ["upload", "admin"],
        run: async ({ caller, body, log }) => {
          const request = body(UploadRequest);
          limit(caller, request.files.length);
          const uploads = await issueUploads({ ...issue, sign }, caller, request);
          log("info", "signed", { ids: uploads.map(({ id }) => id) });
          return { status: 201, json: { uploads } };
        },
      },
    },
  };
});
