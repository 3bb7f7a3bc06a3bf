/** The whole path on the local stack: upload, queue, worker, commit, for many images at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metadata } from "../core/metadata.ts";
import { startStack } from "../local/stack.ts";
import { cpuMs, lastChild } from "./peak.ts";
import { fileOf, photo, photoSource } from "./photos.ts";
import { type Report, round } from "./report.ts";

/** Requests on their way at once. */
const UPLOADS = 16;

export async function whole(quick: boolean): Promise<Report> {
  const sets = [
    { what: "small", megapixels: 0.3, images: quick ? 100 : 1000 },
    { what: "large", megapixels: 12.3, images: quick ? 10 : 100 },
  ];
  const picture = await photo("rug");
  const rows = [];
  for (const { what, megapixels, images } of sets) {
    const bytes = await fileOf(picture, megapixels, "baseline JPEG");
    rows.push({ images: `${images} ${what} (${megapixels} MP)`, ...(await developed(bytes, images)) });
  }
  return {
    title: "The whole path on the local stack",
    on: `${photoSource}: the preset photo in its profile, ${UPLOADS} uploads at once; client, API, S3, SQS and the worker in one process, pixels in the worker's child. Time to ready is from the end of the upload to the commit, queueing behind the others included.`,
    rows,
  };
}

async function developed(bytes: Buffer, images: number) {
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

  const started = Date.now();
  const before = { own: process.cpuUsage(), pixels: cpuMs(lastChild()) };
  let left = images;
  const lane = async () => {
    while (left-- > 0) await upload();
  };
  await Promise.all(Array.from({ length: UPLOADS }, lane));
  const waits: number[] = [];
  let last = started;
  for (const [id, sent] of uploaded) {
    const ready = await readyAt(id);
    waits.push(Math.max(0, ready - sent));
    last = Math.max(last, ready);
  }
  const { user, system } = process.cpuUsage(before.own);
  const own = (user + system) / 1000;
  const pixels = cpuMs(lastChild()) - before.pixels;
  await stack.close();
  rmSync(data, { recursive: true, force: true });
  waits.sort((a, b) => a - b);
  const at = (share: number) =>
    `${round((waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0) / 1000, 1)} s`;
  return {
    "images per second": round((images * 1000) / (last - started), 2),
    "ready, p50": at(0.5),
    "ready, p99": at(0.99),
    "CPU of pixels": `${round((100 * pixels) / (own + pixels))} %`,
    "CPU of all else": `${round((100 * own) / (own + pixels))} %`,
  };

  /** When the image was committed as ready; waits for the worker's next invocation as long as it is not. */
  async function readyAt(id: string): Promise<number> {
    for (;;) {
      const invoked = new Promise<void>((resolve) => {
        settled = resolve;
      });
      const { status, json } = await ask(`/images/${id}`);
      const image = json as Metadata;
      if (status === 200 && image.status === "ready") return Date.parse(image.processedAt);
      if (status === 200) throw new Error(`${id} is ${image.status}`);
      await invoked;
    }
  }
}
