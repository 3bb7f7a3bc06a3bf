/** The presets in force, which stand beside the page (`laptop/page-presets.ts`). */
interface Preset {
  readonly name: string;
  /** For people: `JPEG`. */
  readonly formats: readonly string[];
  /** For `<input accept>`. */
  readonly accept: string;
  readonly maxBytes: number;
}

export const {
  presets,
  defaultPreset,
}: { readonly presets: readonly Preset[]; readonly defaultPreset: string } = await (
  await fetch("presets.json")
).json();
export const presetOf = (name: string | undefined) => presets.find((preset) => preset.name === name);
