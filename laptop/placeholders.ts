/**
 * What sample events leave open, made anew, as one that is kept expires: tokens, `${uploadToken}` and the like; and
 * what the API seals for a sample image, `${ticket:ID}` and `${uploadId:ID}`.
 */
import { SignJWT, UnsecuredJWT } from "jose";
import { seal } from "../core/upload/seal.ts";
import { agreementOn } from "./samples.ts";

const HOUR = 3600;

/** `lives` in seconds from now. */
const tokens = {
  uploadToken: { sub: "sample", scope: "upload", lives: HOUR / 2 },
  /** May have originals back as well. */
  originalToken: { sub: "sample", scope: "upload original", lives: HOUR / 2 },
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

const placeholderNames = [...Object.keys(tokens), "ticket:ID", "uploadId:ID", "webhookUrl"];
const PLACEHOLDER = /\$\{(\w+)(?::(\w+))?\}/g;

/**
 * The event with every `${NAME}` replaced.
 * @param uploadIds S3's, by sample
 * @param webhookUrl of the stack's own receiver
 * @throws Error for a name there is not
 */
export async function fillPlaceholders(
  event: unknown,
  secret: string,
  now: Date,
  uploadIds: ReadonlyMap<string, string>,
  webhookUrl: string,
): Promise<unknown> {
  const text = JSON.stringify(event) ?? "null";
  const expiresAt = now.getTime() + HOUR * 1000;
  const contentOf = (name: string, id: string | undefined): string | Promise<string> => {
    if (id !== undefined && name === "ticket")
      return seal(secret, "ticket", () => now).close(agreementOn(id), expiresAt);
    const uploadId = uploadIds.get(id ?? "");
    if (id !== undefined && name === "uploadId" && uploadId) {
      const { metadata: _, type: __, ...limits } = agreementOn(id);
      return seal(secret, "multipart upload", () => now).close({ ...limits, uploadId }, expiresAt);
    }
    if (id === undefined && name === "webhookUrl") return webhookUrl;
    if (id === undefined && Object.hasOwn(tokens, name))
      return mint(tokens[name as keyof typeof tokens], secret, Math.floor(now.getTime() / 1000));
    throw new Error(
      `\${${id === undefined ? name : `${name}:${id}`}} means nothing in an event; there are ${placeholderNames.join(", ")}.`,
    );
  };
  const filled = new Map<string, string>();
  for (const [placeholder, name = "", id] of text.matchAll(PLACEHOLDER)) {
    if (!filled.has(placeholder)) filled.set(placeholder, await contentOf(name, id));
  }
  return JSON.parse(text.replaceAll(PLACEHOLDER, (placeholder) => filled.get(placeholder) ?? ""));
}

async function mint({ lives, signed, ...claims }: TokenTerms, secret: string, now: number): Promise<string> {
  const payload = { ...claims, iat: now, exp: now + lives };
  if (signed === "not") return new UnsecuredJWT(payload).encode();
  const key = new TextEncoder().encode(
    signed === "by another" ? "not the secret of this stack, but as long" : secret,
  );
  return new SignJWT(payload).setProtectedHeader({ alg: "HS256" }).sign(key);
}
