/** The API as a program outside uses it: sign, send, wait. */
import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { detectFormat, formats } from "../core/formats.ts";
import type { IssuedUpload, MultipartTicket } from "../core/issue-uploads.ts";
import type { Metadata } from "../core/metadata.ts";

export interface Target {
  readonly api: string;
  readonly token: string;
}

/** Something to tell the user as it stands. */
export class CliError extends Error {}

/**
 * Where to send requests: what the options say, else `DARKROOM_API` and `DARKROOM_TOKEN`, else the local stack.
 * @throws CliError when none of them is there
 */
export async function findTarget(options: {
  api?: string | undefined;
  token?: string | undefined;
}): Promise<Target> {
  const api = options.api ?? process.env["DARKROOM_API"];
  const token = options.token ?? process.env["DARKROOM_TOKEN"];
  if (api && token) return { api: api.replace(/\/+$/, ""), token };
  if (api) throw new CliError("An API needs a token: --token or DARKROOM_TOKEN.");
  const page = await localPage();
  const response = await fetch(`${page}/local.json`).catch(() => undefined);
  if (!response?.ok) throw new CliError(`There is no Darkroom at ${page}. Start it with: npm start`);
  const local = (await response.json()) as { api: string; uploadToken: string };
  return { api: local.api, token: token ?? local.uploadToken };
}

/** The running stack notes where it is; without a note it is at the usual port. */
async function localPage(): Promise<string> {
  const note = await readFile(`${process.env["DARKROOM_DATA"] ?? ".darkroom"}/local.json`, "utf8").catch(
    () => undefined,
  );
  if (note) return (JSON.parse(note) as { page: string }).page;
  return `http://localhost:${process.env["PORT"] ?? 3000}`;
}

export interface LocalFile {
  readonly path: string;
  readonly size: number;
  /** By content; empty where that says nothing. */
  readonly type: string;
  /** Base64. */
  readonly sha256: string;
}

/** @throws the file system's own errors */
export async function describeFile(path: string): Promise<LocalFile> {
  const file = await open(path);
  const { size } = await file.stat();
  const { bytesRead, buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0).finally(() => file.close());
  const format = detectFormat(buffer.subarray(0, bytesRead));
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return { path, size, type: format ? formats[format].type : "", sha256: hash.digest("base64") };
}

/** Why an image did not come to be ready, with the code and the sentence for the user. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_TRIES = 5;
/** What a busy server asks for is waited for so often. */
const MAX_WAITS = 20;
/** 200 ms, doubled. */
const pauseBefore = (attempt: number) => setTimeout(100 * 2 ** attempt);

/** A request that is repeated while the network or the server is to blame. */
async function request(url: string, init: () => Promise<RequestInit> | RequestInit): Promise<Response> {
  let waits = 0;
  for (let attempt = 1; ; attempt++) {
    let failure: unknown;
    try {
      const response = await fetch(url, await init());
      if (response.status === 429 && waits++ < MAX_WAITS) {
        await response.body?.cancel();
        await setTimeout(1000 * Math.min(60, Number(response.headers.get("retry-after")) || 1));
        attempt--;
        continue;
      }
      if (response.status < 500 && response.status !== 429) return response;
      failure = `${response.status}`;
      if (attempt >= MAX_TRIES) return response;
      await response.body?.cancel();
    } catch (error) {
      failure = error instanceof Error && error.cause instanceof Error ? error.cause.message : error;
      if (attempt >= MAX_TRIES) throw new CliError(`${new URL(url).origin} cannot be reached: ${failure}`);
    }
    await pauseBefore(attempt);
  }
}

/** Signs and sends one file; signs again when S3 finds the signature expired. Resolves with the image's id. */
export async function sendFile(target: Target, file: LocalFile, preset: string | undefined): Promise<string> {
  const name = file.path.split(/[/\\]/).at(-1) ?? "";
  for (let attempt = 1; ; attempt++) {
    const signed = await sign(
      target,
      { name, type: file.type, size: file.size, sha256: file.sha256 },
      preset,
    );
    if (signed.method === "MULTIPART") {
      await sendParts(target, file, signed);
      return signed.id;
    }
    const answer = await request(signed.url, async () => ({
      method: "PUT",
      headers: signed.method === "PUT" ? signed.headers : {},
      body: await openAsBlob(file.path),
    }));
    // 412: written already, by a try whose answer was lost.
    if (answer.ok || answer.status === 412) return signed.id;
    await refusedUnlessExpired(answer, attempt);
  }
}

/** S3's refusal, but for an expired signature, which a new one may do away with. */
async function refusedUnlessExpired(answer: Response, attempt: number): Promise<void> {
  const text = await answer.text();
  const code = /<Code>([A-Za-z]+)<\/Code>/.exec(text)?.[1] ?? String(answer.status);
  const expired = (answer.status === 403 || answer.status === 400) && /expired/i.test(text);
  if (!expired || attempt >= MAX_TRIES)
    throw new Refused(code, /<Message>([^<]+)/.exec(text)?.[1] ?? "S3 refused the file.");
}

/** Parts of one file on their way at once. */
const PART_LANES = 4;

/** Sends a file in parts; what is there of it is taken back when it cannot be completed. */
async function sendParts(target: Target, file: LocalFile, { ticket, partSize }: MultipartTicket) {
  const { uploadId } = await call<{ uploadId: string }>(target, "POST", "/s3/multipart", { ticket });
  const upload = `/s3/multipart/${uploadId}`;
  const whole = await openAsBlob(file.path);
  const parts = Array.from({ length: Math.ceil(file.size / partSize) }, (_, i) => ({
    PartNumber: i + 1,
    ETag: "",
  }));
  const left = parts.values();
  const lane = async () => {
    for (const part of left) {
      const bytes = whole.slice((part.PartNumber - 1) * partSize, part.PartNumber * partSize);
      part.ETag = await sendPart(target, `${upload}/${part.PartNumber}`, bytes);
    }
  };
  try {
    await Promise.all(Array.from({ length: PART_LANES }, lane));
    await call(target, "POST", `${upload}/complete`, { parts });
  } catch (error) {
    await call(target, "DELETE", upload).catch(() => {});
    throw error;
  }
}

/** Resolves with the part's ETag. */
async function sendPart(target: Target, path: string, body: Blob): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { url } = await call<{ url: string }>(target, "GET", path);
    const answer = await request(url, () => ({ method: "PUT", body }));
    if (answer.ok) return answer.headers.get("etag") ?? "";
    await refusedUnlessExpired(answer, attempt);
  }
}

/** @throws CliError for a token that does not do, Refused for every other refusal */
async function call<T>(target: Target, method: string, path: string, json?: unknown): Promise<T> {
  const response = await request(`${target.api}${path}`, () => ({
    method,
    headers: { authorization: `Bearer ${target.token}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  }));
  const body = (await response.json()) as T & { code: string; detail: string };
  if (response.ok) return body;
  if (response.status === 401 || response.status === 403) throw new CliError(body.detail);
  throw new Refused(body.code, body.detail.replace(/^files\[0\]: /, ""));
}

async function sign(target: Target, file: object, preset: string | undefined): Promise<IssuedUpload> {
  const body = { ...(preset ? { preset } : {}), files: [file] };
  const { uploads } = await call<{ uploads: IssuedUpload[] }>(target, "POST", "/uploads", body);
  const [upload] = uploads;
  if (upload) return upload;
  throw new CliError(`${target.api} is not Darkroom's API.`);
}

/**
 * Waits until the image is ready.
 * @throws Refused when it was rejected, failed or deleted, or is not done after `seconds`
 */
export async function waitUntilReady(target: Target, id: string, seconds: number): Promise<Metadata> {
  const deadline = Date.now() + seconds * 1000;
  for (let pause = 150; Date.now() < deadline; pause = Math.min(2000, pause * 1.4)) {
    const response = await request(`${target.api}/images/${id}`, () => ({
      headers: { authorization: `Bearer ${target.token}` },
    }));
    const image = (await response.json()) as Metadata & { code?: string; detail?: string };
    if (image.status === "ready") return image;
    if (image.error) throw new Refused(image.error.code, image.error.message);
    if (!response.ok) throw new Refused(image.code ?? String(response.status), image.detail ?? "");
    await setTimeout(pause);
  }
  throw new Refused(
    "still-processing",
    `Not done after ${seconds} seconds; it will be. Ask again for ${id}.`,
  );
}
