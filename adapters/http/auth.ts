/** Who calls: verifies bearer tokens with `jose`. With no key configured every request is refused. */
import {
  createRemoteJWKSet,
  decodeProtectedHeader,
  type JWTPayload,
  errors as joseErrors,
  jwtVerify,
} from "jose";
import * as v from "valibot";
import { type Caller, type Scope, scopes } from "../../core/caller.ts";
import { DarkroomError } from "../../core/errors.ts";
import { ownerOf } from "../../core/keys.ts";
import { ATTACH_WITHIN, isRef } from "../../core/upload-metadata.ts";
import { environment } from "../environment.ts";

/** @throws DarkroomError `unauthenticated`; `unavailable` where the provider's keys cannot be had */
export type Authenticate = (token: string | undefined, where: "header" | "path") => Promise<Caller>;

const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
/** 0: nothing more. */
const limit = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1e15 - 1));
const Claims = v.object({
  sub: v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(1024),
    v.check((sub) => sub.isWellFormed(), "not Unicode"),
  ),
  exp: v.number(),
  /** Space-separated, as in OAuth, or a list. */
  scope: v.union([v.string(), v.array(v.string())]),
  preset: v.optional(v.string()),
  maxBytes: v.optional(positive),
  maxUploadsPerMinute: v.optional(positive),
  ref: v.optional(v.pipe(v.string(), v.check(isRef, "1 to 256 characters, 512 bytes"))),
  maxImages: v.optional(limit),
  maxOwnerBytes: v.optional(limit),
  attachWithin: v.optional(v.pipe(positive, v.minValue(ATTACH_WITHIN.from), v.maxValue(ATTACH_WITHIN.to))),
});

/** A token in a path ends up in histories and referrers: it must not live long. */
const PATH_TOKEN_SECONDS = 3600;

/**
 * What jose throws because of the token. Everything else is the provider's fault, for which nobody may be logged out:
 * fetch's TypeError, a time-out, and the bare JOSEError for an answer that is not 200 or not JSON.
 */
const tokensFaults = [
  joseErrors.JWTExpired,
  joseErrors.JWTClaimValidationFailed,
  joseErrors.JWTInvalid,
  joseErrors.JWSInvalid,
  joseErrors.JWSSignatureVerificationFailed,
  joseErrors.JOSEAlgNotAllowed,
  joseErrors.JOSENotSupported,
  joseErrors.JWKSNoMatchingKey,
  joseErrors.JWKSMultipleMatchingKeys,
];
const tokensFault = (error: unknown) => tokensFaults.some((fault) => error instanceof fault);

export function authenticator(now: () => Date): Authenticate {
  const { AUTH_SECRET, AUTH_SECRET_PREVIOUS, AUTH_JWKS_URL, AUTH_ISSUER, AUTH_AUDIENCE } = environment(
    "AUTH_SECRET",
    "AUTH_SECRET_PREVIOUS",
    "AUTH_JWKS_URL",
    "AUTH_ISSUER",
    "AUTH_AUDIENCE",
  );
  if (AUTH_JWKS_URL && !(AUTH_ISSUER && AUTH_AUDIENCE)) {
    throw new Error(
      "AUTH_JWKS_URL needs AUTH_ISSUER and AUTH_AUDIENCE: a provider's keys sign tokens for others too.",
    );
  }
  const [secret, ...previous] = [AUTH_SECRET, AUTH_SECRET_PREVIOUS].flatMap((one) =>
    one ? [new TextEncoder().encode(one)] : [],
  );
  const keys = AUTH_JWKS_URL
    ? createRemoteJWKSet(new URL(AUTH_JWKS_URL), { timeoutDuration: 1500 })
    : undefined;

  const verify = async (token: string, alg: string | undefined): Promise<JWTPayload> => {
    const common = { currentDate: now(), requiredClaims: ["exp", "sub"], clockTolerance: 5 };
    // The algorithm is chosen by what is configured; a token may only pick among these, never `none`.
    const symmetric = alg === "HS256";
    if (symmetric && secret) {
      const options = { ...common, algorithms: ["HS256"] };
      return (await withEither(secret, previous[0], (key) => jwtVerify(token, key, options))).payload;
    }
    if (!symmetric && keys && AUTH_ISSUER && AUTH_AUDIENCE) {
      const named = { issuer: AUTH_ISSUER, audience: AUTH_AUDIENCE, algorithms: ["RS256", "ES256"] };
      return (await jwtVerify(token, keys, { ...common, ...named })).payload;
    }
    throw new joseErrors.JOSEAlgNotAllowed("not configured");
  };

  return async (token, where) => {
    if (!token) throw refused("Send a token: Authorization: Bearer …");
    let payload: JWTPayload;
    try {
      payload = await verify(token, algorithmOf(token));
    } catch (error) {
      if (error instanceof joseErrors.JWTExpired) throw refused("The token has expired; get a new one.");
      if (tokensFault(error)) throw refused("The token is not valid here.");
      throw new DarkroomError("unavailable", "The keys that verify tokens cannot be reached.", {
        cause: error,
      });
    }
    const claims = v.safeParse(Claims, payload);
    if (!claims.success)
      throw refused(
        `The token's claims are not valid: ${claims.issues.map((i) => v.getDotPath(i)).join(", ")}.`,
      );
    return callerOf(claims.output, where, now());
  };
}

/** While one secret replaces another, what the first did not sign may be by the second. */
async function withEither<T>(
  first: Uint8Array,
  second: Uint8Array | undefined,
  verify: (key: Uint8Array) => Promise<T>,
): Promise<T> {
  try {
    return await verify(first);
  } catch (error) {
    if (second && error instanceof joseErrors.JWSSignatureVerificationFailed) return verify(second);
    throw error;
  }
}

function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg;
  } catch {
    // A TypeError, as of a fetch that failed, but of the token's making.
    throw new joseErrors.JWSInvalid("no protected header");
  }
}

function callerOf(claims: v.InferOutput<typeof Claims>, where: "header" | "path", now: Date): Caller {
  const granted = new Set<Scope>();
  const named = [claims.scope].flat().flatMap((scope) => scope.split(" "));
  for (const scope of scopes) if (named.includes(scope)) granted.add(scope);
  if (where === "path") {
    granted.delete("admin");
    if (claims.exp - now.getTime() / 1000 > PATH_TOKEN_SECONDS + 5) {
      throw refused("A token in the path may be valid for one hour at most.");
    }
  }
  const { preset, maxBytes, maxUploadsPerMinute, ref, attachWithin, maxImages, maxOwnerBytes } = claims;
  return {
    owner: ownerOf(claims.sub),
    scopes: granted,
    ...(preset === undefined ? {} : { preset }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxUploadsPerMinute === undefined ? {} : { maxUploadsPerMinute }),
    ...(ref === undefined ? {} : { ref }),
    ...(attachWithin === undefined ? {} : { attachWithin }),
    ...(maxImages === undefined ? {} : { maxImages }),
    ...(maxOwnerBytes === undefined ? {} : { maxOwnerBytes }),
  };
}

function refused(detail: string): DarkroomError {
  return new DarkroomError("unauthenticated", detail, { headers: { "www-authenticate": "Bearer" } });
}
