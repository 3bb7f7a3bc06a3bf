/** A preset with `later`, on the whole local stack: first the fast formats, then the rest, and nothing in between. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import sharp from "sharp";
import { createDarkroom, type Image, picture, type Variant } from "../../client/darkroom.ts";
import type { ImageEvent } from "../../core/tell/tell.ts";
import type { Stack } from "../../laptop/stack.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
// In force are presets that say what the shipped ones do not.
const presets = join(data, "presets.mjs");
writeFileSync(
  presets,
  `import { defineConfig } from ${JSON.stringify(new URL("../../core/preset.ts", import.meta.url).href)};
  export default defineConfig({ defaultPreset: "photo", presets: { photo: {
    accept: ["jpeg"],
    ladder: { widths: [160, 320], formats: ["avif", "webp", "jpeg"] },
    later: { formats: ["avif"], aboveMegapixels: 0.1 },
  } } });`,
);
process.env["DARKROOM_CONFIG"] = presets;
// Presets are read with the first module that needs them.
const { startStack } = await import("../../laptop/stack.ts");

const waiting: (() => void)[] = [];
/** Opened once the first state has been looked at. */
let gate: Promise<void>;
let open = () => {};
const written: string[] = [];
let stack: Stack;

before(async () => {
  gate = new Promise((resolve) => {
    open = resolve;
  });
  stack = await startStack({
    port: 0,
    data,
    logLevel: "error",
    onInvocation: () => {
      for (const wake of waiting.splice(0)) wake();
    },
    s3Fault: async ({ method, key = "" }) => {
      if (method !== "PUT" || !key.endsWith(".avif")) return undefined;
      written.push(key);
      await gate;
      return undefined;
    },
  });
});
after(async () => {
  open();
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

const call = async (path: string, init: RequestInit = {}) => {
  const headers = { authorization: `Bearer ${stack.uploadToken}` };
  const response = await fetch(stack.api + path, { headers, ...init });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
};

async function uploaded(width: number, height: number): Promise<string> {
  const bytes = await sharp({ create: { width, height, channels: 3, background: "#507090" } })
    .jpeg()
    .toBuffer();
  const file = { name: "a.jpg", type: "image/jpeg", size: bytes.length };
  const answer = await call("/uploads", { method: "POST", body: JSON.stringify({ files: [file] }) });
  const { id, url, headers } = (
    answer as { uploads: [{ id: string; url: string; headers: Record<string, string> }] }
  ).uploads[0];
  const put = await fetch(url, { method: "PUT", headers, body: new Uint8Array(bytes) });
  assert.equal(put.status, 200);
  return id;
}

/** What the stack's receiver of webhooks has verified of an image, once `type` is among it. */
async function told(id: string, type: ImageEvent["type"]): Promise<ImageEvent[]> {
  for (;;) {
    const invoked = new Promise<void>((resolve) => waiting.push(resolve));
    const { webhooks } = (await (await fetch(`${stack.page}/webhooks.json`)).json()) as {
      webhooks: { event: ImageEvent }[];
    };
    const events = webhooks.flatMap(({ event }) => (event.data.id === id ? event : []));
    if (events.some((event) => event.type === type)) return events;
    await invoked;
  }
}

const formatsOf = (variants: readonly Pick<Variant, "format">[]) =>
  [...new Set(variants.map(({ format }) => format))].sort();
const typesIn = (image: Image) => picture(image, { alt: "" }).sources.map(({ type }) => type);
const allAreServed = async ({ variants }: Image) => {
  for (const { url, type, bytes } of variants) {
    const response = await fetch(url);
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, type]);
    assert.equal((await response.arrayBuffer()).byteLength, bytes);
  }
};

test("ready with the fast formats, pending names the rest, which a second commit brings as image.updated", async () => {
  const id = await uploaded(480, 320);
  const { waitUntilReady } = createDarkroom({ endpoint: stack.api, token: stack.uploadToken });

  // Its AVIFs cannot be written yet, whoever tries: the client does not wait for them.
  const first = await waitUntilReady(id);
  assert.deepEqual([first.status, first.pending], ["ready", ["avif"]]);
  assert.deepEqual(formatsOf(first.variants), ["jpeg", "webp"]);
  assert.deepEqual(typesIn(first), ["image/webp"]);
  await allAreServed(first);
  const [ready] = await told(id, "image.ready");
  assert.deepEqual([ready?.type, ready?.data.pending], ["image.ready", ["avif"]]);

  open();
  const events = await told(id, "image.updated");
  assert.deepEqual(events.map(({ type }) => type).sort(), ["image.ready", "image.updated"]);
  const second = await waitUntilReady(id);
  assert.deepEqual([second.status, second.pending], ["ready", []]);
  assert.deepEqual(formatsOf(second.variants), ["avif", "jpeg", "webp"]);
  assert.deepEqual(typesIn(second), ["image/avif", "image/webp"]);
  await allAreServed(second);
  // One commit for all of them, and what was there was not made again.
  const updated = events.find(({ type }) => type === "image.updated");
  assert.equal(updated?.data.rev, (ready?.data.rev ?? 0) + 1);
  assert.deepEqual(updated?.data.variants, second.variants);
  for (const variant of first.variants)
    assert.deepEqual(
      second.variants.find(({ name, format }) => name === variant.name && format === variant.format),
      variant,
    );
  assert.equal(new Set(written).size, written.length, "each AVIF was written once");
});

test("a picture below the limit has all of its formats at once", async () => {
  const id = await uploaded(300, 200);
  const [ready, ...more] = await told(id, "image.ready");
  assert.deepEqual([ready?.type, ready?.data.pending, more], ["image.ready", [], []]);
  assert.deepEqual(formatsOf(ready?.data.variants ?? []), ["avif", "jpeg", "webp"]);
});
