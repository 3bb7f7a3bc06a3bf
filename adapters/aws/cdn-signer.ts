/** Signs what CloudFront serves in private, with AWS's own signer and no I/O. */
import { getSignedCookies } from "@aws-sdk/cloudfront-signer";
import type { SignAccess } from "../../core/image/access.ts";

/** @param privateKey of 2,048 bits of RSA, PKCS #8, base64: its signatures are the same for the same terms, and so are URLs */
export function cdnSigner(keyId: string | undefined, privateKey: string | undefined): SignAccess | undefined {
  if (!keyId || !privateKey) return undefined;
  const lines = privateKey.match(/.{1,64}/g)?.join("\n");
  const pem = `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
  return (pattern, until) => {
    const ends = { DateLessThan: { "AWS:EpochTime": Math.floor(until.getTime() / 1000) } };
    const policy = JSON.stringify({ Statement: [{ Resource: pattern, Condition: ends }] });
    const cookies = getSignedCookies({ keyPairId: keyId, privateKey: pem, policy });
    const named = Object.entries(cookies).map(([name, value]) => [name, String(value)] as const);
    return {
      query: Object.fromEntries(named.map(([name, value]) => [name.replace(/^CloudFront-/, ""), value])),
      cookies: Object.fromEntries(named),
    };
  };
}
