/** The API as a program outside uses it: where it is, and requests that outlast a bad moment. */
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { CliError } from "./exit.ts";
import type { ApiOptions } from "./options.ts";

/** Why the API or S3 said no, with the code and the sentence for the user. */
export class Refused extends Error {
  readonly code: string;
  /** Whether it was the server that failed, not what was asked. */
  readonly passing: boolean;
  constructor(code: string, message: string, passing = false) {
    super(message);
    this.code = code;
    this.passing = passing;
  }
}

interface Access {
  readonly url: string;
  readonly token: string;
}

export interface Answer {
  readonly status: number;
  readonly ok: boolean;
  /** Parsed; undefined where there is none. */
  readonly body: unknown;
}

export class Api {
  #access: Access;
  readonly #renew: (() => Promise<Access>) | undefined;
  #renewing: Promise<Access> | undefined;

  /** @param renew asked for a new token when this one is refused, as after its hour on the local stack */
  constructor(access: Access, renew?: () => Promise<Access>) {
    this.#access = access;
    this.#renew = renew;
  }

  get url(): string {
    return this.#access.url;
  }

  /** Whatever the API answers, but for what passes by waiting. */
  async ask(method: string, path: string, json?: unknown): Promise<Answer> {
    for (let renewed = false; ; renewed = true) {
      const access = this.#access;
      const response = await request(`${access.url}${path}`, () => ({
        method,
        headers: { authorization: `Bearer ${access.token}`, "content-type": "application/json" },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      }));
      const text = await response.text();
      if (response.status === 401 && this.#renew && !renewed) {
        // Several requests meet the same old token: the first to come back renews it for all.
        if (access === this.#access) this.#renewing ??= this.#renew();
        if (this.#renewing) this.#access = await this.#renewing.finally(() => (this.#renewing = undefined));
        continue;
      }
      return { status: response.status, ok: response.ok, body: parse(text, access.url) };
    }
  }

  /** @throws CliError for a token that does not do, Refused for every other refusal */
  async call<T>(method: string, path: string, json?: unknown): Promise<T> {
    const { ok, status, body } = await this.ask(method, path, json);
    if (ok) return body as T;
    const { code = String(status), detail = "" } = (body ?? {}) as { code?: string; detail?: string };
    if (status === 401 || status === 403) throw new CliError(detail);
    throw new Refused(code, detail, status >= 500);
  }
}

function parse(text: string, url: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    throw new CliError(`${url} is not Darkroom's API: its answer is not JSON.`);
  }
}

/**
 * The API that the options (or `DARKROOM_API` and `DARKROOM_TOKEN`) name, else the local stack's, with a token of the
 * scope wanted.
 * @throws CliError when there is none
 */
export async function connect(options: ApiOptions, scope: "upload" | "admin" = "upload"): Promise<Api> {
  const { api, token } = options;
  if (api && token) return new Api({ url: api.replace(/\/+$/, ""), token });
  if (api) throw new CliError("An API needs a token: --token or DARKROOM_TOKEN.", "usage");
  const local = async (): Promise<Access> => {
    const page = await localPage();
    const response = await fetch(`${page}/local.json`).catch(() => undefined);
    if (!response?.ok) throw new CliError(`There is no Darkroom at ${page}. Start it with: npm start`);
    const tokens = (await response.json()) as { api: string; uploadToken: string; adminToken: string };
    return { url: tokens.api, token: token ?? (scope === "admin" ? tokens.adminToken : tokens.uploadToken) };
  };
  return new Api(await local(), token ? undefined : local);
}

/** The running stack notes where it is; without a note it is at the usual port. */
async function localPage(): Promise<string> {
  const note = await readFile(`${process.env["DARKROOM_DATA"] ?? ".darkroom"}/local.json`, "utf8").catch(
    () => undefined,
  );
  if (note) return (JSON.parse(note) as { page: string }).page;
  return `http://localhost:${process.env["PORT"] ?? 3000}`;
}

export const MAX_TRIES = 5;
/** What a busy server asks for is waited for so often. */
const MAX_WAITS = 20;
/** 200 ms, doubled. */
const pauseBefore = (attempt: number) => setTimeout(100 * 2 ** attempt);

/** A request that is repeated while the network or the server is to blame. */
export async function request(
  url: string,
  init: () => Promise<RequestInit> | RequestInit,
): Promise<Response> {
  let waits = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, await init());
      if (response.status === 429 && waits++ < MAX_WAITS) {
        await response.body?.cancel();
        await setTimeout(1000 * Math.min(60, Number(response.headers.get("retry-after")) || 1));
        attempt--;
        continue;
      }
      if (response.status < 500 && response.status !== 429) return response;
      if (attempt >= MAX_TRIES) return response;
      await response.body?.cancel();
    } catch (error) {
      // Of making the request, not of sending it.
      if (error instanceof Refused) throw error;
      const failure = error instanceof Error && error.cause instanceof Error ? error.cause.message : error;
      if (attempt >= MAX_TRIES) throw new CliError(`${new URL(url).origin} cannot be reached: ${failure}`);
    }
    await pauseBefore(attempt);
  }
}
