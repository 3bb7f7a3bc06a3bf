/** The presets of `darkroom.config.ts`, as the page was built with them (`vite.config.ts`). */
interface Preset {
  readonly name: string;
  /** For people: `JPEG`. */
  readonly formats: readonly string[];
  /** For `<input accept>`. */
  readonly accept: string;
  readonly maxBytes: number;
}

declare const PRESETS: readonly Preset[];
declare const DEFAULT_PRESET: string;

export const presets = PRESETS;
export const defaultPreset = DEFAULT_PRESET;
export const presetOf = (name: string | undefined) => presets.find((preset) => preset.name === name);
