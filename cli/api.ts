/** The API as the commands use it: by the client library, whose errors are told in the command line's words. */

import { typed } from "../adapters/project.ts";
import { connect as connectClient, type Token } from "../client/api.ts";
import { edit } from "../client/edit.ts";
import { DarkroomError } from "../client/errors.ts";
import type { Edit, Image } from "../client/image.ts";
import { sendFile, type UploadOptions } from "../client/upload.ts";
import { waiter } from "../client/wait.ts";
import { type LocalJson, readNote } from "../host/note.ts";
import { CliError } from "./exit.ts";
import type { LocalFile } from "./local-file.ts";
import type { ApiOptions } from "./options.ts";
import { transport, unreachable } from "./transport.ts";

/**
 * Every method throws a CliError where it makes no sense to go on with anything (no server, no rights), and the client's
 * DarkroomError for all else.
 */
export interface Api {
  readonly url: string;
  call<T>(method: string, path: string, json?: unknown): Promise<T>;
  /** Resolves with the image's id when S3 has all of the file. */
  upload(file: LocalFile, options?: UploadOptions): Promise<string>;
  waitUntilReady(id: string, seconds: number, signal?: AbortSignal): Promise<Image>;
  /** Resolves with the image once it shows the edit. */
  edit(id: string, changes: Edit, seconds: number): Promise<Image>;
}

export function apiAt(endpoint: string, token: Token): Api {
  const api = connectClient(endpoint, token, transport);
  const waitUntilReady = waiter(api, transport);
  const url = api.endpoint;
  const told = (error: unknown): never => {
    throw inOurWords(error, url);
  };
  return {
    url,
    call: <T>(method: string, path: string, json?: unknown) =>
      api.call<T>(method, path, { json }).then((answer) => answer.json, told),
    upload: ({ blob, name, sha256 }, options) =>
      sendFile(api, blob, { name, sha256, ...options }).catch(told),
    waitUntilReady: (id, seconds, signal) =>
      waitUntilReady(id, { signal, timeout: seconds * 1000 }).catch(told),
    edit: (id, changes, seconds) =>
      edit({ api, waitUntilReady }, id, changes, { timeout: seconds * 1000 }).catch(told),
  };
}

/** All that a listing has, page by page: `name` is the page's field, `path` has a query already. */
export async function* all<T>(api: Api, path: string, name: string): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const next = cursor === undefined ? "" : `&cursor=${cursor}`;
    const page = await api.call<Record<string, T[]> & { cursor?: string }>("GET", `${path}${next}`);
    yield* page[name] ?? [];
    ({ cursor } = page);
  } while (cursor !== undefined);
}

/** The client speaks to the visitor of a page. */
function inOurWords(error: unknown, url: string): unknown {
  if (!(error instanceof DarkroomError)) return error;
  const { code, message, cause } = error;
  if (cause instanceof CliError) return cause;
  const { status, detail = message, code: reason = status } = Object(cause) as Record<string, unknown>;
  const inWords = (sentence: string) => new DarkroomError(code, sentence, { cause });
  switch (code) {
    case "token-refused":
    case "forbidden":
      return new CliError(`${detail}`);
    case "unreachable":
      return unreachable(url, cause);
    case "bad-answer":
      return new CliError(`${url} does not answer as Darkroom's API${status ? ` (${status})` : ""}.`);
    case "upload-refused":
      return inWords(`S3 refused the file: ${reason}.`);
    case "file-changed":
      return inWords("The file was changed while it was being sent.");
    case "still-processing":
      return inWords("It is not done yet; it will be. Run the same command again later.");
    default:
      return error;
  }
}

/**
 * The API that the options (or `DARKROOM_API` and `DARKROOM_TOKEN`) name, else the local stack's, with a token of the
 * scope wanted.
 * @throws CliError when there is none
 */
export async function connect(options: ApiOptions, scope: "upload" | "admin" = "upload"): Promise<Api> {
  const { api, token } = options;
  if (api && token) return apiAt(api, token);
  if (api) throw new CliError("An API needs a token: --token or DARKROOM_TOKEN.", "usage");
  let first: LocalJson | undefined = await localStack();
  const endpoint = first.api;
  // A token of the stack's is good for an hour; refused, it is asked for anew.
  const own = async () => {
    const { adminToken, uploadToken } = first ?? (await localStack());
    first = undefined;
    return scope === "admin" ? adminToken : uploadToken;
  };
  return apiAt(endpoint, token ?? own);
}

/** The running stack notes where it is; without a note it is at the usual port. */
async function localStack(): Promise<LocalJson> {
  const page = (await readNote())?.page ?? `http://localhost:${process.env["PORT"] ?? 3000}`;
  const response = await fetch(`${page}/local.json`).catch(() => undefined);
  if (response?.ok) return (await response.json()) as LocalJson;
  throw new CliError(`There is no Darkroom at ${page}. Start it with: ${typed("start")}`);
}
