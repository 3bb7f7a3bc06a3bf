/** `/images…`: the state of an image, an owner's images, originals, deletion. */
import { setTimeout } from "node:timers/promises";
import { ports } from "../adapters/aws/ports.ts";
import { viewSigner } from "../adapters/aws/upload-signer.ts";
import { accessSigner } from "../adapters/cdn/signer.ts";
import { api } from "../adapters/http/api.ts";
import { authenticator } from "../adapters/http/auth.ts";
import { imageRoutes } from "../adapters/http/images.ts";
import config from "../adapters/presets.ts";
import { asker } from "../core/image/ask-again.ts";

const setUp = () =>
  ports(
    "UPLOADS_BUCKET",
    "MEDIA_BUCKET",
    "EVENTS_QUEUE_URL",
    "IMAGES_QUEUE_URL",
    "WORKERS",
    "MEDIA_URL",
    "CDN_KEY_ID",
    "CDN_PRIVATE_KEY",
    "CDN",
    "COOKIE_DOMAIN",
  );

export const handler = api(() => {
  const { env, deps } = setUp();
  return {
    authenticate: authenticator(deps.now),
    logLevel: env.LOG_LEVEL,
    routes: imageRoutes(deps, {
      ask: asker({ ...deps, workers: env.WORKERS }, setTimeout),
      signDownload: viewSigner(deps.now),
      access: { signAccess: accessSigner(env), mediaUrl: env.MEDIA_URL, config, now: deps.now },
      cookieDomain: env.COOKIE_DOMAIN,
    }),
  };
});
