/** The Next.js example in an empty folder, built and served by Next, in front of the local stack. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { emptyProject, pack, type Running, tarballs } from "../deploy/project.ts";
import { launchChromium, PATIENCE_MS, problemsOf } from "./chromium.ts";

const project = emptyProject({ name: "page", private: true, type: "module" });
const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let stack: Stack;
let running: Running;
let browser: Browser;

before(async () => {
  pack();
  stack = await startStack({ port: 0, data, logLevel: "error" });
  const app = join(project.folder, "app");
  cpSync("examples/next/app", app, { recursive: true });
  for (const name of readdirSync(app)) {
    const text = readFileSync(join(app, name), "utf8");
    writeFileSync(join(app, name), text.replaceAll("http://localhost:3001", stack.api));
  }
  const secret = stack.env["AUTH_SECRET"] ?? "";
  writeFileSync(join(project.folder, ".env"), `AUTH_SECRET="${secret}"\nNEXT_TELEMETRY_DISABLED=1\n`);
  const { devDependencies: ours } = JSON.parse(readFileSync("package.json", "utf8"));
  const versions = ["react", "react-dom", "@types/react", "@types/node"].map(
    (name) => `${name}@${ours[name]}`,
  );
  const others = ["next@16.4.6", "typescript@5.9.3"];
  await project.run("npm", "install", `darkroom@file:${tarballs.browser}`, ...versions, ...others);
  // Its types too.
  await project.run("npx", "next", "build");
  running = await project.start(/Ready in/, "npx", "next", "start", "--port", "0");
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await running?.stop();
  await stack?.close();
  project.remove();
  rmSync(data, { recursive: true, force: true });
});

test("a server action gives tokens, the page uploads, and the server renders the pictures", async () => {
  const site = /Local: +(http:\S+)/.exec(running.said)?.[1] ?? "";
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const problems = problemsOf(page);
  await page.goto(site);
  const buffer = await sharp({ create: { width: 400, height: 300, channels: 3, background: "#1f6f8b" } })
    .jpeg()
    .toBuffer();
  await page.setInputFiles("input", { name: "boat.jpg", mimeType: "image/jpeg", buffer });
  await page.waitForSelector("main picture img");
  assert.deepEqual(problems, []);
  assert.match(
    await (await fetch(site)).text(),
    /<picture><source[^>]+><source[^>]+><img[^>]+fetchPriority="high"/i,
  );
});
