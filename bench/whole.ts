/** The whole path on the local stack: upload, queue, worker, commit, for many images at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metadata } from "../core/metadata.ts";
import { startStack } from "../laptop/stack.ts";
import { cpuMs, lastChild } from "./peak.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
import { type Report, round } from "./report.ts";

/** Uploads on their way at once. */
const UPLOADS = 16;

export async function whole(quick: boolean): Promise<Report> {
  const sets = [
    { what: "small", megapixels: 0.3, images: quick ? 100 : 1000, atOnce: UPLOADS },
    { what: "large", megapixels: 12.3, images: quick ? 10 : 100, atOnce: UPLOADS },
    { what: "small, one after the other", megapixels: 0.3, images: quick ? 5 : 20, atOnce: 1 },
    { what: "large, one after the other", megapixels: 12.3, images: quick ? 5 : 20, atOnce: 1 },
  ];
  const picture = await photo("rug");
  const rows = [];
  for (const { what, megapixels, images, atOnce } of sets) {
    const bytes = await fileOf(picture, megapixels, "baseline JPEG");
    const { perSecond, waits, share } = await developed(bytes, images, atOnce);
    rows.push({
      images: `${images} ${what} (${megapixels} MP)`,
      "images per second": round(perSecond, 2),
      "ready, p50": `${round(at(waits, 0.5) / 1000, 1)} s`,
      "ready, p99": `${round(at(waits, 0.99) / 1000, 1)} s`,
      "CPU of pixels": `${round(100 * share)} %`,
      "CPU of all else": `${round(100 - 100 * share)} %`,
    });
  }
  return {
    title: "The whole path on the local stack",
    on: `${photoSource}: the preset photo in its profile, ${UPLOADS} uploads at once, or the next one when the last is ready; client, API, S3, SQS and the worker in one process, pixels in the worker's child. Time to ready is from the end of the upload to the commit, queueing behind the others included.`,
    rows,
  };
}

/** @param sorted ascending */
export const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

export interface Developed {
  readonly perSecond: number;
  /** From the end of each upload to its commit, in milliseconds, ascending. */
  readonly waits: readonly number[];
  /** Of all CPU time, that of pixels: 0 to 1. */
  readonly share: number;
}

/**
 * @param atOnce uploads on their way; of one, the next begins when the last is ready, all its formats included
 * @param started called when the pixel process is there
 */
export async function developed(
  bytes: Buffer,
  images: number,
  atOnce: number,
  started = (_pid: number) => {},
): Promise<Developed> {
  const data = mkdtempSync(join(tmpdir(), "darkroom-bench-"));
  let settled = () => {};
  const stack = await startStack({
    port: 0,
    data,
    logLevel: "error",
    onInvocation: (name) => {
      if (name === "worker") settled();
    },
  });
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${stack.api}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${stack.uploadToken}` },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return { status: answer.status, json: await answer.json() };
  };
  const uploaded = new Map<string, number>();
  const upload = async () => {
    const file = { name: "photo.jpg", type: "image/jpeg", size: bytes.length };
    const { json } = await ask("/uploads", { method: "POST", body: JSON.stringify({ files: [file] }) });
    const { id, url, headers } = (
      json as { uploads: [{ id: string; url: string; headers: Record<string, string> }] }
    ).uploads[0];
    const answer = await fetch(url, { method: "PUT", headers, body: new Uint8Array(bytes) });
    if (!answer.ok) throw new Error(`PUT: ${answer.status}`);
    uploaded.set(id, Date.now());
  };
  // One to warm the worker, whose start is not what is measured.
  await upload();
  const [first = ""] = uploaded.keys();
  await readyAt(first);
  uploaded.clear();
  started(lastChild());

  const begun = Date.now();
  const before = { own: process.cpuUsage(), pixels: cpuMs(lastChild()) };
  let left = images;
  const waits: number[] = [];
  let last = begun;
  const settle = async () => {
    for (const [id, sent] of uploaded) {
      const ready = await readyAt(id);
      waits.push(Math.max(0, ready - sent));
      last = Math.max(last, ready);
    }
    uploaded.clear();
  };
  const lane = async () => {
    while (left-- > 0) {
      await upload();
      if (atOnce === 1) await settle();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  await settle();
  const { user, system } = process.cpuUsage(before.own);
  const own = (user + system) / 1000;
  const pixels = cpuMs(lastChild()) - before.pixels;
  await stack.close();
  rmSync(data, { recursive: true, force: true });
  waits.sort((a, b) => a - b);
  return { perSecond: (images * 1000) / (last - begun), waits, share: pixels / (own + pixels) };

  /** When the image was committed as ready; waits for what is pending, invocation by invocation of the worker. */
  async function readyAt(id: string): Promise<number> {
    let ready: number | undefined;
    for (;;) {
      const invoked = new Promise<void>((resolve) => {
        settled = resolve;
      });
      const { status, json } = await ask(`/images/${id}`);
      const image = json as Metadata;
      if (status === 200 && image.status !== "ready") throw new Error(`${id} is ${image.status}`);
      if (status === 200 && image.status === "ready") {
        ready ??= Date.parse(image.processedAt);
        if (!image.pending?.length) return ready;
      }
      await invoked;
    }
  }
}
