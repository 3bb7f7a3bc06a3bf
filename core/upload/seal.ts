/** Tokens of our own that only we can read or write: what a client carries for us between two requests. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { DarkroomError } from "../errors.ts";

const [ALGORITHM, NONCE_BYTES, TAG_BYTES] = ["aes-256-gcm", 12, 16] as const;

/** Keeps tokens of one kind from being taken for another. */
export type Purpose = "ticket" | "multipart upload" | "pass";

export interface Seal {
  /** Whether there is a secret to seal with. */
  readonly ready: boolean;
  /** `expiresAt` in milliseconds since 1970. URL-safe. */
  close(content: unknown, expiresAt: number): string;
  /** @throws DarkroomError `not-found` for what we did not seal, for this purpose, or what has expired */
  open(token: string): unknown;
}

/** Without a secret all else goes on, and only sealing itself throws: most uploads do not need it. */
export function seal(secret: string | undefined, purpose: Purpose, now: () => Date): Seal {
  const key = () => {
    if (!secret) throw new Error("Uploads in parts need SEAL_SECRET to be set where AUTH_SECRET is not.");
    return Buffer.from(hkdfSync("sha256", secret, "", `darkroom seal: ${purpose}`, 32));
  };
  return {
    ready: Boolean(secret),
    close(content, expiresAt) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, key(), nonce);
      const text = JSON.stringify([expiresAt, content]);
      return Buffer.concat([
        nonce,
        cipher.update(text, "utf8"),
        cipher.final(),
        cipher.getAuthTag(),
      ]).toString("base64url");
    },
    open(token) {
      const refused = new DarkroomError(
        "not-found",
        "This upload is unknown here, or its time is over; begin it anew.",
      );
      const bytes = Buffer.from(token, "base64url");
      // Node skips what is not base64 and ignores spare bits: only our own spelling of a token is one.
      if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString("base64url") !== token) throw refused;
      const decipher = createDecipheriv(ALGORITHM, key(), bytes.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const sealed = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
        const text = decipher.update(sealed, undefined, "utf8") + decipher.final("utf8");
        const [expiresAt, content] = JSON.parse(text) as [number, unknown];
        if (expiresAt < now().getTime()) throw refused;
        return content;
      } catch {
        throw refused;
      }
    },
  };
}
