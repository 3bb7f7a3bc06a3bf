/** What libvips decodes, through sharp. */
import sharp from "sharp";
import { type FormatName, formats } from "../../core/formats.ts";
import type { Plan } from "../../core/plan.ts";
import { type Colours, coloursOf } from "../colour/colours.ts";
import { gainMapIn, MOST_MAP_PIXELS, ultraHdrOf } from "../colour/gain-map.ts";
import { rasterOf, replaced, shaped, straightRasterOf, upright, withoutIdleAlpha } from "../develop.ts";
import { appleHeadroomOf, isAdobeRgb, orientationOf } from "../exif.ts";
import { mayLackItsEnd } from "../look/jpeg-end.ts";
import { lookAgain, type Whole } from "../look/look.ts";
import type { Raster } from "../raster.ts";
import { shownFor, timesOf } from "../timing.ts";
import { headerOf, type Source } from "./source.ts";
import { type StillAvif, stillAvif } from "./still-avif.ts";

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

/**
 * Whether nothing is lost where a JPEG or WebP is decoded to a part of its size: what is over at the right and the bottom libvips
 * leaves out, up to a pixel of what is made. By half as much sharp shrinks otherwise.
 */
function isShrunkWhole(from: Plan["source"], to: Plan["base"]): boolean {
  const most = Math.min(from.width / to.width, from.height / to.height);
  const by = [8, 4, 2].find((factor) => factor <= most) ?? 1;
  return from.width % by === 0 && from.height % by === 0;
}

const spaces: Readonly<Record<string, "grey" | "ink">> = { cmyk: "ink", "b-w": "grey", grey16: "grey" };

export async function openWithLibvips(file: Uint8Array, format: FormatName): Promise<Source> {
  const { bytes, orientation: unturned }: StillAvif = format === "avif" ? stillAvif(file) : { bytes: file };
  // Of a header alone: whether the rest is there is seen when it is decoded.
  const metadata = await sharp(bytes, { failOn: "none", limitInputPixels: false }).metadata();
  const {
    width,
    pageHeight: height = metadata.height,
    hasAlpha,
    pages = 1,
    delay,
    loop,
    exif,
    xmp,
    iptc,
  } = metadata;
  // A TIFF says it beside its pixels, not in EXIF.
  const said = exif ? orientationOf(exif) : metadata.orientation;
  const orientation = (formats[format].turnedByExif && said) || unturned || 1;
  const isTurned = orientation >= 5;
  // The pages of an AVIF are no frames, and what PNG has is no page.
  const frames = formats[format].framesRead ? pages : 1;
  const colours = coloursOf(format, bytes, {
    space: spaces[metadata.space ?? ""] ?? "light",
    bits: metadata.bitsPerSample ?? 8,
    icc: metadata.icc,
    isAdobeRgb: isAdobeRgb(exif),
  });
  const map = colours.hdr === "gain-map" ? gainMapIn(format, file, appleHeadroomOf(exif)) : undefined;
  return {
    header: headerOf(
      format,
      isTurned ? { width: height, height: width } : { width, height },
      { frames, alpha: hasAlpha, exif, xmp, iptc },
      { ...colours, gainMap: map !== undefined },
    ),
    async decode(plan) {
      const { frames, source, base: size, colour = "srgb" as const, gainMap } = plan;
      const lying = isTurned ? { width: size.height, height: size.width } : size;
      const fastShrinkOnLoad = isShrunkWhole(
        isTurned ? { width: source.height, height: source.width } : source,
        lying,
      );
      const read = async ({ bytes, failOn }: Whole): Promise<Raster> => {
        const limitInputPixels = source.width * source.height * frames;
        const ignoreIcc = colours.from(colour) !== "profile";
        const image = sharp(withRange(bytes, colours), {
          failOn,
          limitInputPixels,
          ignoreIcc,
          animated: frames > 1,
        });
        if (frames === 1)
          return straightRasterOf(
            image.resize(lying.width, lying.height, { fit: "fill", fastShrinkOnLoad }),
            colours,
            plan,
          );
        return replaced(await rasterOf(image), (all) => shaped(all, lying));
      };
      const small = await read({ bytes, failOn: "warning" }).catch(async (error: unknown) =>
        read(await lookAgain(format, bytes, error)),
      );
      if (format === "jpeg" && mayLackItsEnd(bytes, small)) await lookAgain(format, bytes, undefined);
      const turned = await replaced(small, (lies) => upright(lies, orientation));
      const base = await replaced(turned, withoutIdleAlpha);
      // Of an AVIF it turns by itself, as its picture does.
      const bright =
        gainMap && map && (await decodedMap(map, formats[format].turnedByExif ? orientation : 1));
      return {
        ...base,
        ...(bright && { gainMap: bright }),
        ...(turned.bright && { bright: turned.bright }),
        ...(delay ? { delay: delay.map(shownFor) } : {}),
        loop: timesOf(loop ?? 0),
      };
    },
  };
}

/** A gain map, as upright as its picture; none where it cannot be read: the picture is whole without. */
async function decodedMap(
  { file, said }: NonNullable<ReturnType<typeof gainMapIn>>,
  orientation: number,
): Promise<Raster["gainMap"]> {
  try {
    const image = sharp(file(), { failOn: "warning", limitInputPixels: MOST_MAP_PIXELS, ignoreIcc: true });
    return ultraHdrOf(await upright(await rasterOf(image), orientation), said);
  } catch {
    return undefined;
  }
}

/** The file with the bit of its data turned over that says another range than the container does, which counts. */
function withRange(bytes: Uint8Array, { wrongBit }: Colours): Uint8Array {
  if (wrongBit === undefined) return bytes;
  const turned = new Uint8Array(bytes);
  turned[wrongBit >> 3] = (turned[wrongBit >> 3] ?? 0) ^ (0x80 >> (wrongBit & 7));
  return turned;
}
