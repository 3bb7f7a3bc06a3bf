/** A file as the rest of the pixel process sees it, whichever decoder reads it. */
import type { FormatName } from "../../core/formats.ts";
import type { Header, Plan } from "../../core/plan.ts";
import type { Colours } from "../colour/colours.ts";
import { takenAtOf } from "../exif.ts";
import type { Raster } from "../raster.ts";
import { rightsOf, type Said } from "../rights/rights.ts";

/** A source whose header has been read. */
export interface Source {
  readonly header: Header;
  /** The pixels at the plan's base size. @throws Error when they cannot be decoded */
  decode(plan: Plan): Promise<Raster>;
}

export function headerOf(
  format: FormatName,
  { width, height }: { width: number; height: number },
  { frames = 1, alpha, ...said }: { frames?: number; alpha: boolean } & Said,
  { colour, hdr, gainMap }: Partial<Pick<Colours, "colour" | "hdr"> & Pick<Header, "gainMap">> = {},
): Header {
  const takenAt = takenAtOf(said.exif);
  const rights = rightsOf(said);
  return {
    format,
    width,
    height,
    frames,
    alpha,
    ...(takenAt && { takenAt }),
    ...(colour && { colour }),
    ...(hdr && { hdr }),
    ...(gainMap && { gainMap }),
    ...(rights && { rights }),
  };
}
