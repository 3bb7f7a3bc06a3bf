/** A token of our own making, as a back end signs them. */
import { SignJWT } from "jose";
import type { Scope } from "../../core/caller.ts";

/** @param lives as jose says it: `5m`, `12h` */
export const mintToken = (
  secret: string,
  subject: string,
  scopes: readonly Scope[],
  lives: string,
): Promise<string> =>
  new SignJWT({ scope: scopes.join(" ") })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(lives)
    .sign(new TextEncoder().encode(secret));
