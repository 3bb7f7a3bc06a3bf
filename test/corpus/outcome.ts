/** How a file ends: the way the worker would take it, with a look at every variant by other code than made it. */
import assert from "node:assert/strict";
import sharp from "sharp";
import { DarkroomError, hasOutcome } from "../../core/errors.ts";
import { detectFormat } from "../../core/formats.ts";
import { gate, planOf, variantsOf } from "../../core/plan.ts";
import type { Developed, MadeVariant, Pixels } from "../../core/ports.ts";
import type { Preset } from "../../core/preset.ts";
import { rightNames } from "../../core/rights.ts";
import config from "../../core/shipped.ts";
import { packetIn } from "../../pixels/rights/xmp.ts";
import { isMadeOfPicture } from "./made-of.ts";

const found = config.presets.get("photo");
assert(found);
/** Keeps what it can of whose a picture is, so that a look at the variants shows that nothing comes along. */
const photo = { ...found, keep: [...rightNames] };

/** Limits of a pixel process on a machine that does much besides: that one is slow is no verdict on a file. */
export const PATIENT = { headerSeconds: 300, developSeconds: 500 };

export interface Outcome {
  /** `ready`, or `rejected:` and the code. */
  readonly end: string;
  readonly developed?: Developed;
  readonly made: readonly MadeVariant[];
}

/** Develops the bytes, by `photo` where no preset is given. Whatever is neither ready nor a rejection is thrown. */
export async function outcomeOf(pixels: Pixels, bytes: Uint8Array, preset: Preset = photo): Promise<Outcome> {
  const made: MadeVariant[] = [];
  let planned = 0;
  try {
    const format = detectFormat(bytes.subarray(0, 4096));
    if (bytes.length === 0) throw new DarkroomError("empty");
    if (bytes.length > preset.maxBytes) throw new DarkroomError("too-large");
    if (format === undefined || !preset.accept.includes(format))
      throw new DarkroomError("unsupported-format");
    const developed = await pixels.develop(
      bytes,
      format,
      async (header) => {
        gate(header, preset);
        const variants = variantsOf(header, preset);
        planned = variants.length;
        return planOf(header, variants);
      },
      async (variant) => {
        made.push(variant);
      },
    );
    assert.equal(made.length, planned, "every planned variant is made once");
    return { end: "ready", developed, made };
  } catch (error) {
    if (!hasOutcome(error, "rejected")) throw error;
    return { end: `rejected:${error.code}`, made };
  }
}

/** Every variant decodes, has the planned size, format and frames, and carries nothing but pixels and the rights that are kept. */
export async function checkVariants(made: readonly MadeVariant[]): Promise<void> {
  for (const one of made) {
    isMadeOfPicture(one);
    const { variant, bytes } = one;
    const what = `${variant.name}.${variant.format}`;
    const image = sharp(bytes, { animated: true, failOn: "warning" });
    const is = await image.metadata();
    assert.equal(is.mediaType, `image/${variant.format}`, what);
    assert.equal(is.width, variant.shape.width, what);
    assert.equal(is.pageHeight ?? is.height, variant.shape.height, what);
    // libwebp makes one frame of neighbours that are equal.
    assert((is.pages ?? 1) <= variant.frames, `${what}: ${is.pages} frames`);
    for (const kind of ["exif", "iptc", "icc", "comments", "gainMap"] as const) {
      assert.equal(is[kind], undefined, `${what} carries ${kind}`);
    }
    assert.equal(is.xmpAsString, variant.rights && packetIn(variant.rights), `${what}: XMP`);
    await image.stats();
  }
}

/** What every packet says: names of XMP, addresses of its terms, numbers, and kinds of file. */
const OURS =
  /^[\s/?]*(((xmlns|rdf|hdrgm|Container|Item|x|xpacket)(:\w+)?(\s+|$))+|http:\/\/(ns\.|www\.w3\.org\/)\S+|[\d.,\s-]+|adobe:ns:meta\/|image\/\w+|application\/rdf\+xml)\s*$/;

/**
 * No text of eight letters and more that stands in the source's EXIF, XMP, IPTC or comments stands in a variant or the document: no
 * place, serial number, maker or comment. But for what is kept. Of HEIC, whose blocks sharp does not tell, none of the whole file's.
 */
export async function tellsNothing(source: Uint8Array, { made, developed }: Outcome): Promise<void> {
  if (source.length === 0) return;
  const said = await sharp(source, { failOn: "none", limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  const isHeic = detectFormat(source.subarray(0, 4096)) === "heic";
  const comments = Buffer.from(JSON.stringify(said?.comments ?? ""));
  const blocks = [said?.exif, said?.xmp, said?.iptc, isHeic ? Buffer.from(source) : undefined, comments];
  // Names of boxes stand side by side.
  const least = isHeic ? 12 : 8;
  // Some hostile files say 50 MB.
  const texts = blocks.flatMap((block) => block?.toString("latin1", 0, 200_000).match(/[ -~]{8,}/g) ?? []);
  const words = new Set(
    texts
      .flatMap((text) => text.split(/[<>"=]+/))
      .filter((word) => word.trim().length >= least && !OURS.test(word)),
  );
  const header = developed && { ...developed.header, rights: undefined, takenAt: undefined };
  const says = [
    { name: "the document", text: Buffer.from(JSON.stringify({ ...developed, header })), kept: "" },
    ...made.map(({ variant, bytes }) => ({
      name: `${variant.name}.${variant.format}`,
      text: Buffer.from(bytes),
      kept: variant.rights ? packetIn(variant.rights) : "",
    })),
  ];
  for (const { name, text, kept } of says)
    for (const word of words)
      if (!kept.includes(word)) assert(!text.includes(word, 0, "latin1"), `${name} says ${word}`);
}

const UNREADABLE = ["rejected:corrupt", "rejected:truncated", "rejected:unsupported-format"];

/** The ends that a manifest's `expected` allows. */
export function accepted(expected: string, bytes: Uint8Array): string[] {
  if (expected.startsWith("either")) return ["ready", ...UNREADABLE];
  // Where the magic number is an image's, one may stand for another.
  const isImage = detectFormat(bytes.subarray(0, 4096)) !== undefined;
  return isImage && UNREADABLE.includes(expected) ? UNREADABLE : [expected];
}
