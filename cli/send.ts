/** One file on its way: described, signed for, sent, waited for. */
import { createHash } from "node:crypto";
import { createReadStream, openAsBlob } from "node:fs";
import { open, stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { detectFormat, formats } from "../core/formats.ts";
import type { Metadata } from "../core/metadata.ts";
import type { IssuedUpload, MultipartTicket } from "../core/upload/issue-uploads.ts";
import { type Api, MAX_TRIES, Refused, request } from "./api.ts";
import { CliError } from "./exit.ts";

export interface LocalFile {
  readonly path: string;
  readonly size: number;
  /** By content; empty where that says nothing. */
  readonly type: string;
  /** Base64. */
  readonly sha256: string;
  /** When it was last written, in milliseconds. */
  readonly mtimeMs: number;
}

/** @throws the file system's own errors */
export async function describeFile(path: string): Promise<LocalFile> {
  const file = await open(path);
  const { size, mtimeMs } = await file.stat();
  const { bytesRead, buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0).finally(() => file.close());
  const format = detectFormat(buffer.subarray(0, bytesRead));
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return { path, size, mtimeMs, type: format ? formats[format].type : "", sha256: hash.digest("base64") };
}

/** How an image is to be uploaded, where it differs from what the preset and the token say. */
export interface UploadWish {
  readonly preset?: string | undefined;
  /** For another owner than the token's; needs an admin token. */
  readonly owner?: string | undefined;
  readonly focus?: { readonly x: number; readonly y: number } | undefined;
  /** The last part of the path where absent. */
  readonly name?: string | undefined;
}

/**
 * Signs and sends one file; signs again when S3 finds the signature expired. Resolves with the image's id.
 * @param onSigned told each id before anything is sent under it
 * @throws CliError when the API or S3 cannot be reached, Refused for everything that concerns this file
 */
export async function sendFile(
  api: Api,
  file: LocalFile,
  { preset, owner, focus, name = file.path.split(/[/\\]/).at(-1) ?? "" }: UploadWish = {},
  onSigned: (id: string) => Promise<void> | void = () => {},
): Promise<string> {
  const { type, size, sha256 } = file;
  const body = {
    ...(preset ? { preset } : {}),
    ...(owner ? { owner } : {}),
    files: [{ name, type, size, sha256, ...(focus ? { focus } : {}) }],
  };
  for (let attempt = 1; ; attempt++) {
    const signed = await sign(api, body);
    await onSigned(signed.id);
    if (signed.method === "MULTIPART") {
      await sendParts(api, file, signed);
      return signed.id;
    }
    const answer = await request(signed.url, async () => ({
      method: "PUT",
      headers: signed.method === "PUT" ? signed.headers : {},
      body: await bodyOf(file),
    }));
    // 412: written already, by a try whose answer was lost.
    if (answer.ok || answer.status === 412) return signed.id;
    await refusedUnlessExpired(answer, attempt);
  }
}

/** The bytes that were hashed, or none: a file that is written to meanwhile would be sent in vain. */
async function bodyOf({ path, size, mtimeMs }: LocalFile): Promise<Blob> {
  const now = await stat(path);
  if (now.size !== size || now.mtimeMs !== mtimeMs)
    throw new Refused("changed", "The file was changed while it was being sent.");
  return openAsBlob(path);
}

async function sign(api: Api, body: object): Promise<IssuedUpload> {
  const answer = await api
    .call<{ uploads: IssuedUpload[] }>("POST", "/uploads", body)
    .catch((error: unknown) => {
      // There is one file only: its index says nothing.
      if (error instanceof Refused) throw new Refused(error.code, error.message.replace(/^files\[0\]: /, ""));
      throw error;
    });
  const [upload] = answer.uploads;
  if (upload) return upload;
  throw new CliError(`${api.url} is not Darkroom's API.`);
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
async function sendParts(api: Api, file: LocalFile, { ticket, partSize }: MultipartTicket) {
  const { uploadId } = await api.call<{ uploadId: string }>("POST", "/s3/multipart", { ticket });
  const upload = `/s3/multipart/${uploadId}`;
  const whole = await bodyOf(file);
  const parts = Array.from({ length: Math.ceil(file.size / partSize) }, (_, i) => ({
    PartNumber: i + 1,
    ETag: "",
  }));
  const left = parts.values();
  const lane = async () => {
    for (const part of left) {
      const bytes = whole.slice((part.PartNumber - 1) * partSize, part.PartNumber * partSize);
      part.ETag = await sendPart(api, `${upload}/${part.PartNumber}`, bytes);
    }
  };
  try {
    await Promise.all(Array.from({ length: PART_LANES }, lane));
    await api.call("POST", `${upload}/complete`, { parts });
  } catch (error) {
    await api.call("DELETE", upload).catch(() => {});
    throw error;
  }
}

/** Resolves with the part's ETag. */
async function sendPart(api: Api, path: string, body: Blob): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { url } = await api.call<{ url: string }>("GET", path);
    const answer = await request(url, () => ({ method: "PUT", body }));
    if (answer.ok) return answer.headers.get("etag") ?? "";
    await refusedUnlessExpired(answer, attempt);
  }
}

/**
 * Waits until the image is ready; with a signal, by asking now and then.
 * @throws Refused when it was rejected, failed or deleted, or is not done after `seconds`; AbortError by the signal
 */
export async function waitUntilReady(
  api: Api,
  id: string,
  seconds: number,
  signal?: AbortSignal,
): Promise<Metadata> {
  const deadline = Date.now() + seconds * 1000;
  for (let pause = 150; Date.now() < deadline; pause = Math.min(2000, pause * 1.4)) {
    signal?.throwIfAborted();
    // The API waits for us, but not for many at once: each waiting request keeps a Lambda busy.
    const wait = signal ? 0 : Math.ceil(Math.min(20, (deadline - Date.now()) / 1000));
    const image = await imageOf(api, id, wait).catch((error: unknown) => {
      // A server that is down for a moment is no end of the image.
      if (error instanceof Refused && error.passing) return undefined;
      throw error;
    });
    if (image) return image;
    await setTimeout(pause, undefined, signal ? { signal } : {});
  }
  throw new Refused(
    "still-processing",
    `Not done after ${seconds} seconds; it will be. Ask again for ${id}.`,
  );
}

/**
 * The image, or undefined while it is on its way, still so after `wait` seconds.
 * @throws Refused when it was rejected, failed or deleted, or was never there
 */
export async function imageOf(api: Api, id: string, wait = 0): Promise<Metadata | undefined> {
  const image = await api.call<Metadata>("GET", `/images/${id}?wait=${wait}`);
  if (image.error) throw new Refused(image.error.code, image.error.message);
  return image.status === "ready" ? image : undefined;
}
