/**
 * Gives a buffer's memory back at once, whoever still refers to it: V8 lets them pile up, the last picture's beside the
 * next one's (300 MB instead of 245 at the peak of a series of 12 MP photos). Nothing may read it any more.
 */
export function letGo({ buffer, byteLength }: Uint8Array): void {
  // Others share their memory: small ones Node's own, those of WebAssembly an instance's.
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}
