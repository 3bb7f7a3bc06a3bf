/** `/s3/…`: uploads in parts, and single ones as Uppy asks for them. */

import { multipartStore } from "../adapters/aws/multipart-store.ts";
import { s3Client } from "../adapters/aws/s3-store.ts";
import { bucketUrl, partSigner, uploadSigner } from "../adapters/aws/upload-signer.ts";
import { api } from "../adapters/http/api.ts";
import { companionRoutes, type Originals } from "../adapters/http/companion.ts";
import { xmlRoutes } from "../adapters/http/multipart-xml.ts";
import config from "../adapters/presets.ts";
import { uploadDeps } from "../adapters/upload-deps.ts";
import type { Caller } from "../core/caller.ts";
import { agreeOnUpload } from "../core/upload/issue-uploads.ts";
import { rateLimit } from "../core/upload/rate-limit.ts";

const scopes = ["upload", "admin"] as const;

export const handler = api(() => {
  const { env, signer, authenticate, issue, uploads, passes } = uploadDeps(config);
  const { bucket, endpoint } = signer;
  const client = s3Client({ forcePathStyle: endpoint !== undefined });
  const store = multipartStore(client, bucket);
  const limit = rateLimit(issue.now);
  const deps = {
    ...{ store, sign: partSigner(signer), tickets: issue.tickets, uploads, passes, now: issue.now },
    count: (caller: Caller) => limit(caller, 1),
  };
  const originals: Originals = {
    agree: (caller, file) => agreeOnUpload(issue, caller, file),
    sign: uploadSigner(signer),
    validitySeconds: issue.validitySeconds,
    where: (key) => ({ bucket, location: `${bucketUrl(signer)}/${key}` }),
  };
  return {
    authenticate,
    logLevel: env.LOG_LEVEL,
    routes: { ...companionRoutes(deps, originals, scopes), ...xmlRoutes(deps, originals, scopes) },
  };
});
