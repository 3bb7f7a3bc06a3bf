/** Keys of the local stack, and the tokens signed with them. */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mintToken } from "../adapters/http/mint.ts";

/** The user's own, so that a back end can mint tokens with it; else one made at the first start. */
export function keptSecret(data: string, own: string | undefined): string {
  const file = join(data, "secret");
  if (own) writePrivate(file, own);
  if (!existsSync(file)) writePrivate(file, randomBytes(48).toString("base64url"));
  return readFileSync(file, "utf8");
}

export function derivedWebhookSecret(secret: string): string {
  return `whsec_${createHmac("sha256", secret).update("webhooks").digest("base64")}`;
}

/** By which the media URL knows what is signed for private images, as CloudFront does; made at the first start. */
export function keptCdnKey(data: string): { id: string; privateKey: string; publicKey: KeyObject } {
  const file = join(data, "cdn-key");
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writePrivate(file, privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"));
  }
  const privateKey = readFileSync(file, "utf8");
  const key = createPrivateKey({ key: Buffer.from(privateKey, "base64"), type: "pkcs8", format: "der" });
  return { id: "KLOCAL", privateKey, publicKey: createPublicKey(key) };
}

/** Both tokens that the page and the command line work with. */
export async function mintTokens(secret: string, hours: number) {
  return {
    uploadToken: await mintToken(secret, "local", ["upload", "original"], `${hours}h`),
    adminToken: await mintToken(secret, "local", ["upload", "admin"], `${hours}h`),
  };
}

export function writePrivate(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
}
