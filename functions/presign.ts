/** `POST /uploads`: signs uploads. Computes only: no SDK, no call, a cold start of milliseconds. */
import { randomBytes } from "node:crypto";
import { api } from "../adapters/api.ts";
import { authenticator } from "../adapters/auth.ts";
import { environment } from "../adapters/environment.ts";
import { uploadSigner } from "../adapters/upload-signer.ts";
import { DarkroomError } from "../core/errors.ts";
import { issueUploads, UploadRequest } from "../core/issue-uploads.ts";
import { rateLimit } from "../core/rate-limit.ts";
import config from "../darkroom.config.ts";

export const handler = api(() => {
  const env = environment(
    "UPLOADS_BUCKET",
    "UPLOAD_VALIDITY_SECONDS",
    "LOG_LEVEL",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_S3",
  );
  const now = () => new Date();
  const sign = uploadSigner({
    bucket: env.UPLOADS_BUCKET,
    region: env.AWS_REGION,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
    },
    endpoint: env.AWS_ENDPOINT_URL_S3,
    validitySeconds: env.UPLOAD_VALIDITY_SECONDS ?? 300,
    now,
  });
  const take = rateLimit(now);
  return {
    authenticate: authenticator(now),
    logLevel: env.LOG_LEVEL,
    routes: {
      "POST /uploads": {
        scopes: ["upload", "admin"],
        run: async ({ caller, body, log }) => {
          const request = body(UploadRequest);
          const { maxUploadsPerMinute } = caller;
          const wait = maxUploadsPerMinute
            ? take(caller.owner, request.files.length, maxUploadsPerMinute)
            : 0;
          if (wait > 0)
            throw new DarkroomError("rate-limited", undefined, { headers: { "retry-after": String(wait) } });
          const uploads = await issueUploads({ config, sign, random: randomBytes }, caller, request);
          log("info", "signed", { ids: uploads.map(({ id }) => id) });
          return { status: 201, json: { uploads } };
        },
      },
    },
  };
});
