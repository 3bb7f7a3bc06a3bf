/** What libvips decodes, through sharp. */
import sharp from "sharp";
import { type FormatName, formats } from "../../core/formats.ts";
import { type Colours, coloursOf } from "../colour/colours.ts";
import { rasterOf, replaced, shaped, straightRasterOf, upright, withoutIdleAlpha } from "../develop.ts";
import { hasPlainOrientation, isAdobeRgb } from "../exif.ts";
import { mayLackItsEnd } from "../look/jpeg-end.ts";
import { lookAgain, type Whole } from "../look/look.ts";
import { withoutIdleTransparency } from "../look/png.ts";
import type { Raster } from "../raster.ts";
import { shownFor, timesOf } from "../timing.ts";
import { headerOf, type Source } from "./source.ts";

/** The first sharp whose libvips and libheif have the fixes of GHSA-f88m-g3jw-g9cj and GHSA-rgj7-g3m4-5g8c and after. */
const OLDEST_SHARP = "0.35.5";

/** Closes every loader of libvips but those of these formats. @throws Error when this sharp is too old */
export function openLoaders(names: readonly FormatName[]): void {
  if (sharp.versions.sharp.localeCompare(OLDEST_SHARP, "en", { numeric: true }) < 0) {
    throw new Error(`sharp ${sharp.versions.sharp} has known holes; at least ${OLDEST_SHARP} is needed`);
  }
  // Several encodes run at a time instead of several threads in one: no CPU lost, less memory (measured).
  sharp.cache(false);
  sharp.concurrency(1);
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: names.flatMap((name) => formats[name].loader ?? []) });
}

export async function openWithLibvips(original: Uint8Array, format: FormatName): Promise<Source> {
  const bytes = format === "png" ? withoutIdleTransparency(original) : original;
  // Of a header alone: whether the rest is there is seen when it is decoded.
  const metadata = await sharp(bytes, { failOn: "none", limitInputPixels: false }).metadata();
  const { hasAlpha, pages = 1, delay, loop, exif } = metadata;
  const isTurned = format !== "jpeg" || hasPlainOrientation(exif);
  const { orientation = 1, autoOrient: seen } = isTurned ? metadata : { autoOrient: metadata };
  // The pages of an AVIF are no frames.
  const frames = formats[format].animates ? pages : 1;
  const colours = coloursOf(format, bytes, {
    space: metadata.space === "cmyk" ? "ink" : "light",
    bits: metadata.bitsPerSample ?? 8,
    icc: metadata.icc,
    isAdobeRgb: isAdobeRgb(exif),
  });
  return {
    header: headerOf(format, seen, { frames, alpha: hasAlpha, exif }, colours),
    async decode({ frames, source, base: size }) {
      const lying = orientation >= 5 ? { width: size.height, height: size.width } : size;
      const read = async ({ bytes, failOn }: Whole): Promise<Raster> => {
        const limitInputPixels = source.width * source.height * frames;
        const ignoreIcc = colours.from("srgb") !== "profile";
        const image = sharp(withRange(bytes, colours), {
          failOn,
          limitInputPixels,
          ignoreIcc,
          animated: frames > 1,
        });
        if (frames === 1)
          return straightRasterOf(image.resize(lying.width, lying.height, { fit: "fill" }), colours, "srgb");
        return replaced(await rasterOf(image), (all) => shaped(all, lying));
      };
      const small = await read({ bytes, failOn: "warning" }).catch(async (error: unknown) =>
        read(await lookAgain(format, bytes, error)),
      );
      if (format === "jpeg" && mayLackItsEnd(bytes, small)) await lookAgain(format, bytes, undefined);
      const turned = await replaced(small, (lies) => upright(lies, orientation));
      const base = await replaced(turned, withoutIdleAlpha);
      return { ...base, ...(delay ? { delay: delay.map(shownFor) } : {}), loop: timesOf(loop ?? 0) };
    },
  };
}

/** The file with the bit of its data turned over that says another range than the container does, which counts. */
function withRange(bytes: Uint8Array, { wrongBit }: Colours): Uint8Array {
  if (wrongBit === undefined) return bytes;
  const turned = new Uint8Array(bytes);
  turned[wrongBit >> 3] = (turned[wrongBit >> 3] ?? 0) ^ (0x80 >> (wrongBit & 7));
  return turned;
}
