/** S3's rules round Signature Version 4: where the payload's hash stands, and what each failure is called. */
import { type Claim, readClaim, SigV4Error, type SigV4Reason, type Verifier, verify } from "../sigv4.ts";
import { S3Error, type S3ErrorCode } from "./errors.ts";
import type { S3Request } from "./request.ts";

const V4_ONLY =
  "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";

/** One code for each place a signature can stand, and S3's sentence: "" for the code's own, none for sigv4's. */
const codes: Readonly<
  Record<SigV4Reason, readonly [header: S3ErrorCode, query: S3ErrorCode, message?: string]>
> = {
  "two-signatures": [
    "InvalidArgument",
    "InvalidArgument",
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
  ],
  "not-v4": ["InvalidRequest", "InvalidRequest", V4_ONLY],
  malformed: ["AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"],
  "no-date": [
    "AccessDenied",
    "AccessDenied",
    "AWS authentication requires a valid Date or x-amz-date header",
  ],
  "wrong-scope": ["AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"],
  "unknown-key": ["InvalidAccessKeyId", "InvalidAccessKeyId", ""],
  "wrong-token": ["InvalidToken", "InvalidToken", ""],
  skewed: ["RequestTimeTooSkewed", "RequestTimeTooSkewed", ""],
  "not-yet": ["AccessDenied", "AccessDenied", "Request is not valid yet"],
  expired: ["AccessDenied", "AccessDenied", "Request has expired"],
  "unsigned-headers": [
    "AccessDenied",
    "AccessDenied",
    "There were headers present in the request which were not signed",
  ],
  mismatch: ["SignatureDoesNotMatch", "SignatureDoesNotMatch", ""],
};

/** What S3 says before it says what. */
const malformed = {
  header: "The authorization header is malformed; ",
  query: "The authorization parameters are malformed; ",
};

/** S3's name for what is wrong with a signature. */
export function signatureError(error: SigV4Error, how: Claim["how"]): S3Error {
  const [header, query, message = malformed[how] + error.message] = codes[error.reason];
  const code = how === "header" ? header : query;
  return new S3Error(code, message || undefined, { ...error.details }, { cause: error });
}

const payloadKinds = new Set([
  "UNSIGNED-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
]);

function payloadOf({ how }: Claim, { query, headers }: S3Request): string {
  const payload =
    (how === "query" ? query.get("X-Amz-Content-Sha256") : undefined) ??
    headers.get("x-amz-content-sha256") ??
    (how === "query" ? "UNSIGNED-PAYLOAD" : undefined);
  if (payload === undefined) {
    throw new S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  }
  if (payloadKinds.has(payload) || /^[0-9a-f]{64}$/.test(payload)) return payload;
  throw new S3Error(
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a supported STREAMING value, or a valid sha256 value.",
    {
      ArgumentName: "x-amz-content-sha256",
      ArgumentValue: payload,
    },
  );
}

/** The request with its signature verified; its body is verified as it is read. @throws S3Error */
export function authenticate(request: S3Request, verifier: Verifier): S3Request {
  const how = /(^|&)X-Amz-/.test(request.raw.query) ? "query" : "header";
  try {
    const claim = readClaim(request.raw);
    if (claim === undefined) throw new S3Error("AccessDenied");
    const payload = payloadOf(claim, request);
    return { ...request, payload, verified: verify(request.raw, claim, payload, verifier) };
  } catch (error) {
    throw error instanceof SigV4Error ? signatureError(error, how) : error;
  }
}
