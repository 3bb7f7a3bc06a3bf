/** What the functions share that agree on uploads: the signer's settings and the seals, from the environment. */
import { randomBytes } from "node:crypto";
import type { Config } from "../core/preset.ts";
import { seal } from "../core/upload/seal.ts";
import { signerSettings } from "./aws/upload-signer.ts";
import { environment } from "./environment.ts";
import { authenticator } from "./http/auth.ts";

export function uploadDeps(config: Config) {
  const env = environment("UPLOAD_VALIDITY_SECONDS", "UPLOADS_BY", "AUTH_SECRET", "SEAL_SECRET", "LOG_LEVEL");
  const now = () => new Date();
  const sealSecret = env.SEAL_SECRET ?? env.AUTH_SECRET;
  const validitySeconds = env.UPLOAD_VALIDITY_SECONDS;
  const signer = { ...signerSettings(validitySeconds, now), uploadsBy: env.UPLOADS_BY };
  return {
    env,
    signer,
    authenticate: authenticator(now),
    issue: { config, now, validitySeconds, random: randomBytes, tickets: seal(sealSecret, "ticket", now) },
    uploads: seal(sealSecret, "multipart upload", now),
    passes: seal(sealSecret, "pass", now),
  };
}
