/** One image through the pixel process by a preset of the test's own. */
import assert from "node:assert/strict";
import { type FormatName, formatNames } from "../../core/formats.ts";
import { type Focus, gate, planOf, variantsOf } from "../../core/plan.ts";
import type { MadeVariant, Pixels } from "../../core/ports.ts";
import { defineConfig, type Preset } from "../../core/preset.ts";

type Input = Parameters<typeof defineConfig>[0]["presets"][string];

export function presetOf(input: Partial<Input>): Preset {
  const config = defineConfig({ defaultPreset: "p", presets: { p: { accept: [...formatNames], ...input } } });
  const preset = config.presets.get("p");
  assert(preset);
  return preset;
}

/** The whole picture as it was decoded, without loss: what most tests want to look at. */
export const lossless = presetOf({ named: { whole: { width: 16_384, format: "png" } } });

/** `made` has the bytes of the variants by `name.format`. */
export async function developWith(
  pixels: Pixels,
  bytes: Uint8Array,
  format: FormatName,
  preset: Preset = lossless,
  focus?: Focus,
) {
  const variants: MadeVariant[] = [];
  const developed = await pixels.develop(
    bytes,
    format,
    async (header) => {
      gate(header, preset);
      return planOf(header, variantsOf(header, preset, focus));
    },
    async (made) => {
      variants.push(made);
    },
  );
  const made = new Map<string, Uint8Array>(
    variants.map(({ variant, bytes }) => [`${variant.name}.${variant.format}`, bytes]),
  );
  const get = (name: string): Uint8Array => {
    const bytes = made.get(name);
    assert(bytes, `no ${name} among ${[...made.keys()].join(", ")}`);
    return bytes;
  };
  return { ...developed, variants, made, get };
}
