/** What the page says about each preset, as its `presets.json`; the API decides. */
import config from "../adapters/presets.ts";
import { extensionsOf, typesOf } from "../core/formats.ts";

const presets = [...config.presets].map(([name, { accept, maxBytes }]) => ({
  name,
  formats: accept.map((format) => (format === "webp" ? "WebP" : format.toUpperCase())),
  accept: [...typesOf(accept), ...extensionsOf(accept).map((extension) => `.${extension}`)].join(),
  maxBytes,
}));

export const pagePresets = JSON.stringify({ presets, defaultPreset: config.defaultPreset });
