/** What people do on the page, the same in every browser: one table of flows, run by all engines. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { after, before } from "node:test";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { engines } from "../browsers/engines.ts";
import { type Engine, shows, type Tab } from "../browsers/tab.ts";
import { launchWebKit } from "../browsers/webkit.ts";
import { jpeg } from "./page.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let stack: Stack;

/** Parts by number that reached S3, in order. */
let parts: number[] = [];
/** What S3 does about a part, 0 being a whole file, before anything else. */
let atPart: (part: number) => Promise<{ status: number; code: string } | undefined> = async () => undefined;
/** Told of each DELETE of an open upload. */
let aborted = () => {};

before(async () => {
  stack = await startStack({
    port: 0,
    data,
    logLevel: "error",
    s3Fault: async ({ method, key, query }) => {
      const part = Number(query.get("partNumber") ?? 0);
      if (method === "DELETE" && query.has("uploadId")) aborted();
      if (method !== "PUT" || !key?.startsWith("originals/")) return undefined;
      if (part > 0) parts.push(part);
      return atPart(part);
    },
  });
});
after(async () => {
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

/** A JPEG on the disk, of so many bytes. */
async function photo(name: string, bytes = 0): Promise<string> {
  const path = join(data, name);
  writeFileSync(path, (await jpeg(name, { bytes })).buffer);
  return path;
}
const INPUT = "input[type=file]";
const BUSY = { status: 503, code: "SlowDown" };
/** Large enough for two parts. */
const LARGE = 9_000_000;

const card = (name: string, inside = "") => `.card:has(h3[title="${name}"]) ${inside}`;
/** Resolves with the picture's source once it is developed and drawn. */
async function ready(tab: Tab, name: string): Promise<string> {
  await shows(tab, card(name, ".developed"));
  await tab.run((css) => document.querySelector(css)?.scrollIntoView(), card(name));
  await shows(tab, card(name, '[data-loaded="true"]'));
  return tab.run(
    (css) => document.querySelector<HTMLImageElement>(css)?.currentSrc ?? "",
    card(name, ".developed img"),
  );
}
const click = (tab: Tab, css: string, text: string) =>
  tab.run(
    (css, text) => {
      const button = [...document.querySelectorAll<HTMLElement>(css)].find((one) =>
        one.textContent.startsWith(text),
      );
      if (!button) throw new Error(`no ${css} with ${text}`);
      button.click();
    },
    css,
    text,
  );

const flows: Readonly<Record<string, (tab: Tab) => Promise<void>>> = {
  async "a small picture is developed and shown as AVIF"(tab) {
    await tab.choose(INPUT, await photo("small.jpg"));
    assert.match(await ready(tab, "small.jpg"), /\.avif$/);
  },
  async "a large file goes in parts"(tab) {
    await tab.choose(INPUT, await photo("large.jpg", LARGE));
    await ready(tab, "large.jpg");
    assert.deepEqual(parts.sort(), [1, 2]);
  },
  async HEIC(tab) {
    await tab.choose(INPUT, resolve("test/images/heic/quarters.heic"));
    assert.match(await ready(tab, "quarters.heic"), /\.avif$/);
  },
  async "what is refused says why"(tab) {
    writeFileSync(join(data, "notes.txt"), "This is no picture.");
    writeFileSync(join(data, "renamed.jpg"), "This is no picture.");
    await tab.choose(INPUT, join(data, "notes.txt"), join(data, "renamed.jpg"));
    await shows(tab, card("notes.txt", ".problem"), "Files of this type are not accepted.");
    await shows(tab, card("renamed.jpg", ".problem"), "This is not an image of a format we accept.");
  },
  async "one that is cancelled half-way leaves nothing on S3"(tab) {
    const arrived = Promise.withResolvers<void>();
    const gone = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    const held = Promise.withResolvers<undefined>();
    atPart = (part) => {
      if (part === 1) arrived.resolve();
      return held.promise;
    };
    await tab.choose(INPUT, await photo("unwanted.jpg", LARGE));
    await arrived.promise;
    await click(tab, card("unwanted.jpg", "button"), "Cancel");
    await tab.run(
      (css) =>
        new Promise<void>((resolve) => {
          const look = () => document.querySelector(css) === null && resolve();
          new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
          look();
        }),
      card("unwanted.jpg"),
    );
    await gone;
    held.resolve(undefined);
  },
  async "without a network it waits, and goes on by itself"(tab) {
    const arrived = Promise.withResolvers<void>();
    const held = Promise.withResolvers<typeof BUSY>();
    atPart = async (part) => {
      if (part === 2) arrived.resolve();
      return held.promise;
    };
    await tab.choose(INPUT, await photo("train.jpg", LARGE));
    await arrived.promise;
    await tab.offline(true);
    held.resolve(BUSY);
    await shows(tab, card("train.jpg"), "Waiting for the network…");
    atPart = async () => undefined;
    await tab.offline(false);
    await ready(tab, "train.jpg");
  },
  async "pictures are pasted, and dropped"(tab) {
    const base64 = readFileSync(await photo("paste.jpg")).toString("base64");
    for (const [type, name] of [
      ["paste", "pasted.jpg"],
      ["drop", "dropped.jpg"],
    ] as const) {
      await tab.run(
        (base64, type, name) => {
          const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: "image/jpeg" }));
          const event = new DragEvent(type, { dataTransfer: data, bubbles: true });
          // Firefox gives a clipboard of a page's own making no files.
          Object.defineProperty(event, "clipboardData", { value: data });
          document.body.dispatchEvent(event);
        },
        base64,
        type,
        name,
      );
      await ready(tab, name);
    }
  },
  async "after a reload it goes on, with the part that is missing"(tab) {
    await halfWay(tab, "reloaded.jpg");
    await tab.goto(stack.page);
    parts = [];
    atPart = async () => undefined;
    await ready(tab, "reloaded.jpg");
    assert.deepEqual(parts, [2]);
  },
};

/** Resolves when the first part has arrived; S3 is too busy for the second. */
async function halfWay(tab: Tab, name: string): Promise<void> {
  atPart = async (part) => (part === 2 ? BUSY : undefined);
  await tab.choose(INPUT, await photo(name, LARGE));
  await tab.run(
    (css, least) =>
      new Promise<void>((resolve) => {
        const look = () => {
          const bar = document.querySelector<HTMLProgressElement>(css);
          if (bar && bar.value >= least) resolve();
          else setTimeout(look, 50);
        };
        look();
      }),
    card(name, "progress"),
    8_388_608,
  );
}

for (const [name, launch] of Object.entries(engines)) {
  test(name, async (t) => {
    const engine: Engine = await launch();
    t.after(() => engine.close());
    for (const [flow, run] of Object.entries(flows)) {
      await t.test(flow, async () => {
        parts = [];
        atPart = async () => undefined;
        const tab = await engine.open(stack.page);
        await shows(tab, "h1");
        await run(tab);
        await tab.close();
      });
    }
  });
}

test("WebKit in private keeps no file, which is said before a reload would lose it", async (t) => {
  const engine = await launchWebKit({ isPrivate: true });
  t.after(() => engine.close());
  parts = [];
  const tab = await engine.open(stack.page);
  await shows(tab, "h1");
  const held = Promise.withResolvers<undefined>();
  atPart = () => held.promise;
  await tab.choose(INPUT, await photo("private.jpg"));
  await shows(tab, "[role=note]", "stay on this page until yours have arrived");
  const asks = () => tab.run(() => !dispatchEvent(new Event("beforeunload", { cancelable: true })));
  assert.equal(await asks(), true);
  held.resolve(undefined);
  await shows(tab, card("private.jpg", ".developed"));
  assert.equal(await asks(), false);
});
