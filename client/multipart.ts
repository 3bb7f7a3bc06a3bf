/** Large files, in parts that are each sent and retried alone. */
import type { Api } from "./api.ts";
import { DarkroomError, hasCode } from "./errors.ts";
import { follow } from "./patience.ts";

/** An open multipart upload; plain JSON. */
export interface PartsState {
  readonly key: string;
  /** Sealed by the API. */
  readonly uploadId: string;
  /** Stands for a token where only this upload is meant: a service worker has no other. */
  readonly pass?: string;
  readonly partSize: number;
  /** Of the API. */
  readonly endpoint?: string;
}

interface Part {
  readonly PartNumber: number;
  readonly ETag: string;
}

interface PartsOptions {
  readonly onProgress?: ((progress: { readonly sent: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Some parts may be on S3 already. */
  readonly listed?: boolean;
}

/** Parts of one file on their way at once. */
const LANES = 3;
/** A part whose URL has expired on arrival this often: somebody's clock is wrong. */
const MAX_SIGNATURES = 3;

const path = ({ uploadId, key }: PartsState, rest = "") =>
  `/s3/multipart/${encodeURIComponent(uploadId)}${rest}?key=${encodeURIComponent(key)}`;

/** Exchanges the ticket for an open upload; undefined when it has expired on the way. */
export async function startParts(
  api: Api,
  { ticket, partSize }: { readonly ticket: string; readonly partSize: number },
  signal: AbortSignal | undefined,
): Promise<PartsState | undefined> {
  const begin = { json: { ticket }, signal };
  return api.call<{ key: string; uploadId: string; pass: string }>("POST", "/s3/multipart", begin).then(
    ({ json }) => ({ ...json, partSize, endpoint: api.endpoint }),
    (error: unknown) => {
      if (hasCode(error, "not-found")) return undefined;
      throw error;
    },
  );
}

/**
 * Sends what is missing and completes.
 * @throws DarkroomError `upload-lost` where the upload is no longer open, perhaps because it is complete
 */
export async function sendParts(
  api: Api,
  file: Blob,
  state: PartsState,
  { onProgress, signal, listed }: PartsOptions,
): Promise<void> {
  const total = file.size;
  const count = Math.ceil(total / state.partSize);
  const slice = (number: number) => file.slice((number - 1) * state.partSize, number * state.partSize);
  const etags = new Map<number, string>();
  const sent = new Map<number, number>();
  const report = () =>
    onProgress?.({ sent: [...sent.values()].reduce((sum, bytes) => sum + bytes, 0), total });

  if (listed) {
    const { json } = await api.call<(Part & { Size: number })[]>("GET", path(state), { signal }).catch(lost);
    for (const { PartNumber, ETag, Size } of json) {
      const { size } = slice(PartNumber);
      // A part that an older page cut otherwise is sent again.
      if (Size !== size) continue;
      etags.set(PartNumber, ETag);
      sent.set(PartNumber, size);
    }
    report();
  }

  // One part that fails for good stops the others.
  const all = follow(signal);
  let next = 0;
  const lane = async () => {
    for (;;) {
      do next++;
      while (etags.has(next));
      const number = next;
      if (number > count) return;
      etags.set(
        number,
        await sendPart(api, state, number, slice(number), {
          signal: all.signal,
          onProgress: (bytes) => {
            sent.set(number, bytes);
            report();
          },
        }),
      );
    }
  };
  try {
    await Promise.all(
      Array.from({ length: LANES }, () =>
        lane().catch((error: unknown) => {
          all.abort(error);
          throw error;
        }),
      ),
    );
  } finally {
    all.release();
  }
  const parts = Array.from({ length: count }, (_, i) => ({
    PartNumber: i + 1,
    ETag: etags.get(i + 1) ?? "",
  }));
  await api.call("POST", path(state, "/complete"), { json: { parts }, signal }).catch(lost);
}

/** Resolves with the part's ETag. */
async function sendPart(
  api: Api,
  state: PartsState,
  number: number,
  body: Blob,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (sent: number) => void },
): Promise<string> {
  for (let signatures = 1; ; signatures++) {
    const { json } = await api
      .call<{ url: string; headers?: Record<string, string> }>("GET", path(state, `/${number}`), { signal })
      .catch(lost);
    try {
      const etag = await api.put({ ...json, body, signal, onProgress });
      if (!etag)
        throw new DarkroomError("bad-answer", "The bucket does not let pages read ETag: see its CORS rules.");
      return etag;
    } catch (error) {
      if (!hasCode(error, "expired")) throw error;
      if (signatures === MAX_SIGNATURES) throw new DarkroomError("clock-wrong");
    }
  }
}

/** An upload that is no longer open: its time is up, or it was completed and the answer got lost. */
function lost(error: unknown): never {
  const over = hasCode(error, "not-found", "gone", "precondition-failed");
  throw over ? new DarkroomError("upload-lost", undefined, { cause: error }) : error;
}

/** Takes back what S3 has of it. Failing that, the bucket's lifecycle rule does so after a day. */
export async function cancelParts(api: Api, state: PartsState): Promise<void> {
  await api.call("DELETE", path(state), { keepalive: true }).catch(() => {});
}
