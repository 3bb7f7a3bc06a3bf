/** Asking the API for a signed upload. */
import type { Api } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import { limiter } from "./patience.ts";
import { read } from "./read.ts";

/** A file as the API is told of it. */
export interface Described {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** Base64. */
  readonly sha256: string | undefined;
  readonly focus: { readonly x: number; readonly y: number } | undefined;
  readonly ref: string | undefined;
}

interface Signed {
  readonly id: string;
  readonly key: string;
}
export interface Put extends Signed {
  readonly method: "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}
export interface Form extends Signed {
  readonly method: "POST";
  readonly url: string;
  readonly fields: Record<string, string>;
}
/** Also the answer to a PUT of a file above the preset's threshold. */
export interface InParts extends Signed {
  readonly method: "MULTIPART";
  readonly ticket: string;
  /** Of every part but the last, in bytes. */
  readonly partSize: number;
}

/** @throws DarkroomError with the API's code and sentence where the preset refuses the file */
export async function sign<S extends Put | Form | InParts>(
  api: Api,
  file: Described,
  options: {
    readonly method: "PUT" | "POST" | "MULTIPART";
    readonly preset: string | undefined;
    readonly owner?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<S> {
  const { signal, ...rest } = options;
  const { json } = await api.call<{ uploads?: S[] } | null>("POST", "/uploads", {
    json: { ...rest, files: [file] },
    signal,
  });
  const signed = json?.uploads?.[0];
  if (!signed) throw new DarkroomError("bad-answer");
  return signed;
}

/** A file is read whole to be hashed, which a phone's memory bounds; above this it is not. */
const HASH_UP_TO = 100_000_000;
/** One at a time, so that no more than one is in memory. */
const oneByOne = limiter(1);

/** Base64 of the SHA-256; undefined where the file is too large or the page not on HTTPS, which WebCrypto needs. */
export async function hash(file: Blob, signal?: AbortSignal): Promise<string | undefined> {
  if (file.size > HASH_UP_TO || !globalThis.crypto?.subtle) return undefined;
  return oneByOne(async () => {
    const bytes = await read(file);
    return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))));
  }, signal);
}
