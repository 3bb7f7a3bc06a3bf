/** The examples that are whole applications, each in an empty folder, built and served by its framework in front of the local stack. */
import assert from "node:assert/strict";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import type { Browser } from "playwright-core";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { emptyProject, pack, tarballs } from "../deploy/project.ts";
import { launchChromium, problemsOf } from "./chromium.ts";

const { devDependencies: ours } = JSON.parse(readFileSync("package.json", "utf8"));
interface Site {
  /** What is installed besides Darkroom. */
  readonly packages: readonly string[];
  /** Arguments of `npx`. */
  readonly build: readonly string[];
  readonly start: readonly string[];
  /** The line with which it says that it listens; the first address that it has said by then is its own. */
  readonly listens: RegExp;
  /** What the server writes for a picture. */
  readonly picture: RegExp;
}
/** By the folder in examples/. */
const sites: Readonly<Record<string, Site>> = {
  next: {
    packages: [
      ...["react", "react-dom", "@types/react", "@types/node"].map((name) => `${name}@${ours[name]}`),
      ...["next@16.4.6", "typescript@5.9.3"],
    ],
    // Its types too.
    build: ["next", "build"],
    start: ["next", "start", "--port", "0"],
    listens: /Ready in/,
    picture: /<picture><source[^>]+><source[^>]+><img[^>]+fetchPriority="high"/i,
  },
  astro: {
    packages: ["astro@7.3.5", "@astrojs/node@11.1.6"],
    build: ["astro", "build"],
    start: ["node", "--env-file=.env", "dist/server/entry.mjs"],
    listens: /listening on/,
    picture: /<picture><source[^>]+><source[^>]+><img[^>]+alt=""/,
  },
};

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let stack: Stack;
let browser: Browser;

before(async () => {
  pack();
  stack = await startStack({ port: 0, data, logLevel: "error" });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

for (const [name, { packages, build, start, listens, picture }] of Object.entries(sites)) {
  test(`${name}: the server gives tokens, the page uploads, and the server renders the pictures`, async (t) => {
    const project = emptyProject({ name: "page", private: true, type: "module" });
    t.after(() => project.remove());
    cpSync(`examples/${name}`, project.folder, { recursive: true });
    for (const path of globSync("{app,src}/**/*.*", { cwd: project.folder })) {
      const file = join(project.folder, path);
      writeFileSync(file, readFileSync(file, "utf8").replaceAll("http://localhost:3001", stack.api));
    }
    const env = {
      AUTH_SECRET: stack.env["AUTH_SECRET"],
      NEXT_TELEMETRY_DISABLED: 1,
      ASTRO_TELEMETRY_DISABLED: 1,
      HOST: "127.0.0.1",
      PORT: 0,
    };
    const lines = Object.entries(env).map(([name, value]) => `${name}="${value}"\n`);
    writeFileSync(join(project.folder, ".env"), lines.join(""));
    await project.run("npm", "install", `darkroom@file:${tarballs.browser}`, ...packages);
    await project.run("npx", ...build);
    const running = await project.start(listens, "npx", ...start);
    t.after(() => running.stop());
    const site = /http:\S+/.exec(running.said)?.[0] ?? "";
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(site);
    await page.setInputFiles("input", "docs/sample.jpg");
    await page.waitForSelector("main picture img");
    assert.deepEqual(problems, []);
    assert.match(await (await fetch(site)).text(), picture);
  });
}
