/** The examples of docs/front-end.md as they stand there, on a site of its own in front of the local stack. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { type BuildOptions, build } from "esbuild";
import express from "express";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import type * as Example from "../../examples/express.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { engines } from "../browsers/engines.ts";
import { flows, type Look } from "../browsers/flows.ts";
import { shows, type Tab } from "../browsers/tab.ts";
import { launchChromium, problemsOf } from "./chromium.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let server: Server;
let site: string;
let stack: Stack;
let browser: Browser;
let example: typeof Example;
/** Those who wait for a webhook to have been answered. */
const waiting: (() => void)[] = [];

const MOUNT = `
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { Photos } from "./examples/react.tsx";
createRoot(document.querySelector("main")).render(createElement(Photos));
`;
/** Each page's script, as a bundler is told to make it. */
const bundles: Record<string, BuildOptions> = {
  react: { stdin: { contents: MOUNT, resolveDir: process.cwd() }, jsx: "automatic" },
  "uppy-6": { entryPoints: ["examples/uppy-6.js"] },
  "uppy-5": {
    entryPoints: ["examples/uppy-5.js"],
    alias: { "@uppy/core": "@uppy/core-5", "@uppy/aws-s3": "@uppy/aws-s3-5" },
  },
};

before(async () => {
  browser = await launchChromium();
  execFileSync("npm", ["run", "--silent", "build:client"], { stdio: "inherit" });
  const app = express();
  server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  site = `http://localhost:${(server.address() as AddressInfo).port}`;
  process.env["WEBHOOK_URLS"] = `${site}/darkroom-webhook`;
  stack = await startStack({ port: 0, data, logLevel: "error" });
  // It reads its secrets when it is loaded: those that the stack has put there.
  example = await import("../../examples/express.ts");
  app.use("/darkroom-webhook", (_request, response, next) => {
    response.on("finish", () => {
      for (const wake of waiting.splice(0)) wake();
    });
    next();
  });
  app.use(example.app);
  app.use("/darkroom", express.static("dist/client"));
  // The one thing that differs from what is printed: the local stack is at other ports than its usual ones.
  const here = (text: string) => text.replaceAll("http://localhost:3001", stack.api);
  app.get("/plain.html", (_request, response) => {
    response.type("html").send(here(readFileSync("examples/plain.html", "utf8")));
  });
  for (const [name, options] of Object.entries(bundles)) {
    const { outputFiles = [] } = await build({
      ...options,
      bundle: true,
      format: "esm",
      define: { "process.env.NODE_ENV": '"production"' },
      write: false,
    });
    app.get(`/${name}.js`, (_request, response) => {
      response.type("js").send(here(outputFiles[0]?.text ?? ""));
    });
    const input = name === "react" ? "" : `<input type="file" multiple>`;
    app.get(`/${name}.html`, (_request, response) => {
      response
        .type("html")
        .send(
          `<!doctype html><link rel="icon" href="data:,">${input}<main></main><script type="module" src="/${name}.js"></script>`,
        );
    });
  }
});
after(async () => {
  await browser?.close();
  await stack?.close();
  delete process.env["WEBHOOK_URLS"];
  server?.close();
  server?.closeAllConnections();
  rmSync(data, { recursive: true, force: true });
});

async function open(name: string): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage();
  const problems = problemsOf(page);
  await page.goto(`${site}/${name}.html`);
  return { page, problems };
}

/** Chooses a photo, and resolves with its image's id once it is shown as AVIF. */
async function upload(page: Page): Promise<string> {
  const buffer = await sharp({ create: { width: 400, height: 300, channels: 3, background: "#1f6f8b" } })
    .jpeg()
    .toBuffer();
  await page.setInputFiles("input", { name: "boat <1>.jpg", mimeType: "image/jpeg", buffer });
  await page.waitForSelector("picture img");
  const src = await page.evaluate(async () => {
    const img = document.querySelector("img");
    await img?.decode();
    return img?.currentSrc ?? "";
  });
  return idIn(src);
}

function idIn(source: string): string {
  const [, id = ""] = /\/images\/([0-9a-z]{26})\/w\d+\.\w+\.avif$/.exec(source) ?? [];
  assert.ok(id, source);
  return id;
}

/** Until the webhook has told of it. */
async function heard(id: string): Promise<string | undefined> {
  while (!example.images.has(id)) await new Promise<void>((wake) => waiting.push(wake));
  return example.images.get(id)?.status;
}

for (const name of ["plain", "react", "uppy-6", "uppy-5"]) {
  test(`${name}: a picture goes from the page to S3 and comes back, and the back end hears of it`, async () => {
    const { page, problems } = await open(name);
    assert.equal(await heard(await upload(page)), "ready");
    assert.deepEqual(problems, []);
    await page.close();
  });
}

const {
  HEIC,
  "a small picture is developed and shown as AVIF": small,
  "what is refused says why": refused,
} = flows;
const plain: Look = {
  input: "input",
  row: (_, nth = 1) => `main p:nth-child(${nth})`,
  picture: " picture img",
  problem: "",
  cancel: "",
};
/** Those that keep no list, which test/client/installed.slow.test.ts has. */
const looks: Readonly<Record<string, Look>> = {
  plain,
  "uppy-6": { ...plain, row: () => "main" },
  "uppy-5": { ...plain, row: () => "main" },
};
for (const [name, launch] of Object.entries(engines)) {
  test(`${name}: the same, with HEIC, and a refusal in a sentence`, async (t) => {
    const engine = await launch();
    t.after(() => engine.close());
    const on = async <T>(page: string, flow: (tab: Tab, look: Look) => Promise<T>) => {
      const tab = await engine.open(`${site}/${page}.html`);
      await shows(tab, "input");
      const result = await flow(tab, looks[page] ?? plain);
      await tab.close();
      return result;
    };
    for (const page of Object.keys(looks)) {
      for (const flow of [small, HEIC]) assert.equal(await heard(idIn(await on(page, flow))), "ready");
    }
    await on("plain", refused);
  });
}

test("Express: a webhook counts only with a signature that is ours and fresh", async () => {
  const secret = stack.env["WEBHOOK_SECRET"] ?? "";
  const body = `{"type":"image.ready","data":{"id":"x","rev":1,"status":"ready"}}`;
  const send = async (age: number, key = secret, sent = body, before = "") => {
    const timestamp = String(Math.round(Date.now() / 1000) - age);
    const mac = createHmac("sha256", Buffer.from(key.replace("whsec_", ""), "base64"))
      .update(`m.${timestamp}.${body}`)
      .digest("base64");
    const headers = {
      "content-type": "application/json",
      "webhook-id": "m",
      "webhook-timestamp": timestamp,
      "webhook-signature": `${before}v1,${mac}`,
    };
    return (await fetch(`${site}/darkroom-webhook`, { method: "POST", headers, body: sent })).status;
  };
  assert.equal(await send(400), 401);
  assert.equal(await send(-400), 401);
  assert.equal(await send(0, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), 401);
  assert.equal(await send(0, secret, body.replace("1", "2")), 401);
  assert.equal((await fetch(`${site}/darkroom-webhook`, { method: "POST", body })).status, 401);
  assert.equal(example.images.has("x"), false);
  assert.equal(await send(0, secret, body, "v1,AAAA v2,x "), 204);
  assert.equal(example.images.get("x")?.status, "ready");
});

test("Express: the token is an upload token of ten minutes, for one owner", async () => {
  const token = await (await fetch(`${site}/darkroom-token`)).text();
  const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  assert.deepEqual([payload.sub, payload.scope], ["42", "upload"]);
  assert.ok(Math.abs(payload.exp - Date.now() / 1000 - 600) < 60);
});
