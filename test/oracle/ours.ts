/** What Darkroom makes of a file: through the real gate, plan and pixel process, by a preset that loses nothing. */
import { DarkroomError, hasOutcome } from "../../core/errors.ts";
import { detectFormat, type FormatName, formatNames } from "../../core/formats.ts";
import { gate, type Header, planOf, variantsOf } from "../../core/plan.ts";
import type { Pixels } from "../../core/ports.ts";
import { defineConfig } from "../../core/preset.ts";

const accept = formatNames.filter((name) => name !== "tiff");
const { presets } = defineConfig({
  defaultPreset: "small",
  presets: {
    small: { accept, ladder: { widths: [320], formats: ["webp", "png"] } },
    whole: { accept, ladder: { widths: [16_384], formats: ["webp", "png"] } },
  },
});

export interface Ours {
  /** `ready`, `rejected:` and the code, or `failed:` and what went wrong, which nothing should ever be. */
  readonly end: string;
  readonly format: FormatName | undefined;
  readonly header?: Header;
  /** A picture of at most 320 pixels, or as large as it is: WebP of an animation, else PNG. */
  readonly made?: { readonly bytes: Uint8Array; readonly type: string };
}

export async function develop(pixels: Pixels, bytes: Uint8Array, isWhole = false): Promise<Ours> {
  const preset = presets.get(isWhole ? "whole" : "small");
  if (!preset) throw new Error("there is no preset");
  const format = detectFormat(bytes.subarray(0, 4096));
  let header: Header | undefined;
  let made: Ours["made"];
  try {
    if (bytes.length === 0) throw new DarkroomError("empty");
    if (bytes.length > preset.maxBytes) throw new DarkroomError("too-large");
    if (format === undefined) throw new DarkroomError("unsupported-format");
    await pixels.develop(
      bytes,
      format,
      async (read) => {
        header = read;
        gate(read, preset);
        const all = variantsOf(read, preset);
        const wanted = all.find(({ frames }) => frames > 1) ?? all.find(({ format }) => format === "png");
        if (!wanted) throw new Error("nothing is planned");
        // WebP whose pixels were not prepared to be lossy: `quality` is how little they are.
        const encode = { ...wanted.encode, quality: 100, nearLossless: true, effort: 1 };
        return planOf(read, [wanted.format === "webp" ? { ...wanted, encode } : wanted]);
      },
      async ({ variant, bytes }) => {
        made = { bytes, type: `image/${variant.format}` };
      },
    );
  } catch (error) {
    const end = hasOutcome(error, "rejected") ? `rejected:${error.code}` : `failed:${String(error)}`;
    return { end, format, ...(header && { header }) };
  }
  return { end: "ready", format, ...(header && { header }), ...(made && { made }) };
}
