/** docs/front-end.md's installations in an empty folder, built by Vite as its readers have it, and looked at in Chromium. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { after, before } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import express from "express";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { engines } from "../browsers/engines.ts";
import { flows, type Look, Watch } from "../browsers/flows.ts";
import { shows } from "../browsers/tab.ts";
import { assertPublishable, emptyProject, pack, tarballs } from "../deploy/project.ts";
import { launchChromium, problemsOf } from "./chromium.ts";

/** Each page's entry, as the framework's own template has it, around the example. */
const apps: Readonly<Record<string, { example: string; main: string; extension: string }>> = {
  react: {
    example: "react.tsx",
    extension: "tsx",
    main: `import { StrictMode } from "react"; import { createRoot } from "react-dom/client"; import { Photos } from "./react.tsx";
      createRoot(document.getElementById("app")!).render(<StrictMode><Photos /></StrictMode>);`,
  },
  vue: {
    example: "vue.vue",
    extension: "ts",
    main: `import { createApp } from "vue"; import App from "./vue.vue"; createApp(App).mount("#app");`,
  },
  svelte: {
    example: "svelte.svelte",
    extension: "ts",
    main: `import { mount } from "svelte"; import App from "./svelte.svelte";
      mount(App, { target: document.getElementById("app")! });`,
  },
};
const VITE = `import react from "@vitejs/plugin-react";
import vue from "@vitejs/plugin-vue";
import { svelte } from "@sveltejs/vite-plugin-svelte";
export default { plugins: [react(), vue(), svelte()], build: { rolldownOptions: { input: ${JSON.stringify(
  Object.keys(apps).map((name) => `${name}.html`),
)} } } };`;

const project = emptyProject({ name: "page", private: true, type: "module" });
const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const s3 = new Watch();
let stack: Stack;
let server: Server;
let site: string;
let browser: Browser;

before(async () => {
  pack();
  stack = await startStack({ port: 0, data, logLevel: "error", s3Fault: s3.s3Fault });
  // The one thing that differs from what is printed: the local stack is at other ports than its usual ones.
  const here = (text: string) => text.replaceAll("http://localhost:3001", stack.api);
  const write = (name: string, text: string) => writeFileSync(join(project.folder, name), text);
  for (const [name, { example, main, extension }] of Object.entries(apps)) {
    write(example, here(readFileSync(`examples/${example}`, "utf8")));
    write(`${name}-main.${extension}`, main);
    write(
      `${name}.html`,
      `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/${name}-main.${extension}"></script>`,
    );
  }
  write("vite.config.js", VITE);
  const { devDependencies: ours } = JSON.parse(readFileSync("package.json", "utf8"));
  const versions = ["react", "react-dom", "vue", "svelte", "vite", "@vitejs/plugin-react"].map(
    (name) => `${name}@${ours[name]}`,
  );
  // docs/front-end.md: `npm install darkroom@npm:darkroom-browser`, from the tarball that would be published.
  await project.run("npm", "install", `darkroom@file:${tarballs.browser}`, ...versions, ...PLUGINS);
  assertPublishable(join(project.folder, "node_modules/darkroom"));
  await project.run("npx", "vite", "build");
  const app = express();
  app.get("/darkroom-token", (_request, response) => void response.type("text").send(stack.uploadToken));
  app.get("/element.html", (_request, response) => {
    response.type("html").send(here(readFileSync("examples/element.html", "utf8")));
  });
  app.use(express.static(join(project.folder, "dist")));
  app.use("/darkroom", express.static(join(project.folder, "node_modules/darkroom")));
  server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  site = `http://localhost:${(server.address() as AddressInfo).port}`;
  browser = await launchChromium();
});
const PLUGINS = [
  "@types/node@24.19.2",
  "@types/react@19.3.0",
  "@vitejs/plugin-vue@6.0.11",
  "@sveltejs/vite-plugin-svelte@7.3.1",
];
after(async () => {
  await browser?.close();
  server?.close();
  server?.closeAllConnections();
  await stack?.close();
  project.remove();
  rmSync(data, { recursive: true, force: true });
});

async function open(name: string): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const problems = problemsOf(page);
  await page.goto(`${site}/${name}.html`);
  return { page, problems };
}

const boat = async () => ({
  name: "boat.jpg",
  mimeType: "image/jpeg",
  buffer: await sharp({ create: { width: 400, height: 300, channels: 3, background: "#1f6f8b" } })
    .jpeg()
    .toBuffer(),
});

for (const name of Object.keys(apps)) {
  test(`${name}: pictures come, wait for the network, come again by the same name, and go`, async () => {
    const { page, problems } = await open(name);
    const file = await boat();
    await page.setInputFiles("input", file);
    await page.waitForSelector("ul picture img");
    // A list of earlier ones on the same page has it too, without being asked.
    await page.waitForSelector("section picture img");
    // The input is empty again: choosing the same file is a change.
    await page.setInputFiles("input", file);
    await page.waitForSelector("ul li:nth-child(2) picture img");
    await page.click("ul li:nth-child(2) button:text('Remove')");
    await page.waitForSelector("ul li:nth-child(2)", { state: "detached" });
    await page.waitForFunction(() => document.querySelectorAll("section figure").length === 1);
    assert.deepEqual(problems, []);

    await page.context().setOffline(true);
    await page.setInputFiles("input", file);
    await page.getByText("Waiting for the network…").waitFor();
    await page.context().setOffline(false);
    await page.waitForSelector("ul li:nth-child(2) picture img");

    const notes = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("not a picture") };
    await page.setInputFiles("input", notes);
    await page.getByText("Files of this type are not accepted.").waitFor();
    // Deleted for good, and not only from the page.
    for (const left of [1, 0]) {
      await page.click("section figure button:text('Delete')");
      await page.waitForFunction(
        (count) => document.querySelectorAll("section figure").length === count,
        left,
      );
    }
    const listed = await fetch(`${stack.api}/images`, {
      headers: { authorization: `Bearer ${stack.uploadToken}` },
    });
    assert.deepEqual((await listed.json()).images, []);
    await page.context().close();
  });
}

const list: Look = {
  input: "input",
  row: (_, nth = 1) => `li:nth-child(${nth})`,
  picture: " picture img",
  problem: " [role=alert]",
  cancel: "Remove",
};
const looks: Readonly<Record<string, Look>> = {
  ...Object.fromEntries(Object.keys(apps).map((name) => [name, list])),
  element: { ...list, input: "darkroom-upload", problem: "[data-status=failed] span" },
};

for (const [name, launch] of Object.entries(engines)) {
  test(`${name}: what people do, on each of these pages`, async (t) => {
    const engine = await launch();
    t.after(() => engine.close());
    for (const [app, look] of Object.entries(looks)) {
      for (const [flow, run] of Object.entries(flows)) {
        await t.test(`${app}: ${flow}`, async () => {
          s3.reset();
          const tab = await engine.open(`${site}/${app}.html`);
          await shows(tab, "input");
          await run(tab, look, s3);
          await tab.close();
        });
      }
    }
  });
}

test("what a page does not use is not in its bundle: uploading and waiting are 4.6 kB", async () => {
  const { outputFiles } = await build({
    stdin: { contents: `export { createDarkroom } from "darkroom/client"`, resolveDir: project.folder },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  assert.ok(size > 1000 && size < 4700, `${size} bytes`);
});

test("a service worker that imports ours has it, though it uses nothing by name", async () => {
  const { outputFiles } = await build({
    stdin: { contents: readFileSync("examples/service-worker.js", "utf8"), resolveDir: project.folder },
    bundle: true,
    write: false,
  });
  assert.match(outputFiles[0]?.text ?? "", /addEventListener\("sync"/);
});

const CONSUMER = `
import { createDarkroom, DarkroomError, explain, type Image, imageIdFromKey, type ListedImage, picture, uppySigner } from "darkroom/client";
import { resumable, unfinished } from "darkroom/client/resume";
import "darkroom/client/service-worker";
import { DarkroomUpload } from "darkroom/element";
import { createDarkroom as inNode } from "darkroom/node";
import { Picture, useImages, useUpload } from "darkroom/react";
import { Picture as OnServer } from "darkroom/react/picture";
import { adminApi, createToken, verifyWebhook, type WebhookEvent } from "darkroom/server";
import * as svelte from "darkroom/svelte";
import * as vue from "darkroom/vue";

const darkroom = createDarkroom({ endpoint: "https://api.example", token: async () => "jwt" });
export async function send(file: File): Promise<Image> {
  const { id, ready } = await darkroom.upload(file, { ...(await resumable(file)), focus: { x: 0.5, y: 0.5 } });
  const text: string = id;
  // @ts-expect-error a string
  const number: number = id;
  // @ts-expect-error there is no such option
  await darkroom.upload(file, { presett: "photo" });
  return ready;
}
export const html = (image: Image): string => picture(image, { alt: "" }).html;
export const props: Parameters<typeof OnServer>[0] = { image: {} as Image, alt: "", fetchPriority: "high", onLoad() {} };
export const told = (event: WebhookEvent) => (event.type === "image.rejected" ? event.data.error.code : event.data.id);
export const first = async (): Promise<ListedImage | undefined> => (await darkroom.list({ limit: 1 })).images[0];
export const all = [DarkroomError, imageIdFromKey, uppySigner(darkroom), unfinished, useUpload, useImages, explain, Picture];
export const others = [DarkroomUpload, inNode, adminApi, createToken, verifyWebhook, svelte.useUpload, vue.useImages];
`;

test("it has types, however a project looks for them", async () => {
  writeFileSync(join(project.folder, "consumer.ts"), CONSUMER);
  const options = { target: "es2022", lib: ["es2023", "dom", "dom.iterable"], types: ["node"], strict: true };
  for (const [module, moduleResolution] of [
    ["esnext", "bundler"],
    ["nodenext", "nodenext"],
  ]) {
    const compilerOptions = { ...options, module, moduleResolution, noEmit: true, skipLibCheck: false };
    writeFileSync(
      join(project.folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["consumer.ts"] }),
    );
    await project.run("node", resolve("node_modules/typescript/bin/tsc"));
  }
  // Also the old way, \`node10\`, which TypeScript 7 no longer knows. It is modules alone: \`require\` of them is Node's to allow.
  const attw = ["exec", "--yes", "@arethetypeswrong/cli@0.18.5", "--", tarballs.browser];
  await project.run("npm", ...attw, "--ignore-rules", "cjs-resolves-to-esm");
  const load = `console.log(typeof (await import("darkroom/client")).createDarkroom, typeof (await import("darkroom/react")).Picture)`;
  assert.equal((await project.run("node", "--input-type=module", "-e", load)).trim(), "function object");
});

test("<darkroom-upload>: a form holds the ids of what was uploaded", async () => {
  const { page, problems } = await open("element");
  await page.setInputFiles("darkroom-upload input", await boat());
  await page.waitForSelector("darkroom-upload picture img");
  await page.click("button:text('Save')");
  await page.waitForURL(/photos=[0-9a-z]{26}$/);
  assert.deepEqual(problems, []);
  await page.context().close();
});
