/** The small parts of the pixel work, each for itself. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import test from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { thumbHashToAverageRGBA } from "thumbhash";
import { dominantColour, thumbhashOf } from "../../pixels/placeholder.ts";
import { pngOf } from "../../pixels/png.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { parseFromChild, receive, send } from "../../pixels/wire.ts";
import { developWith } from "./develop-with.ts";
import { picture, quarters } from "./quarters.ts";

test("messages arrive whole and in order, however the socket cuts them", async () => {
  const message = fc.tuple(fc.jsonValue(), fc.uint8Array({ maxLength: 300 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      async (messages, cuts) => {
        const written: Uint8Array[] = [];
        for (const [head, bytes] of messages)
          send({ write: (chunk) => written.push(chunk) }, head as never, bytes);
        const all = Buffer.concat(written);
        const chunks: Buffer[] = [];
        for (let at = 0; at < all.length; ) {
          const length = cuts.next().value ?? 1;
          chunks.push(all.subarray(at, at + length));
          at += length;
        }
        const arrived: unknown[] = [];
        for await (const { head, bytes } of receive(Readable.from(chunks))) arrived.push([head, [...bytes]]);
        assert.deepEqual(
          arrived,
          messages.map(([head, bytes]) => [JSON.parse(JSON.stringify(head)), [...bytes]]),
        );
      },
    ),
  );
});

test("a head too long to be ours is refused before it is kept", async () => {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(1_000_000_000);
  await assert.rejects(async () => {
    for await (const _ of receive(Readable.from([prefix]))) assert.fail();
  }, /more than 4 MB/);
});

test("what no child of ours says is not believed", () => {
  const header = { kind: "header", width: 1, height: 1, frames: 1, alpha: false };
  const placeholder = {
    thumbhash: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
    dataUrl: "data:image/webp;base64,UklGRg==",
    color: "#123456",
  };
  const good = [header, { ...header, takenAt: "2026-05-01T10:00:00" }, { kind: "done", placeholder, rss: 1 }];
  for (const head of good) assert.deepEqual(parseFromChild(head), head);
  for (const head of [
    null,
    {},
    { kind: "nonsense" },
    { ...header, width: -1 },
    { ...header, height: 1.5 },
    { ...header, takenAt: "<script>" },
    { ...header, more: 1 },
    { kind: "done", placeholder: { ...placeholder, color: "red;}" }, rss: 1 },
    { kind: "done", placeholder: { ...placeholder, dataUrl: "javascript:alert(1)" }, rss: 1 },
    {
      kind: "done",
      placeholder: { ...placeholder, dataUrl: `data:image/webp;base64,${"A".repeat(2000)}` },
      rss: 1,
    },
    { kind: "rejected", check: "internal", at: 0, reason: "" },
    { kind: "rejected", check: "decoder", at: -1, reason: "" },
    { kind: "variant", step: -1, encode: 0 },
  ]) {
    assert.throws(() => parseFromChild(head), JSON.stringify(head));
  }
});

test("our PNG is read by others, with its profile", async () => {
  const icc = (
    await sharp(
      await sharp(Buffer.alloc(3), { raw: { width: 1, height: 1, channels: 3 } })
        .withIccProfile("p3")
        .png()
        .toBuffer(),
    ).metadata()
  ).icc;
  assert(icc);
  for (const channels of [3, 4] as const) {
    const data = Buffer.from(Array.from({ length: 300 * 200 * channels }, (_, i) => (i * 31) % 256));
    const png = pngOf({ data, width: 300, height: 200, channels }, icc);
    const metadata = await sharp(png, { failOn: "warning" }).metadata();
    assert.deepEqual([metadata.width, metadata.height, metadata.channels], [300, 200, channels]);
    assert.deepEqual(metadata.icc, icc);
    // Without the profile the pixels are what went in.
    const bare = await sharp(png, { failOn: "warning", ignoreIcc: true }).raw().toBuffer();
    assert.deepEqual(bare, data);
  }
});

const rgba = (...pixels: number[][]) => Uint8Array.from(pixels.flat());

test("the dominant colour is one that is there, and what cannot be seen does not count", () => {
  const red = [200, 20, 30, 255];
  const blue = [10, 20, 220, 255];
  assert.equal(dominantColour(rgba(red, red, blue)), "#c8141e");
  assert.equal(dominantColour(rgba(red, blue, blue)), "#0a14dc");
  assert.equal(dominantColour(rgba([200, 20, 30, 0], [200, 20, 30, 0], [0, 0, 0, 0], blue)), "#0a14dc");
  assert.equal(dominantColour(rgba([200, 20, 30, 60], [200, 20, 30, 60], blue)), "#0a14dc", "by opacity");
  assert.equal(dominantColour(rgba([200, 20, 30, 0])), "#000000");
  assert.equal(
    dominantColour(rgba([16, 16, 16, 255], [31, 31, 31, 255])),
    "#181818",
    "the average of its box",
  );
});

test("the placeholder looks like the picture", async (t) => {
  const pixels = pixelProcess();
  t.after(() => pixels.close());
  const size = { width: 300, height: 200 };
  const bytes = await sharp(picture(size, quarters), { raw: { ...size, channels: 3 } })
    .png()
    .toBuffer();
  const { placeholder } = await developWith(pixels, bytes, "png");
  const average = thumbHashToAverageRGBA(Buffer.from(placeholder.thumbhash, "base64"));
  const mean = [0, 1, 2].map((c) => quarters.reduce((sum, colour) => sum + (colour[c] ?? 0), 0) / 4 / 255);
  for (const [i, value] of [average.r, average.g, average.b].entries()) {
    assert(Math.abs(value - (mean[i] ?? 0)) < 0.06, `${value}, not ${mean[i]}`);
  }
  assert.equal(average.a, 1);
  const tiny = sharp(Buffer.from(placeholder.dataUrl.slice("data:image/webp;base64,".length), "base64"));
  const { width, height, format } = await tiny.metadata();
  assert.deepEqual([format, width, height], ["webp", 24, 16]);
  assert(placeholder.dataUrl.length <= 400);

  // The worst for an encoder: noise, with noise for alpha.
  const noise = Buffer.from(Array.from({ length: 200 * 200 * 4 }, (_, i) => (i * 7919 * (i % 13)) % 251));
  const worst = await sharp(noise, { raw: { width: 200, height: 200, channels: 4 } })
    .png()
    .toBuffer();
  const { placeholder: noisy } = await developWith(pixels, worst, "png");
  assert(noisy.dataUrl.length <= 1000, `${noisy.dataUrl.length}`);
  for (const [width, height] of [
    [16_000, 1],
    [1, 16_000],
    [1, 1],
  ] as const) {
    const line = await sharp({ create: { width, height, channels: 3, background: "#808080" } })
      .png()
      .toBuffer();
    const { placeholder } = await developWith(pixels, line, "png");
    assert.equal(placeholder.color, "#808080");
  }
});

test("thumbhash of nothing to be seen", () => {
  assert.match(thumbhashOf(new Uint8Array(4 * 4 * 4), 4, 4), /^[A-Za-z0-9+/]+=*$/);
});
