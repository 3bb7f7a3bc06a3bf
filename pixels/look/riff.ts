/** The container of WebP (RFC 9649): its length is said at its start. */
import type { Finding } from "../../core/checks.ts";

export function riffEndsEarly(bytes: Uint8Array): Finding | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isCut = bytes.length < 12 || view.getUint32(4, true) + 8 > bytes.length;
  return isCut ? { check: "ends-early", at: 0 } : undefined;
}
