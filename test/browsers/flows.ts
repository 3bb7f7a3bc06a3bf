/** What people do where they upload, the same in every browser and on every page that can: one table of flows. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { StackOptions } from "../../laptop/stack.ts";
import { jpeg } from "../web/page.ts";
import { click, drawn, gone, hurry, shows, type Tab } from "./tab.ts";

/** How a page says what flows look for. */
export interface Look {
  readonly input: string;
  /** CSS of a file's row, by its name or its place; what follows is within it. */
  readonly row: (name: string, nth?: number) => string;
  readonly picture: string;
  readonly problem: string;
  /** Of the button that ends an upload. */
  readonly cancel: string;
}

const BUSY = { status: 503, code: "SlowDown" };
/** Large enough for two parts. */
export const LARGE = 9_000_000;

/** What S3 gets, and what it does about it: for `s3Fault` of the stack. */
export class Watch {
  /** Numbers of the parts that reached S3, however often. */
  parts = new Set<number>();
  /** Before anything else; 0 is a whole file. */
  atPart: (part: number) => Promise<typeof BUSY | undefined> = async () => undefined;
  /** Told of each DELETE of an open upload. */
  aborted = () => {};

  readonly s3Fault: NonNullable<StackOptions["s3Fault"]> = async ({ method, key, query }) => {
    const part = Number(query.get("partNumber") ?? 0);
    if (method === "DELETE" && query.has("uploadId")) this.aborted();
    if (method !== "PUT" || !key?.startsWith("originals/")) return undefined;
    if (part > 0) this.parts.add(part);
    return this.atPart(part);
  };

  reset(): void {
    this.parts.clear();
    this.atPart = async () => undefined;
  }
}

const folder = mkdtempSync(join(tmpdir(), "darkroom-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
function file(name: string, content: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
/** On the disk, of so many bytes. */
export const photo = async (name: string, bytes = 0) =>
  file(name, (await jpeg(name, { width: 140, height: 100, bytes })).buffer);

/** In the page: S3 has the first part, and has said so. */
export const firstPartSent = (): Promise<void> =>
  new Promise((resolve) => {
    const told = new PerformanceObserver((list) => {
      if (list.getEntries().some(({ name }) => /partNumber=1\b/.test(name))) resolve();
    });
    told.observe({ type: "resource", buffered: true });
  });

type Flow = (tab: Tab, look: Look, s3: Watch) => Promise<unknown>;

export const flows = {
  async "a small picture is developed and shown as AVIF"(tab, { input, row, picture }) {
    await tab.choose(input, await photo("small.jpg"));
    const source = await drawn(tab, row("small.jpg") + picture);
    assert.match(source, /\.avif$/);
    return source;
  },
  async HEIC(tab, { input, row, picture }) {
    await tab.choose(input, resolve("test/images/heic/quarters.heic"));
    const source = await drawn(tab, row("quarters.heic") + picture);
    assert.match(source, /\.avif$/);
    return source;
  },
  async "what is refused says why"(tab, { input, row, problem }) {
    const notes = "This is no picture.";
    await tab.choose(input, file("notes.txt", notes), file("renamed.jpg", notes));
    await shows(tab, row("notes.txt") + problem, "Files of this type are not accepted.");
    await shows(tab, row("renamed.jpg", 2) + problem, "This is not an image of a format we accept.");
  },
  async "one that is cancelled half-way leaves nothing on S3"(tab, { input, row, cancel }, s3) {
    const arrived = Promise.withResolvers<void>();
    const aborted = new Promise<void>((resolve) => {
      s3.aborted = resolve;
    });
    const held = Promise.withResolvers<undefined>();
    s3.atPart = (part) => {
      if (part === 1) arrived.resolve();
      return held.promise;
    };
    await tab.choose(input, await photo("unwanted.jpg", LARGE));
    await arrived.promise;
    await click(tab, `${row("unwanted.jpg")} button`, cancel);
    await gone(tab, row("unwanted.jpg"));
    await aborted;
    held.resolve(undefined);
  },
  async "a large file goes in parts, waits without a network, and goes on by itself"(tab, look, s3) {
    const { input, row, picture } = look;
    const arrived = Promise.withResolvers<void>();
    const held = Promise.withResolvers<typeof BUSY>();
    s3.atPart = async (part) => {
      if (part === 2) arrived.resolve();
      return held.promise;
    };
    await tab.choose(input, await photo("train.jpg", LARGE));
    await arrived.promise;
    await tab.offline(true);
    held.resolve(BUSY);
    await shows(tab, row("train.jpg"), "Waiting for the network…");
    s3.atPart = async () => undefined;
    await tab.offline(false);
    await tab.run(hurry);
    await drawn(tab, row("train.jpg") + picture);
    assert.deepEqual([...s3.parts].sort(), [1, 2]);
  },
  async "pictures are pasted, and dropped"(tab, { row, picture }) {
    const base64 = readFileSync(await photo("paste.jpg")).toString("base64");
    for (const [type, name, nth] of [
      ["paste", "pasted.jpg", 1],
      ["drop", "dropped.jpg", 2],
    ] as const) {
      await tab.run(
        (base64, type, name) => {
          const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: "image/jpeg" }));
          const event = new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
          // Firefox gives a clipboard of a page's own making no files.
          Object.defineProperty(event, "clipboardData", { value: data });
          document.body.dispatchEvent(event);
        },
        base64,
        type,
        name,
      );
      await drawn(tab, row(name, nth) + picture);
    }
  },
  async "after a reload it goes on, with the part that is missing"(tab, { input, row, picture }, s3) {
    const arrived = Promise.withResolvers<void>();
    const held = Promise.withResolvers<typeof BUSY>();
    s3.atPart = async (part) => {
      if (part !== 2) return undefined;
      arrived.resolve();
      return held.promise;
    };
    await tab.choose(input, await photo("reloaded.jpg", LARGE));
    // S3 has the first part, and has said so; the second is on its way when the page goes.
    await arrived.promise;
    await tab.run(firstPartSent);
    await tab.goto(await tab.run(() => location.href));
    s3.reset();
    await tab.run(hurry);
    held.resolve(BUSY);
    await drawn(tab, row("reloaded.jpg") + picture);
    assert.deepEqual([...s3.parts], [2]);
  },
} as const satisfies Record<string, Flow>;
