/** Whoever edits presets while the stack runs is told, also of a file that they import. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { pathToFileURL } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "darkroom-"));
const [config, widths, formats] = ["darkroom.config.ts", "shop/widths.ts", "shop/formats.json"].map((name) =>
  join(folder, name),
) as [string, string, string];
mkdirSync(join(folder, "shop"));
writeFileSync(widths, "export const widths: number[] = [64];");
writeFileSync(formats, '["webp"]');
const presets = `
import { defineConfig } from ${JSON.stringify(pathToFileURL("core/preset.ts").href)};
import formats from "./shop/formats.json" with { type: "json" };
import { widths } from "./shop/widths.ts";
export default defineConfig({ defaultPreset: "a", presets: { a: { accept: ["jpeg"], ladder: { widths, formats } } } });
`;
writeFileSync(config, presets);
process.env["DARKROOM_CONFIG"] = config;
// Presets are read with the first module that needs them.
const { watchPresets } = await import("../../laptop/watch-presets.ts");

const told: string[] = [];
let wake = () => {};
const end = watchPresets((file) => {
  told.push(file);
  wake();
});
after(() => {
  end();
  rmSync(folder, { recursive: true, force: true });
});
/** Resolves when `edit` has been told of. */
const toldOf = (edit: () => void) =>
  new Promise<void>((resolve) => {
    wake = resolve;
    edit();
  });

test("each file that the presets are made of is told of once it says something else", async () => {
  // In one go, as an editor does that puts another file in its place.
  await toldOf(() => {
    writeFileSync(`${widths}~`, "export const widths = [65];");
    renameSync(`${widths}~`, widths);
  });
  // Written anew as it is, which is no change.
  writeFileSync(config, presets);
  await toldOf(() => {
    writeFileSync(`${formats}~`, '["jpeg"]');
    renameSync(`${formats}~`, formats);
  });
  assert.deepEqual(told, [widths, formats]);
});
