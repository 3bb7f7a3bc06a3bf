/** What the functions share that agree on uploads: the signer's settings and the seals, from the environment. */
import { randomBytes } from "node:crypto";
import type { Config } from "../core/preset.ts";
import { seal } from "../core/upload/seal.ts";
import type { SignerSettings } from "./aws/upload-signer.ts";
import { environment } from "./environment.ts";
import { authenticator } from "./http/auth.ts";

export function uploadDeps(config: Config) {
  const env = environment(
    "UPLOADS_BUCKET",
    "UPLOAD_VALIDITY_SECONDS",
    "AUTH_SECRET",
    "SEAL_SECRET",
    "LOG_LEVEL",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_S3",
  );
  const now = () => new Date();
  const sealSecret = env.SEAL_SECRET ?? env.AUTH_SECRET;
  const validitySeconds = env.UPLOAD_VALIDITY_SECONDS;
  const signer: SignerSettings = {
    bucket: env.UPLOADS_BUCKET,
    region: env.AWS_REGION,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
    },
    endpoint: env.AWS_ENDPOINT_URL_S3,
    validitySeconds,
    now,
  };
  return {
    env,
    signer,
    authenticate: authenticator(now),
    issue: { config, now, validitySeconds, random: randomBytes, tickets: seal(sealSecret, "ticket", now) },
    uploads: seal(sealSecret, "multipart upload", now),
  };
}
