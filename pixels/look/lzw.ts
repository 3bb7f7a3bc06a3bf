/** GIF's codes (GIF89a, appendix F): walked through for their number, or unpacked. */

/** Entries of the table, at most. */
const MOST = 4096;

/**
 * How many pixels the codes stand for, up to `size` of them; as many as there are before a code that does not exist, or
 * before the end of the data.
 * @param bits of a pixel: the minimum code size; @param into where they are put, if at all
 */
export function unpack(data: Uint8Array, bits: number, size: number, into?: Uint8Array): number {
  const clear = 1 << bits;
  const prefix = new Uint16Array(MOST);
  const last = new Uint8Array(MOST);
  const first = new Uint8Array(MOST);
  const lengths = new Uint32Array(MOST);
  for (let i = 0; i < clear; i++) {
    last[i] = i;
    first[i] = i;
    lengths[i] = 1;
  }
  let width = bits + 1;
  let next = clear + 2;
  let before = -1;
  let buffer = 0;
  let count = 0;
  let done = 0;
  for (let at = 0; done < size; ) {
    while (count < width && at < data.length) {
      buffer |= (data[at++] ?? 0) << count;
      count += 8;
    }
    if (count < width) break;
    const code = buffer & ((1 << width) - 1);
    buffer >>>= width;
    count -= width;
    if (code === clear) {
      width = bits + 1;
      next = clear + 2;
      before = -1;
      continue;
    }
    // The end, or a code that nothing stands for yet; the one that is just being made is that before and its first.
    if (
      code === clear + 1 ||
      code > next ||
      (code >= clear && before < 0) ||
      (code === next && next === MOST)
    )
      break;
    if (before >= 0 && next < MOST) {
      prefix[next] = before;
      last[next] = first[code === next ? before : code] ?? 0;
      first[next] = first[before] ?? 0;
      lengths[next] = (lengths[before] ?? 0) + 1;
      next++;
      if (next === 1 << width && width < 12) width++;
    }
    const length = lengths[code] ?? 0;
    if (into) {
      let entry = code;
      for (let to = done + length - 1; to >= done; to--) {
        into[to] = last[entry] ?? 0;
        entry = prefix[entry] ?? 0;
      }
    }
    done += length;
    before = code;
  }
  return Math.min(done, size);
}
