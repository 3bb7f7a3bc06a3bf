/** A file as the rest of the pixel process sees it, whichever decoder reads it. */
import type { FormatName } from "../../core/formats.ts";
import type { Header, Plan } from "../../core/plan.ts";
import type { Colours } from "../colour/colours.ts";
import { takenAtOf } from "../exif.ts";
import type { Raster } from "../raster.ts";

/** A source whose header has been read. */
export interface Source {
  readonly header: Header;
  /** The pixels at the plan's base size. @throws Error when they cannot be decoded */
  decode(plan: Plan): Promise<Raster>;
}

/** @param exif TIFF structure, with or without `Exif\0\0` before it */
export function headerOf(
  format: FormatName,
  { width, height }: { width: number; height: number },
  { frames = 1, alpha, exif }: { frames?: number; alpha: boolean; exif: Uint8Array | undefined },
  { colour, hdr }: Partial<Pick<Colours, "colour" | "hdr">> = {},
): Header {
  const takenAt = takenAtOf(exif);
  return {
    format,
    width,
    height,
    frames,
    alpha,
    ...(takenAt && { takenAt }),
    ...(colour && { colour }),
    ...(hdr && { hdr }),
  };
}
