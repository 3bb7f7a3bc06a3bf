/**
 * Whether CloudFront would serve a request under a trusted key group: its signed URLs and cookies, as its documentation has
 * them (AmazonCloudFront/latest/DeveloperGuide/PrivateContent.html). What is not understood is refused.
 */
import { createVerify, type KeyObject } from "node:crypto";

export interface SignedRequest {
  /** As the viewer sent it, query and all. */
  readonly url: URL;
  /** The header. */
  readonly cookie?: string | undefined;
  readonly sourceIp?: string | undefined;
}

/** @param keys by their ids @returns why not; undefined where it is served */
export function refusalOf(
  { url, cookie, sourceIp }: SignedRequest,
  keys: ReadonlyMap<string, KeyObject>,
  now: Date,
): string | undefined {
  const query = url.searchParams;
  const cookies = cookiesOf(cookie ?? "");
  // Of both the URL counts.
  const isInUrl = query.has("Signature") || query.has("Key-Pair-Id");
  const of = (name: string) => (isInUrl ? query.get(name) : cookies.get(`CloudFront-${name}`)) ?? undefined;
  const [keyId, signature] = [of("Key-Pair-Id"), of("Signature")];
  if (!keyId || !signature) return "MissingKey";
  const key = keys.get(keyId);
  if (!key) return "unknown key";
  const plain = withoutSignature(url);
  const encoded = of("Policy");
  const expires = of("Expires");
  const policy = encoded ? decoded(encoded).toString("utf8") : cannedPolicy(plain, expires);
  if (!policy) return "malformed policy";
  const hash = of("Hash-Algorithm") ?? "SHA1";
  if (hash !== "SHA1" && hash !== "SHA256") return "unknown algorithm";
  const isRight = createVerify(`RSA-${hash}`).update(policy).verify(key, decoded(signature));
  return isRight ? refusalBy(policy, plain, sourceIp, now) : "wrong signature";
}

function cookiesOf(header: string): Map<string, string> {
  return new Map(
    header.split(/;\s*/).map((pair) => {
      const [name = "", ...value] = pair.split("=");
      return [name.trim(), value.join("=")];
    }),
  );
}

const SIGNATURE = new Set(["Policy", "Signature", "Key-Pair-Id", "Expires", "Hash-Algorithm"]);
/** The URL that a policy speaks of; its path as RFC 3986 has it, so that no `..` is left. */
function withoutSignature(url: URL): string {
  const rest = url.search
    .slice(1)
    .split("&")
    .filter((pair) => pair !== "" && !SIGNATURE.has(pair.split("=")[0] ?? ""));
  return `${url.origin}${url.pathname}${rest.length > 0 ? `?${rest.join("&")}` : ""}`;
}

/** Base64 in which `+`, `=` and `/` are `-`, `_` and `~`. */
const decoded = (text: string) =>
  Buffer.from(
    text.replaceAll(/[-_~]/g, (character) => ({ "-": "+", _: "=", "~": "/" })[character] ?? ""),
    "base64",
  );

const cannedPolicy = (url: string, expires: string | undefined) =>
  expires && /^[0-9]{1,12}$/.test(expires)
    ? `{"Statement":[{"Resource":"${url}","Condition":{"DateLessThan":{"AWS:EpochTime":${expires}}}}]}`
    : undefined;

interface Statement {
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function refusalBy(policy: string, url: string, sourceIp: string | undefined, now: Date): string | undefined {
  let statement: Statement | undefined;
  try {
    const { Statement: statements } = JSON.parse(policy) as { Statement?: readonly Statement[] };
    if (statements?.length === 1) [statement] = statements;
  } catch {
    return "malformed policy";
  }
  const { Resource: resource = "*", Condition: conditions = {} } = statement ?? {};
  const seconds = now.getTime() / 1000;
  const { DateLessThan, DateGreaterThan, IpAddress, ...others } = conditions;
  const ends = DateLessThan?.["AWS:EpochTime"];
  if (typeof resource !== "string" || typeof ends !== "number" || Object.keys(others).length > 0)
    return "malformed policy";
  if (!matches(resource, url)) return "another resource";
  if (seconds >= ends) return "expired";
  const begins = DateGreaterThan?.["AWS:EpochTime"] ?? 0;
  if (typeof begins !== "number" || seconds <= begins) return "not yet";
  const address = IpAddress?.["AWS:SourceIp"] ?? "0.0.0.0/0";
  return address === "0.0.0.0/0" || address === sourceIp || address === `${sourceIp}/32`
    ? undefined
    : "another address";
}

/** `*` is any number of characters, `?` is one. */
function matches(pattern: string, url: string): boolean {
  const plain = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${plain}$`, "s").test(url);
}
