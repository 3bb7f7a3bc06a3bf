/** Who signs for private images: whichever CDN serves them. */
import { createHmac } from "node:crypto";
import type { SignAccess } from "../../core/image/access.ts";
import { cdnSigner } from "../aws/cdn-signer.ts";

/** Undefined without a key, and for CDNs that verify no signature of their own. */
export const accessSigner = ({
  CDN = "cloudfront",
  CDN_KEY_ID,
  CDN_PRIVATE_KEY,
}: Partial<Record<"CDN" | "CDN_KEY_ID" | "CDN_PRIVATE_KEY", string | undefined>>): SignAccess | undefined => {
  if (CDN === "bunny") return bunnySigner(CDN_PRIVATE_KEY);
  return CDN === "cloudfront" ? cdnSigner(CDN_KEY_ID, CDN_PRIVATE_KEY) : undefined;
};

/**
 * By Bunny's token authentication: HMAC-SHA256 over the folder, the end and what else stands in the query.
 * https://docs.bunny.net/docs/cdn-token-authentication
 * @param key the pull zone's token authentication key
 */
function bunnySigner(key: string | undefined): SignAccess | undefined {
  if (!key) return undefined;
  return (pattern, until) => {
    const folder = new URL(pattern.replace(/\*$/, "")).pathname;
    const expires = String(Math.floor(until.getTime() / 1000));
    const mac = createHmac("sha256", key).update(`${folder}${expires}token_path=${folder}`);
    // It knows no cookies: a query for each URL, and the same for all below the folder.
    return { query: { token: `HS256-${mac.digest("base64url")}`, token_path: folder, expires }, cookies: {} };
  };
}
