/** The page in web/: `vite build` writes it into dist/web, for any static host. */
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import config from "./adapters/presets.ts";
import { extensionsOf, typesOf } from "./core/formats.ts";

const source = (file: string) => fileURLToPath(new URL(`./client/${file}`, import.meta.url));

/** What the page says about each preset; the API decides. */
const presets = [...config.presets].map(([name, { accept, maxBytes }]) => ({
  name,
  formats: accept.map((format) => (format === "webp" ? "WebP" : format.toUpperCase())),
  accept: [...typesOf(accept), ...extensionsOf(accept).map((extension) => `.${extension}`)].join(),
  maxBytes,
}));

export default defineConfig({
  root: "web",
  // Wherever it is put, also in a folder.
  base: "./",
  plugins: [react()],
  define: { PRESETS: JSON.stringify(presets), DEFAULT_PRESET: JSON.stringify(config.defaultPreset) },
  resolve: {
    // Without these the names lead to dist/client, which has to be built first.
    alias: {
      "darkroom/client/resume": source("resume-store.ts"),
      "darkroom/client": source("darkroom.ts"),
      "darkroom/react": source("react.ts"),
    },
  },
  build: { outDir: "../dist/web", emptyOutDir: true, modulePreload: { polyfill: false } },
});
