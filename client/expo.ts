/**
 * Darkroom in React Native with Expo: the phone itself reads, hashes and sends the file, also while the app is in the
 * background. `new File(asset.uri)` of `expo-file-system` is what is uploaded.
 */
import { createWith, type Darkroom, type Settings, type Uploaded } from "./create.ts";
import { sleep } from "./patience.ts";
import type { Transport } from "./transport.ts";
import type { UploadOptions } from "./upload.ts";

export type { Settings, Uploaded } from "./create.ts";
export { DarkroomError } from "./errors.ts";
export type { Image, Variant } from "./image.ts";

/** What is used of `File` of `expo-file-system` (SDK 55 and later). */
export interface ExpoFile extends Blob {
  readonly name: string;
  upload(
    url: string,
    options: {
      httpMethod: "PUT";
      headers: Record<string, string>;
      sessionType: "background";
      onProgress: (progress: { bytesSent: number }) => void;
      signal?: AbortSignal;
    },
  ): Promise<{ status: number; body: string; headers: Record<string, string> }>;
}

export interface ExpoSettings extends Settings {
  /** SHA-256 by the phone: `(bytes) => Crypto.digest(Crypto.CryptoDigestAlgorithm.SHA256, bytes)` of `expo-crypto`. */
  readonly digest?: (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;
}

export interface ExpoDarkroom extends Omit<Darkroom, "upload"> {
  /** As in a browser. @throws DarkroomError; the reason of `signal` when that aborts */
  upload(file: ExpoFile, options?: UploadOptions): Promise<Uploaded>;
}

/** A file is read whole to be hashed, which a phone's memory bounds; above this it is not. */
const HASH_UP_TO = 50_000_000;

export function createDarkroom({ digest, ...settings }: ExpoSettings): ExpoDarkroom {
  const darkroom = createWith(expo, settings);
  return {
    ...darkroom,
    async upload(file, options = {}) {
      if (!digest || file.size > HASH_UP_TO) return darkroom.upload(file, options);
      const hash = new Uint8Array(await digest(new Uint8Array(await file.arrayBuffer())));
      return darkroom.upload(file, { sha256: btoa(String.fromCharCode(...hash)), ...options });
    },
  };
}

const expo: Transport = {
  async send({ url, headers = {}, body, onProgress, signal }) {
    try {
      const answer = await sent(body as Blob & Partial<ExpoFile>, url, {
        httpMethod: "PUT",
        headers: { ...headers },
        sessionType: "background",
        onProgress: ({ bytesSent }) => onProgress?.(bytesSent),
        ...(signal ? { signal } : {}),
      });
      // iOS and Android write names as they like.
      const named = new Map(
        Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]),
      );
      return { status: answer.status, text: answer.body, header: (name) => named.get(name) ?? null };
    } catch (cause) {
      return { status: 0, text: "", header: () => null, cause };
    }
  },
  pause: sleep,
};

/** A part of a file is no file: it goes from memory. */
async function sent(body: Blob & Partial<ExpoFile>, url: string, options: Parameters<ExpoFile["upload"]>[1]) {
  if (body.upload) return body.upload(url, options);
  const { httpMethod: method, headers, signal } = options;
  const response = await fetch(url, {
    method,
    headers,
    body: await body.arrayBuffer(),
    signal: signal ?? null,
  });
  return {
    status: response.status,
    body: await response.text(),
    headers: Object.fromEntries(response.headers),
  };
}
