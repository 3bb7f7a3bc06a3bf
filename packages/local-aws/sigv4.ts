/**
 * AWS Signature Version 4, the verifying side, written from AWS's documents and from no signer, so that a mistake in
 * a signer cannot hide here. Speaks of signatures only: what a failure is called over HTTP is the server's business.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** When set, every request must carry it. */
  readonly sessionToken?: string;
}

/** A request as it came over the wire: nothing decoded, nothing normalised. */
export interface RawRequest {
  readonly method: string;
  /** Before the `?`. */
  readonly path: string;
  /** After the `?`, without it. */
  readonly query: string;
  /** Names in lower case, in order of arrival; values as Latin-1, one character a byte. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What a signature is checked against. */
export interface Verifier {
  readonly credentials: Credentials;
  readonly region: string;
  /** `s3`, `sqs`… */
  readonly service: string;
  readonly now: Date;
}

export type SigV4Reason =
  | "two-signatures"
  | "not-v4"
  | "malformed"
  | "no-date"
  | "wrong-scope"
  | "unknown-key"
  | "wrong-token"
  | "skewed"
  | "not-yet"
  | "expired"
  | "unsigned-headers"
  | "mismatch";

/** `details` are facts for whoever debugs a signer (string to sign and so on); never a secret. */
export class SigV4Error extends Error {
  override readonly name = "SigV4Error";
  readonly reason: SigV4Reason;
  readonly details: Readonly<Record<string, string>>;

  constructor(reason: SigV4Reason, message: string, details: Record<string, string> = {}) {
    super(message);
    this.reason = reason;
    this.details = details;
  }
}

/** What a request says about its signature; nothing of it is verified. */
export interface Claim {
  /** In the Authorization header, or presigned in the query. */
  readonly how: "header" | "query";
  readonly accessKeyId: string;
  /** `date/region/service/aws4_request`. */
  readonly scope: string;
  readonly timestamp: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly token: string | undefined;
  /** Seconds; presigned only. */
  readonly expires?: number;
}

/** What verifying leaves behind: the seed for the signatures of chunks. */
export interface Verified {
  readonly signature: string;
  readonly timestamp: string;
  readonly scope: string;
  readonly signingKey: Buffer;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
/** S3's documents: "requests must be within 15 minutes of the current time". */
const MAX_SKEW_MS = 15 * 60 * 1000;
/** Seven days, the most a presigned URL may live. */
const MAX_EXPIRES = 604_800;

export const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string): Buffer =>
  createHmac("sha256", key).update(data, "latin1").digest();
const EMPTY_HASH = sha256("");

/** Bytes of a percent-encoded Latin-1 text; undefined where an escape is malformed. */
export function percentDecode(text: string): Buffer | undefined {
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined;
  return Buffer.from(
    text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
}

/** AWS's UriEncode: everything but A-Z a-z 0-9 - . _ ~ as upper-case escapes. */
export function uriEncode(bytes: Buffer, keep = ""): string {
  return bytes
    .toString("latin1")
    .replace(/[^A-Za-z0-9\-._~]/g, (c) =>
      keep.includes(c) ? c : `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
}

/** Names and values of a raw query as bytes in Latin-1; `+` is a space; malformed escapes stand for themselves. */
export function queryPairs(query: string): [name: string, value: string][] {
  const decode = (text: string) =>
    (percentDecode(text.replaceAll("+", " ")) ?? Buffer.from(text, "latin1")).toString("latin1");
  return query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0
        ? [decode(pair), ""]
        : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
    });
}

const headerValue = (request: RawRequest, name: string): string | undefined => {
  const values = request.headers
    .filter(([n]) => n === name)
    // Not `trim`: in Latin-1 it would take 0xA0, the last byte of a UTF-8 "à".
    .map(([, value]) => value.replace(/^[ \t]+|[ \t]+$/g, "").replace(/ +/g, " "));
  return values.length > 0 ? values.join(",") : undefined;
};

/** Undefined for an anonymous request. @throws SigV4Error `two-signatures`, `not-v4`, `malformed`, `no-date` */
export function readClaim(request: RawRequest): Claim | undefined {
  const query = new Map(queryPairs(request.query));
  const authorization = headerValue(request, "authorization");
  const inQuery = ["X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"].some((name) => query.has(name));
  const versionTwo = query.has("AWSAccessKeyId") && query.has("Signature");
  if (authorization !== undefined && (inQuery || versionTwo)) {
    throw new SigV4Error("two-signatures", "a signature in the header and another in the query");
  }
  if (versionTwo) throw new SigV4Error("not-v4", "signature version 2");
  if (inQuery) return claimInQuery(query);
  return authorization === undefined ? undefined : claimInHeader(request, authorization);
}

function claimInHeader(request: RawRequest, authorization: string): Claim {
  if (!authorization.startsWith(`${ALGORITHM} `)) throw new SigV4Error("not-v4", "not AWS4-HMAC-SHA256");
  const fields = new Map<string, string>();
  for (const field of authorization.slice(ALGORITHM.length + 1).split(",")) {
    const equals = field.indexOf("=");
    if (equals < 0) throw new SigV4Error("malformed", "a component of the Authorization header has no value");
    fields.set(field.slice(0, equals).trim(), field.slice(equals + 1).trim());
  }
  const need = (name: string): string => {
    const value = fields.get(name);
    if (!value) throw new SigV4Error("malformed", `the Authorization header has no ${name}`);
    return value;
  };
  return {
    how: "header",
    ...readCredential(need("Credential")),
    timestamp: readTimestamp(headerValue(request, "x-amz-date") ?? headerValue(request, "date")),
    signedHeaders: readSignedHeaders(need("SignedHeaders")),
    signature: need("Signature"),
    token: headerValue(request, "x-amz-security-token"),
  };
}

function claimInQuery(query: ReadonlyMap<string, string>): Claim {
  const need = (name: string): string => {
    const value = query.get(name);
    if (!value) throw new SigV4Error("malformed", `the query has no ${name}`);
    return value;
  };
  if (need("X-Amz-Algorithm") !== ALGORITHM)
    throw new SigV4Error("malformed", `X-Amz-Algorithm only supports ${ALGORITHM}`);
  const expires = need("X-Amz-Expires");
  if (!/^[0-9]+$/.test(expires))
    throw new SigV4Error("malformed", "X-Amz-Expires should be a number of seconds");
  if (Number(expires) < 1 || Number(expires) > MAX_EXPIRES) {
    throw new SigV4Error("malformed", `X-Amz-Expires must be from 1 to ${MAX_EXPIRES} seconds (a week)`);
  }
  const date = need("X-Amz-Date");
  if (parseTimestamp(date) === undefined)
    throw new SigV4Error("malformed", 'X-Amz-Date must be in the ISO8601 form "yyyyMMddTHHmmssZ"');
  return {
    how: "query",
    ...readCredential(need("X-Amz-Credential")),
    timestamp: date,
    signedHeaders: readSignedHeaders(need("X-Amz-SignedHeaders")),
    signature: need("X-Amz-Signature"),
    token: query.get("X-Amz-Security-Token"),
    expires: Number(expires),
  };
}

/** The access key may itself hold slashes, so the scope is the last four parts. */
function readCredential(credential: string): { accessKeyId: string; scope: string } {
  const parts = credential.split("/");
  if (parts.length < 5)
    throw new SigV4Error(
      "malformed",
      "the credential is not <access key>/<date>/<region>/<service>/aws4_request",
    );
  return { accessKeyId: parts.slice(0, -4).join("/"), scope: parts.slice(-4).join("/") };
}

function readSignedHeaders(text: string): string[] {
  const names = text.split(";");
  if (names.some((name) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))) {
    throw new SigV4Error("malformed", "SignedHeaders must be lower-case names separated by semicolons");
  }
  return names.sort();
}

/** Milliseconds of `yyyyMMddTHHmmssZ`; undefined for anything else, also for a 31st of June. */
function parseTimestamp(text: string): number | undefined {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const iso = `${y}-${mo}-${d}T${h}:${mi}:${s}.000Z`;
  const time = Date.parse(iso);
  return Number.isNaN(time) || new Date(time).toISOString() !== iso ? undefined : time;
}

/** A `Date` header in HTTP's form serves as well and is signed in the basic form. */
function readTimestamp(text: string | undefined): string {
  if (text !== undefined && parseTimestamp(text) !== undefined) return text;
  const time = text === undefined || !text.endsWith("GMT") ? Number.NaN : Date.parse(text);
  if (Number.isNaN(time)) throw new SigV4Error("no-date", "a valid Date or x-amz-date header is required");
  return new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

/** One line per fact, as "Create a canonical request" in AWS's documents says. */
function canonicalRequest(
  request: RawRequest,
  { signedHeaders, how }: Pick<Claim, "signedHeaders" | "how">,
  payloadHash: string,
  service: string,
): string {
  const encode = (text: string) => uriEncode(Buffer.from(text, "latin1"));
  const pairs = queryPairs(request.query)
    .filter(([name]) => how === "header" || name !== "X-Amz-Signature")
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  return [
    request.method,
    canonicalPath(request.path, service),
    pairs.map(([name, value]) => `${name}=${value}`).join("&"),
    ...signedHeaders.map((name) => `${name}:${headerValue(request, name) ?? ""}`),
    "",
    signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
}

/** S3 encodes once and normalises nothing (`a//b/../c` is a key); every other service does both. */
function canonicalPath(path: string, service: string): string {
  const wire = Buffer.from(path, "latin1");
  if (service === "s3") return uriEncode(percentDecode(path) ?? wire, "/");
  const segments: string[] = [];
  for (const segment of path.split("/").filter((s) => s !== "" && s !== ".")) {
    if (segment === "..") segments.pop();
    else segments.push(segment);
  }
  const normal = `/${segments.join("/")}${segments.length > 0 && path.endsWith("/") ? "/" : ""}`;
  return uriEncode(Buffer.from(normal, "latin1"), "/");
}

/**
 * @param payloadHash last line of the canonical request: the body's SHA-256 in hex, or S3's `UNSIGNED-PAYLOAD`…
 * @throws SigV4Error every reason that `readClaim` does not throw
 */
export function verify(request: RawRequest, claim: Claim, payloadHash: string, verifier: Verifier): Verified {
  checkScope(claim.scope, claim.timestamp.slice(0, 8), verifier);
  checkKey(claim, verifier.credentials);
  checkTime(claim, verifier.now);
  const unsigned = request.headers
    .map(([name]) => name)
    .filter((name) => (name === "host" || name.startsWith("x-amz-")) && !claim.signedHeaders.includes(name))
    // Presigned, this header only fills the canonical request's last line.
    .filter((name) => !(claim.how === "query" && name === "x-amz-content-sha256"));
  if (!claim.signedHeaders.includes("host")) unsigned.push("host");
  if (unsigned.length > 0) {
    const names = [...new Set(unsigned)].join(", ");
    throw new SigV4Error("unsigned-headers", `headers that must be signed are not: ${names}`, {
      HeadersNotSigned: names,
    });
  }
  const canonical = canonicalRequest(request, claim, payloadHash, verifier.service);
  const stringToSign = [
    ALGORITHM,
    claim.timestamp,
    claim.scope,
    sha256(Buffer.from(canonical, "latin1")),
  ].join("\n");
  const signingKey = keyFor(claim.scope, verifier.credentials);
  if (!equalHex(hmac(signingKey, stringToSign).toString("hex"), claim.signature)) {
    throw new SigV4Error("mismatch", "the signature does not match", {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: stringToSign,
      SignatureProvided: claim.signature,
      CanonicalRequest: canonical,
    });
  }
  return { signature: claim.signature, timestamp: claim.timestamp, scope: claim.scope, signingKey };
}

function checkScope(scope: string, day: string, { region, service }: Verifier): void {
  const expected = [day, region, service, "aws4_request"];
  const labels = ["date", "region", "service", "terminator"];
  scope.split("/").forEach((part, i) => {
    if (part === expected[i]) return;
    throw new SigV4Error(
      "wrong-scope",
      `the ${labels[i]} '${part}' is wrong; expecting '${expected[i]}'`,
      i === 1 ? { Region: region } : {},
    );
  });
}

function checkKey(
  { accessKeyId, token }: { accessKeyId: string; token: string | undefined },
  credentials: Credentials,
): void {
  if (accessKeyId !== credentials.accessKeyId) {
    throw new SigV4Error("unknown-key", "no such access key", { AWSAccessKeyId: accessKeyId });
  }
  // Static credentials have no token to compare with; one that is sent is covered by the signature all the same.
  if (
    credentials.sessionToken !== undefined &&
    !equalHex(sha256(credentials.sessionToken), sha256(token ?? ""))
  ) {
    throw new SigV4Error("wrong-token", "the session token is missing or wrong");
  }
}

function checkTime({ how, timestamp, expires = 0 }: Claim, now: Date): void {
  const signedAt = parseTimestamp(timestamp) ?? 0;
  const age = now.getTime() - signedAt;
  const serverTime = { ServerTime: now.toISOString() };
  if (how === "header" && Math.abs(age) > MAX_SKEW_MS) {
    throw new SigV4Error("skewed", "more than 15 minutes from the server's time", {
      RequestTime: timestamp,
      ...serverTime,
      MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
    });
  }
  if (how === "query" && age < -MAX_SKEW_MS)
    throw new SigV4Error("not-yet", "dated in the future", serverTime);
  if (how === "query" && age > expires * 1000) {
    throw new SigV4Error("expired", "the request has expired", {
      "X-Amz-Expires": String(expires),
      Expires: new Date(signedAt + expires * 1000).toISOString(),
      ...serverTime,
    });
  }
}

const keyFor = (scope: string, { secretAccessKey }: Credentials): Buffer =>
  scope
    .split("/")
    .reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${secretAccessKey}`) as Buffer;

function equalHex(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, "latin1"), Buffer.from(b, "latin1")];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Whether `signature` is that of a chunk with this hash after the chunk (or request) signed `previous`. */
export function isChunkSignature(
  seed: Verified,
  previous: string,
  chunkHash: string,
  signature: string,
): boolean {
  const text = [`${ALGORITHM}-PAYLOAD`, seed.timestamp, seed.scope, previous, EMPTY_HASH, chunkHash].join(
    "\n",
  );
  return equalHex(hmac(seed.signingKey, text).toString("hex"), signature);
}

/** The same for trailing headers; `trailerHash` is over `name:value\n` of each. */
export function isTrailerSignature(
  seed: Verified,
  previous: string,
  trailerHash: string,
  signature: string,
): boolean {
  const text = [`${ALGORITHM}-TRAILER`, seed.timestamp, seed.scope, previous, trailerHash].join("\n");
  return equalHex(hmac(seed.signingKey, text).toString("hex"), signature);
}

/** The fields of a browser's POST form that sign its policy. */
export interface SignedPolicy {
  readonly algorithm: string;
  readonly credential: string;
  readonly timestamp: string;
  /** In base64, as it stands in the form: this text is what is signed. */
  readonly policy: string;
  readonly signature: string;
  readonly token: string | undefined;
}

/** Says nothing about the policy's own expiry and conditions. @throws SigV4Error */
export function verifyPolicy(form: SignedPolicy, verifier: Verifier): void {
  if (form.algorithm !== ALGORITHM)
    throw new SigV4Error("malformed", `x-amz-algorithm only supports ${ALGORITHM}`);
  if (parseTimestamp(form.timestamp) === undefined)
    throw new SigV4Error("malformed", 'x-amz-date must be in the form "yyyyMMddTHHmmssZ"');
  const { accessKeyId, scope } = readCredential(form.credential);
  checkScope(scope, form.timestamp.slice(0, 8), verifier);
  checkKey({ accessKeyId, token: form.token }, verifier.credentials);
  if (equalHex(hmac(keyFor(scope, verifier.credentials), form.policy).toString("hex"), form.signature))
    return;
  throw new SigV4Error("mismatch", "the policy's signature does not match", {
    AWSAccessKeyId: accessKeyId,
    StringToSign: form.policy,
    SignatureProvided: form.signature,
  });
}
