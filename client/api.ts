/** Darkroom's HTTP API, with a token. */
import { DarkroomError, isPassing, networkError, retryAfterOf } from "./errors.ts";
import { follow, retrying } from "./patience.ts";
import { put } from "./send.ts";
import type { Outgoing, Transport } from "./transport.ts";

/** A JWT, or what fetches one; the function is asked again when the API refuses what it gave. */
export type Token = string | (() => string | Promise<string>);

export interface Answer<T> {
  readonly status: number;
  readonly json: T;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
}

interface CallOptions {
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** One try; otherwise what may pass is tried again. */
  readonly once?: boolean;
  /** Goes on when the page is closed. */
  readonly keepalive?: boolean;
}

export interface Api {
  /** Without a slash at the end. */
  readonly endpoint: string;
  /**
   * An `Authorization` header for somebody else's request, with a token asked for anew: nobody would tell us that an
   * old one was refused.
   */
  authorization(): Promise<string>;
  /** @throws DarkroomError for every answer that is not 2xx */
  call<T>(method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  /** Sends bytes to a signed URL of S3, like `put` in `send.ts`; what may pass is tried again. */
  put(outgoing: Outgoing): Promise<string | undefined>;
}

/** API Gateway gives up after 30 s; whoever has not answered by now will not. */
const ANSWER_MS = 35_000;

export function connect(endpoint: string, token: Token, { send, pause }: Transport): Api {
  const base = endpoint.replace(/\/+$/, "");
  let current: Promise<string> | undefined;

  const fetchToken = async () => {
    try {
      return typeof token === "function" ? await token() : token;
    } catch (cause) {
      throw new DarkroomError("token-failed", undefined, { retryable: true, cause });
    }
  };
  const tokenNow = () => {
    current ??= fetchToken().catch((error: unknown) => {
      current = undefined;
      throw error;
    });
    return current;
  };

  async function attempt<T>(method: string, path: string, options: CallOptions): Promise<Answer<T>> {
    for (let first = true; ; first = false) {
      const asked = tokenNow();
      const headers: Record<string, string> = {
        accept: "application/json",
        authorization: `Bearer ${await asked}`,
      };
      if (options.json !== undefined) headers["content-type"] = "application/json";
      const { response, text } = await request(base + path, {
        method,
        headers,
        body: options.json === undefined ? null : JSON.stringify(options.json),
        keepalive: options.keepalive ?? false,
        signal: options.signal ?? null,
      });
      if (response.ok) {
        return {
          status: response.status,
          json: parse<T>(text),
          retryAfter: retryAfterOf(response.headers.get("retry-after")),
        };
      }
      if (response.status !== 401 || !first || typeof token === "string") throw problem(response, text);
      // Others may have asked for another one meanwhile.
      if (current === asked) current = undefined;
    }
  }

  return {
    endpoint: base,
    authorization: async () => {
      current = undefined;
      return `Bearer ${await tokenNow()}`;
    },
    call: (method, path, options = {}) =>
      options.once
        ? attempt(method, path, options)
        : retrying(() => attempt(method, path, options), pause, options.signal),
    put: (outgoing) => retrying(() => put(send, outgoing), pause, outgoing.signal),
  };
}

async function request(url: string, init: RequestInit): Promise<{ response: Response; text: string }> {
  const { signal } = init;
  const controller = follow(signal ?? undefined);
  const timer = setTimeout(() => controller.abort(), ANSWER_MS);
  try {
    const response = await fetch(url, { ...init, signal: controller.signal });
    return { response, text: await response.text() };
  } catch (error) {
    signal?.throwIfAborted();
    throw networkError(error);
  } finally {
    clearTimeout(timer);
    controller.release();
  }
}

function parse<T>(text: string): T {
  try {
    return JSON.parse(text || "null") as T;
  } catch (cause) {
    // A page of HTML, most likely: somebody else answers there.
    throw new DarkroomError("bad-answer", undefined, { cause });
  }
}

/** From a problem document (RFC 9457), or what a proxy says in its place. */
function problem({ status, headers }: Response, text: string): DarkroomError {
  let said: { code?: unknown; title?: unknown; detail?: unknown } = {};
  try {
    said = Object(JSON.parse(text)) as typeof said;
  } catch {
    // Not ours; the status has to do.
  }
  const { code, title, detail } = said;
  const retryable = isPassing(status);
  const known = typeof code === "string" ? code : retryable ? "busy" : "bad-answer";
  return new DarkroomError(
    status === 401 ? "token-refused" : known,
    status === 401 || typeof detail !== "string" ? undefined : sentence(String(title ?? ""), detail),
    { retryable, retryAfter: retryAfterOf(headers.get("retry-after")), cause: { status, ...said } },
  );
}

/** `files[0]: its type …` is for programs. */
function sentence(title: string, detail: string): string {
  const [, initial, rest] = /^files\[0\]: (.)(.*)$/s.exec(detail) ?? [];
  return initial ? `${title} ${initial.toUpperCase()}${rest}` : detail;
}
