/** Tokens in sample events: `${uploadToken}` and the like, minted anew, as one that is kept expires. */
import { SignJWT, UnsecuredJWT } from "jose";

const HOUR = 3600;

/** `lives` in seconds from now. */
const tokens = {
  uploadToken: { sub: "sample", scope: "upload", lives: HOUR / 2 },
  /** Somebody else's. */
  otherToken: { sub: "another", scope: "upload", lives: HOUR / 2 },
  /** Of one who has the images that `images.list` shows, and no others. */
  listToken: { sub: "collector", scope: "upload", lives: HOUR / 2 },
  adminToken: { sub: "operator", scope: "admin", lives: HOUR / 2 },
  /** Only for avatars of at most 1,000 bytes. */
  narrowToken: { sub: "sample", scope: "upload", lives: HOUR / 2, preset: "avatar", maxBytes: 1000 },
  scopelessToken: { sub: "sample", scope: "", lives: HOUR / 2 },
  expiredToken: { sub: "sample", scope: "upload", lives: -HOUR },
  /** Longer than a token in a path may live. */
  longToken: { sub: "sample", scope: "upload", lives: 12 * HOUR },
  /** `alg: none`. */
  unsignedToken: { sub: "sample", scope: "upload", lives: HOUR / 2, signed: "not" },
  /** By a key that is not ours. */
  forgedToken: { sub: "sample", scope: "upload", lives: HOUR / 2, signed: "by another" },
} as const satisfies Record<string, TokenTerms>;

interface TokenTerms {
  readonly sub: string;
  readonly scope: string;
  readonly lives: number;
  readonly preset?: string;
  readonly maxBytes?: number;
  readonly signed?: "not" | "by another";
}

const placeholderNames = Object.keys(tokens);

/** The event with every `${NAME}` replaced. @throws Error for a name there is not */
export async function fillPlaceholders(event: unknown, secret: string, now: Date): Promise<unknown> {
  const text = JSON.stringify(event) ?? "null";
  const minted = new Map<string, string>();
  for (const [, name = ""] of text.matchAll(/\$\{(\w+)\}/g)) {
    const terms: TokenTerms | undefined = Object.hasOwn(tokens, name)
      ? tokens[name as keyof typeof tokens]
      : undefined;
    if (!terms)
      throw new Error(`\${${name}} means nothing in an event; there are ${placeholderNames.join(", ")}.`);
    if (!minted.has(name)) minted.set(name, await mint(terms, secret, Math.floor(now.getTime() / 1000)));
  }
  return JSON.parse(text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => minted.get(name) ?? ""));
}

async function mint({ lives, signed, ...claims }: TokenTerms, secret: string, now: number): Promise<string> {
  const payload = { ...claims, iat: now, exp: now + lives };
  if (signed === "not") return new UnsecuredJWT(payload).encode();
  const key = new TextEncoder().encode(
    signed === "by another" ? "not the secret of this stack, but as long" : secret,
  );
  return new SignJWT(payload).setProtectedHeader({ alg: "HS256" }).sign(key);
}
