/** What `npm run pack` makes, installed by somebody who has nothing else of ours: it runs, develops and packages. */
import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { unzip } from "../../deploy/zip.ts";
import { assertPublishable, emptyProject, type Project, pack, type Running, tarballs } from "./project.ts";

const SAMPLE = "node_modules/darkroom/docs/sample.jpg";
const PRESETS = `import { defineConfig } from "darkroom/config";
import { widths } from "./widths.ts";

export default defineConfig({
  defaultPreset: "product",
  presets: { product: { accept: ["jpeg"], ladder: { widths, formats: ["jpeg"] } } },
});
`;
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
/** As `npm init` writes it, and as TypeScript's own advice has it. */
const byNpm = emptyProject({ name: "shop", version: "1.0.0", type: "commonjs" });
const byPnpm = emptyProject({ name: "shop", private: true, type: "module" });

before(pack);
after(() => {
  for (const project of [byNpm, byPnpm]) project.remove();
});

/** Of all files, in MB. */
function megabytes(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map(({ parentPath, name }) => lstatSync(join(parentPath, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0) / 1e6;
}

/** `darkroom start`, an upload, and what came of it. */
async function develop(project: Project): Promise<{ said: string; page: string; variants: string[] }> {
  let running: Running | undefined;
  try {
    running = await project.start(/^ {2}stop /, "npx", "darkroom", "start", "--port", "0");
    const page = /^ {2}page +(\S+)/m.exec(running.said)?.[1] ?? "";
    assert.match(await (await fetch(page)).text(), /<script type="module"/);
    const presets = await (await fetch(`${page}/presets.json`)).text();
    const { status, variants } = JSON.parse(await project.run("npx", "darkroom", "upload", SAMPLE, "--json"));
    assert.equal(status, "ready");
    const names = variants.map(({ name, format }: Record<string, string>) => `${name} ${format}`);
    return { said: running.said, page: presets, variants: names };
  } finally {
    await running?.stop();
  }
}

test("npm: an empty folder becomes a project that runs, and holds our two files and a version", async () => {
  const started = performance.now();
  await byNpm.run("npm", "install", tarballs.darkroom);
  assert.match(await byNpm.run("npx", "darkroom", "init"), /config\.ts +written\n.*deploy\.yml +written/);
  const first = await develop(byNpm);
  console.log(`from nothing to the first picture: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  assert.match(first.said, /presets +darkroom\.config\.ts/);
  assert.ok(first.variants.includes("thumb avif"));
  assertPublishable(join(byNpm.folder, "node_modules/darkroom"));
  const size = megabytes(join(byNpm.folder, "node_modules"));
  console.log(`installed: ${size.toFixed(0)} MB`);
  assert.ok(size < 250, `${size} MB`);
  assert.equal((await byNpm.run("npx", "darkroom", "--version")).trim(), version);
  assert.deepEqual(readdirSync(byNpm.folder).sort(), [
    ".darkroom",
    "darkroom.config.ts",
    "darkroom.deploy.yml",
    "node_modules",
    "package-lock.json",
    "package.json",
  ]);
});

test("npm: the user's presets hold, in modules of his own, whatever package.json calls them", async () => {
  writeFileSync(join(byNpm.folder, "darkroom.config.ts"), PRESETS);
  writeFileSync(join(byNpm.folder, "widths.ts"), "export const widths: number[] = [111];\n");
  const { variants, page } = await develop(byNpm);
  assert.deepEqual(variants, ["w111 jpeg"]);
  assert.match(page, /"defaultPreset":"product"/);
});

test("npm: what would be deployed has the user's presets and parameters, and native code for Lambda", async () => {
  writeFileSync(join(byNpm.folder, "darkroom.deploy.yml"), "prod:\n  origins: [https://shop.example]\n");
  await byNpm.run("npx", "darkroom", "serverless", "package", "--stage", "prod");
  const folder = join(byNpm.folder, ".darkroom/service/.serverless");
  const template = readFileSync(join(folder, "cloudformation-template-update-stack.json"), "utf8");
  assert.match(template, /"https:\/\/shop\.example"/);
  const code = String(unzip(readFileSync(join(folder, "presign.zip"))).get("index.mjs"));
  assert.match(code, /\bproduct\b/);
  assert.doesNotMatch(code, /\bavatar\b/);
  const names = [...unzip(readFileSync(join(folder, "worker.zip"))).keys()];
  assert.ok(names.some((name) => /sharp-linux-arm64.*\.node$/.test(name)));
  // Without an account that is as far as it goes, and the CLI says so.
  await assert.rejects(byNpm.run("npx", "darkroom", "deploy", "--stage", "prod"), /credentials/);
});

test("pnpm: links in node_modules lead to all that is needed", async () => {
  const pnpm = ["exec", "--yes", "pnpm@12.4.2", "--"];
  await byPnpm.run("npm", ...pnpm, "add", "--ignore-scripts", tarballs.darkroom);
  assert.ok(lstatSync(join(byPnpm.folder, "node_modules/darkroom")).isSymbolicLink());
  await byPnpm.run("npx", "darkroom", "init");
  assert.ok((await develop(byPnpm)).variants.includes("thumb avif"));
});
