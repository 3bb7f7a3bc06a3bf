/** What a file says in its own words. */
import type { RightName } from "../../core/rights.ts";

/** As it was found, before it is bounded. */
export type Found = Partial<Record<RightName, string>>;

/** Text of a format older than Unicode, which programs write in UTF-8 all the same. */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  }
}
