/** The page in web/: `vite build` writes it into dist/web, for any static host. */
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { build } from "esbuild";
import { defineConfig, type Plugin } from "vite";
import { pagePresets } from "./laptop/page-presets.ts";

const source = (file: string) => fileURLToPath(new URL(`./client/${file}`, import.meta.url));

/** Beside the page and not in it, so that one build serves whatever presets are in force. */
const presets: Plugin = {
  name: "presets",
  generateBundle() {
    this.emitFile({ type: "asset", fileName: "presets.json", source: pagePresets });
  },
};

/** One file that shares nothing with the page, which Firefox takes as well. */
const worker: Plugin = {
  name: "service-worker",
  async generateBundle() {
    const entryPoints = [source("service-worker.ts")];
    const { outputFiles } = await build({ entryPoints, bundle: true, minify: true, write: false });
    for (const { contents } of outputFiles)
      this.emitFile({ type: "asset", fileName: "service-worker.js", source: contents });
  },
};

export default defineConfig({
  root: "web",
  // Wherever it is put, also in a folder.
  base: "./",
  plugins: [react(), presets, worker],
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
