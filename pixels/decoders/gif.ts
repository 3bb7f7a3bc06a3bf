/**
 * GIF, as browsers show it: libvips fills with a background colour what no frame covers, and takes a frame that ends early
 * for a whole one.
 */
import type { FormatName } from "../../core/formats.ts";
import { replaced, withoutIdleAlpha } from "../develop.ts";
import { type GifFrame, pixelsOf, readGif } from "../look/gif.ts";
import { Refused } from "../look/look.ts";
import { shownFor, timesOf } from "../timing.ts";
import { composed, type Frame, mayShowThrough } from "./compose.ts";
import { headerOf, type Source } from "./source.ts";

export async function openGif(bytes: Uint8Array, format: FormatName): Promise<Source> {
  const gif = readGif(bytes);
  if ("check" in gif) throw new Refused(gif);
  const { frames, loop } = gif;
  const drawn = frames.map((frame) => ({
    ...frame,
    after: afterOf(frame),
    replaces: false,
    draw: () => pixelsOf(frame),
  }));
  const alpha = mayShowThrough(drawn, gif, frames[0]?.transparent === -1);
  return {
    header: headerOf(format, gif, { frames: frames.length, alpha, xmp: xmpOf(bytes) }),
    async decode(plan) {
      const base = await replaced(await composed(drawn, gif, alpha, plan), withoutIdleAlpha);
      return { ...base, delay: frames.map(({ delay }) => shownFor(delay)), loop: timesOf(loop) };
    },
  };
}

/** XMP, part 3, 1.1.2: bare, with a trailer of 256 bytes that leads a reader of blocks out of it wherever it is. */
function xmpOf(bytes: Uint8Array): Uint8Array | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = file.indexOf("\x21\xff\x0bXMP DataXMP", 0, "latin1") + 14;
  const end = start < 14 ? -1 : file.indexOf("\x01\xff\xfe", start, "latin1");
  return end < 0 ? undefined : file.subarray(start, end);
}

const afterOf = ({ disposal }: GifFrame): Frame["after"] =>
  disposal === 2 ? "clear" : disposal === 3 ? "restore" : "keep";
