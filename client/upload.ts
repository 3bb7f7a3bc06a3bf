/** One file, from the page to S3. */
import type { Api } from "./api.ts";
import { DarkroomError, hasCode } from "./errors.ts";
import { cancelParts, type PartsState, sendParts, startParts } from "./multipart.ts";
import { refuseEmpty } from "./read.ts";
import { hash, type InParts, type Put, sign } from "./sign.ts";

/** What an upload needs to be taken up again after a reload; plain JSON. */
export interface UploadState {
  readonly id: string;
  /** Of the file, in bytes: another file cannot be taken up with this. */
  readonly size: number;
  readonly parts?: PartsState | undefined;
  /** What S3 takes once, for some minutes. */
  readonly put?: Put | undefined;
}

export interface UploadOptions {
  /** Of `darkroom.config.ts`; its default where absent. */
  readonly preset?: string | undefined;
  /** What crops should keep: 0 to 1 from the left and the top. */
  readonly focus?: { readonly x: number; readonly y: number } | undefined;
  /** What your application calls this upload, up to 256 characters: your webhook and you yourself hear it again. */
  readonly ref?: string | undefined;
  /** The file's own where absent. */
  readonly name?: string | undefined;
  /** Whose the image is to be, where it is not the token's; needs an admin token. */
  readonly owner?: string | undefined;
  /** Base64 of the file's SHA-256, where it is known already. */
  readonly sha256?: string | undefined;
  /** Bytes that have left this computer, of all. Falls back when a connection breaks. */
  readonly onProgress?: ((progress: { readonly sent: number; readonly total: number }) => void) | undefined;
  /** Aborting leaves nothing behind on S3. */
  readonly signal?: AbortSignal | undefined;
  /**
   * In parts of 8 MiB also below the preset's threshold: a broken connection or a reload then costs no more than those
   * that were on their way.
   */
  readonly parts?: boolean | undefined;
  /**
   * Told what to keep for `resume`, and undefined when there is nothing to take up any more. Nothing is sent before what
   * it returns has resolved.
   */
  readonly onState?: ((state: UploadState | undefined) => unknown) | undefined;
  /** What `onState` told before the page was reloaded. */
  readonly resume?: UploadState | undefined;
}

/** A URL that has expired on arrival this often is no accident. */
const MAX_SIGNATURES = 3;

/** Resolves with the image's id when S3 has all of the file. */
export async function sendFile(api: Api, file: Blob, options: UploadOptions): Promise<string> {
  const { signal, onState } = options;
  await refuseEmpty(file);
  try {
    const id = (await pickUp(api, file, options)) ?? (await sendAnew(api, file, options));
    await onState?.(undefined);
    return id;
  } catch (error) {
    // What a reload could take up stays as it is; all else is over. (Who aborts is told by whoever called us.)
    if (!signal?.aborted && !(error instanceof DarkroomError && error.retryable)) await onState?.(undefined);
    throw error;
  }
}

async function pickUp(api: Api, file: Blob, options: UploadOptions): Promise<string | undefined> {
  const { resume, signal } = options;
  if (resume?.size !== file.size) return undefined;
  const there = (await isThere(api, resume.id, signal)) || (await sendBegun(api, file, resume, options));
  return there ? resume.id : undefined;
}

/** False when it has to be begun anew. What an earlier page had all but sent may still arrive: S3 takes one of the two. */
const sendBegun = async (api: Api, file: Blob, { id, parts, put }: UploadState, options: UploadOptions) =>
  parts ? sendInParts(api, file, id, parts, options) : put && sendWhole(api, file, put, options);

async function sendAnew(api: Api, file: Blob, options: UploadOptions): Promise<string> {
  const { preset, owner, focus, ref, name, parts: inParts, onState, signal } = options;
  const sha256 = options.sha256 ?? (await hash(file, signal));
  for (let signatures = 1; ; signatures++) {
    const described = { name: name ?? (file as Partial<File>).name ?? "", type: file.type, size: file.size };
    const signed = await sign<Put | InParts>(
      api,
      { ...described, sha256, focus, ref },
      { preset, owner, method: inParts ? "MULTIPART" : "PUT", signal },
    );
    const { id } = signed;
    const state: UploadState = {
      id,
      size: file.size,
      ...(signed.method === "MULTIPART" ? { parts: await startParts(api, signed, signal) } : { put: signed }),
    };
    await onState?.(state);
    if (await sendBegun(api, file, state, options)) return id;
    if (state.parts) throw new DarkroomError("upload-lost");
    if (signatures === MAX_SIGNATURES) throw new DarkroomError(state.put ? "clock-wrong" : "upload-refused");
  }
}

/** False when there is no such upload any more, open or complete. */
async function sendInParts(
  api: Api,
  file: Blob,
  id: string,
  parts: PartsState,
  { onProgress, signal, onState, resume }: UploadOptions,
): Promise<boolean> {
  try {
    await sendParts(api, file, parts, { onProgress, signal, listed: resume?.parts === parts });
    return true;
  } catch (error) {
    const { code, retryable } = error instanceof DarkroomError ? error : {};
    // After a lost answer the upload is no longer open, and the image is there.
    if (code === "upload-lost") return isThere(api, id, signal);
    // Whoever keeps no state cannot take it up again.
    if (!onState || !retryable) void cancelParts(api, parts);
    throw error;
  }
}

/** False when the signature has expired and must be made anew. */
async function sendWhole(
  api: Api,
  file: Blob,
  { id, url, headers }: Put,
  { onProgress, signal }: UploadOptions,
): Promise<boolean> {
  const total = file.size;
  let mayBeThere = false;
  try {
    await api.put({
      url,
      headers,
      body: file,
      signal,
      onProgress: (sent) => {
        // Also when no answer comes.
        mayBeThere ||= sent === total;
        onProgress?.({ sent, total });
      },
    });
    return true;
  } catch (error) {
    // S3 may have got all of it, and only the answer was lost. Whoever aborts does not wait for the cleaning.
    if (signal?.aborted && mayBeThere) void remove(api, id).catch(() => {});
    if (!hasCode(error, "expired")) throw error;
    return mayBeThere && (await isThere(api, id, signal));
  }
}

/** Whether S3 has the original, by what the API says. */
function isThere(api: Api, id: string, signal: AbortSignal | undefined): Promise<boolean> {
  return api.call("GET", `/images/${encodeURIComponent(id)}`, { signal }).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "not-found", "gone")) return false;
      throw error;
    },
  );
}

/** Deletes an image and everything made of it. */
export async function remove(api: Api, id: string): Promise<void> {
  await api.call("DELETE", `/images/${encodeURIComponent(id)}`, { keepalive: true });
}

/** Where an original is, for five minutes. */
export interface Original {
  readonly id: string;
  /** Saves the file under its own name. */
  readonly url: string;
  readonly expiresAt: string;
  readonly name: string;
}

export async function original(api: Api, id: string): Promise<Original> {
  return (await api.call<Original>("GET", `/images/${encodeURIComponent(id)}/original`)).json;
}
