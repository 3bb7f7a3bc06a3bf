/**
 * For a back end of one's own, in Node, Deno, Bun and at the edge: tokens, webhooks, and the API as an admin. Web Crypto and
 * `fetch`, and nothing else.
 */
import { type Api, connect } from "./api.ts";
import { DarkroomError } from "./errors.ts";
import type { Image } from "./image.ts";
import type { ListOptions } from "./list.ts";
import { sleep } from "./patience.ts";
import type { Transport } from "./transport.ts";

export { DarkroomError } from "./errors.ts";
export type { Image, Variant } from "./image.ts";
export { picture } from "./picture.ts";

export interface TokenOptions {
  /** `AUTH_SECRET`, 32 bytes at least. */
  readonly secret: string;
  /** Whose images it is for: `sub`. */
  readonly owner: string;
  /** `upload` by default; several with a space between: `upload original`. */
  readonly scope?: string;
  /** Seconds from now; ten minutes by default. */
  readonly expiresIn?: number;
  /** The only preset it may upload for. */
  readonly preset?: string;
  readonly maxBytes?: number;
  readonly maxUploadsPerMinute?: number;
  /** What your application calls these uploads: told again as `context.ref`. */
  readonly ref?: string;
  /** Seconds after which what was not attached is deleted. */
  readonly attachWithin?: number;
}

/** A token for a page, or for `adminApi`. @throws TypeError for a secret that is too short */
export async function createToken(options: TokenOptions): Promise<string> {
  const { secret, owner: sub, scope = "upload", expiresIn = 600, ...claims } = options;
  const bytes = utf8(secret);
  if (bytes.length < 32) throw new TypeError("AUTH_SECRET has 32 bytes at least.");
  const now = Math.floor(Date.now() / 1000);
  const body = { ...claims, sub, scope, iat: now, exp: now + expiresIn };
  const signed = [{ alg: "HS256", typ: "JWT" }, body]
    .map((part) => base64Url(utf8(JSON.stringify(part))))
    .join(".");
  return `${signed}.${base64Url(await hmac(bytes, utf8(signed)))}`;
}

/** Whose an image is and what for; private. */
export interface Context {
  /** `sub` of the token that it was uploaded with. */
  readonly owner?: string;
  /** The token's claim: as trusted as your back end. */
  readonly ref?: string;
  /** The file's own: as trusted as the page. */
  readonly clientRef?: string;
  readonly name?: string;
}
interface Told<T extends string, D> {
  readonly type: T;
  /** ISO 8601: when it came to that, not when it is told. */
  readonly timestamp: string;
  /** The image's document; `rev` is greater in what happened later. */
  readonly data: D & { readonly id: string; readonly rev: number };
  readonly context?: Context;
}
/** Why it is not ready: for programs, and a sentence for whoever uploaded it. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}
type Ended<S extends string> = { readonly status: S; readonly error: Reason };

/** What a receiver is told, by `type`. `data.status` says what the image is now: what is told late has the document of then. */
export type WebhookEvent =
  | Told<"image.ready" | "image.updated", Image>
  /** It waits to be judged; `held.until` is when it is deleted. */
  | Told<"image.held", { readonly status: "held" }>
  | Told<"image.rejected", Ended<"rejected">>
  | Told<"image.failed", Ended<"failed">>
  | Told<"image.deleted", { readonly status: "deleted" }>;

export interface WebhookOptions {
  /** `WEBHOOK_SECRET`, `whsec_…`; several with spaces between while one is replaced. */
  readonly secret: string;
  /** Seconds that a clock may be wrong, and a message under way; five minutes by default. */
  readonly tolerance?: number;
}
/** What is used of a `Request`; `text` is the body as it came, before it is parsed. */
export interface WebhookRequest {
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | string[] | undefined>>;
  text(): Promise<string> | string;
}

/**
 * The event, if it was signed with the secret and is fresh. Answer 2xx, and pass over what you have seen: it may come twice
 * (the same `webhook-id`) and late (a `data.rev` that is not greater).
 * @throws DarkroomError `unsigned`: answer 401
 */
export async function verifyWebhook(
  request: WebhookRequest,
  { secret, tolerance = 300 }: WebhookOptions,
): Promise<WebhookEvent> {
  const { headers } = request;
  const header = (name: string) =>
    String(
      (typeof headers.get === "function" ? headers.get(name) : (headers as Record<string, unknown>)[name]) ??
        "",
    );
  const [id = "", timestamp = "", given = ""] = ["id", "timestamp", "signature"].map((name) =>
    header(`webhook-${name}`),
  );
  const body = await request.text();
  const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) <= tolerance;
  const signatures = given.split(" ").map((one) => one.replace(/^v1,/, ""));
  const message = utf8(`${id}.${timestamp}.${body}`);
  const secrets = secret
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((one) => fromBase64(one.replace(/^whsec_/, "")))
    .filter(({ length }) => length > 0);
  const matches = await Promise.all(
    secrets.flatMap((key) => signatures.map((signature) => isMac(key, message, signature))),
  );
  if (id && isFresh && matches.includes(true)) return JSON.parse(body) as WebhookEvent;
  throw new DarkroomError("unsigned", "The webhook is not signed with this secret, or is not fresh.");
}

export interface AdminOptions {
  /** Of the API. */
  readonly endpoint: string;
  /** `AUTH_SECRET`: tokens are made of it as they are needed. Or `token`. */
  readonly secret?: string;
  /** A token with the scope `admin`, or what fetches one. */
  readonly token?: string | (() => string | Promise<string>);
}

/** Somebody's image, as an operator finds it; `code` and `message` say what is wrong with it. */
export interface FoundImage {
  readonly id: string;
  readonly status: string;
  readonly preset?: string;
  readonly uploadedAt?: string;
  readonly code?: string;
  readonly message?: string;
  /** URL of its smallest variant. */
  readonly thumbnail?: string;
  readonly context?: Context;
}
/** What images have to be, all of it. Times are ISO 8601. */
export interface Query extends ListOptions {
  readonly owner?: string;
  readonly ref?: string;
  readonly status?: "failed" | "rejected" | "original-gone" | "original-expired" | "held" | "stale" | "all";
  readonly preset?: string;
  readonly after?: string;
  readonly before?: string;
}
/** Many images to develop again, or to delete: those that fit all of `select`. */
export interface Order {
  readonly action?: "develop" | "delete";
  readonly select: Pick<Query, "owner" | "status" | "preset"> & {
    readonly ids?: readonly string[];
    readonly uploadedAfter?: string;
    readonly uploadedBefore?: string;
  };
  readonly force?: boolean;
}
/** How far it is. Of those `queued`, together all of them in the end: `done`, `skipped`, `rejected`, `failed`. */
export interface Job {
  readonly id: string;
  readonly state: "running" | "done" | "cancelled" | "failed";
  readonly startedAt: string;
  readonly finishedAt?: string;
  readonly queued: number;
  readonly done: number;
  readonly skipped: number;
  readonly rejected: number;
  readonly failed: number;
  /** Absent where nobody knows yet. */
  readonly total?: number;
  readonly secondsLeft?: number;
}
/** Images that are to be fetched from URLs; what one does not say is as said for all. */
export interface ImportOrder {
  readonly owner?: string;
  readonly preset?: string;
  /** At most 500. */
  readonly images: readonly {
    readonly url: string;
    readonly owner?: string;
    readonly preset?: string;
    /** Of the file; the last part of the URL's path by default. */
    readonly name?: string;
    readonly focus?: { readonly x: number; readonly y: number };
    readonly ref?: string;
  }[];
}
/** What became of each, in the order that they were asked for. */
export interface ImportReport {
  readonly job: Job;
  readonly images: readonly {
    readonly url: string;
    /** Of the image that it becomes; the same whenever the same is asked for. */
    readonly id: string;
    readonly ref?: string;
    /** `skipped` was there already. Absent as long as it is on its way. */
    readonly result?: "done" | "skipped" | "failed";
    readonly error?: Reason;
  }[];
}
/** What an owner has; `originals` and `variants` in bytes. */
export interface Usage {
  readonly owner: string;
  readonly images: number;
  readonly originals: number;
  readonly variants: number;
  readonly uploadsThisMonth: number;
}

/** The API as an admin: everybody's images. Whatever it has no method for is in `api`. */
export interface Admin {
  /** An image whosever it is; its state where it is not ready. @throws DarkroomError `not-found`, `gone` */
  image(
    id: string,
  ): Promise<(Image | { readonly status: string; readonly error?: Reason }) & { readonly context?: Context }>;
  /** By status alone those that need attention. A page may be empty while there is a cursor. */
  find(query: Query): Promise<{ readonly images: readonly FoundImage[]; readonly cursor?: string }>;
  /** Keeps an image whose token said `attachWithin`. */
  attach(id: string): Promise<void>;
  /** Shows an image that is held. @throws DarkroomError `not-held` */
  release(id: string): Promise<void>;
  /** Rejects an image that is held; `reason` is for whoever uploaded it. @throws DarkroomError `not-held` */
  reject(id: string, reason?: string): Promise<void>;
  /** Deletes an image and everything made of it; as often as you like. */
  remove(id: string): Promise<void>;
  /** Begins a job. @throws DarkroomError `job-running` */
  start(order: Order): Promise<Job>;
  job(id: string): Promise<Job>;
  cancel(job: string): Promise<Job>;
  /** Has images fetched from URLs, as a job. */
  import(order: ImportOrder): Promise<Job>;
  imported(job: string): Promise<ImportReport>;
  usage(owner: string): Promise<Usage>;
  readonly api: Api;
}

export function adminApi({ endpoint, secret, token }: AdminOptions): Admin {
  const made = () => createToken({ secret: secret ?? "", owner: "admin", scope: "admin upload" });
  const api = connect(endpoint, token ?? made, server);
  const image = (id: string) => `/images/${encodeURIComponent(id)}`;
  const jobs = (id: string) => `/admin/jobs/${encodeURIComponent(id)}`;
  const call = async <T = void>(method: string, path: string, json?: unknown, signal?: AbortSignal) =>
    (await api.call<T>(method, path, { json, signal })).json;
  return {
    api,
    image: (id) => call("GET", image(id)),
    find({ signal, limit = 24, ...query }) {
      const all = Object.entries({ limit: `${limit}`, ...query }).filter(([, value]) => value);
      const asked = Object.fromEntries(all) as Record<string, string>;
      return call("GET", `/admin/images?${new URLSearchParams(asked)}`, undefined, signal);
    },
    attach: async (id) => void (await call("POST", `${image(id)}/attach`)),
    release: async (id) => void (await call("POST", `${image(id)}/release`)),
    reject: async (id, reason) => void (await call("POST", `${image(id)}/reject`, { reason })),
    remove: async (id) => void (await call("DELETE", image(id))),
    start: (order) => call("POST", "/admin/reprocess", order),
    job: (id) => call("GET", jobs(id)),
    cancel: (id) => call("DELETE", jobs(id)),
    import: (order) => call("POST", "/admin/imports", order),
    imported: (id) => call("GET", `/admin/imports/${encodeURIComponent(id)}`),
    usage: (owner) => call("GET", `/admin/usage?${new URLSearchParams({ owner })}`),
  };
}

/** What opens all private pictures of an owner, until `expiresAt`: `query` behind any URL under `prefix`, or `cookies`. */
export interface Access {
  readonly prefix: string;
  readonly query: string;
  readonly cookies: Readonly<Record<string, string>>;
  readonly expiresAt: string;
}

/** For that owner alone to have. */
export async function accessFor(
  owner: string,
  { endpoint, secret }: { readonly endpoint: string; readonly secret: string },
): Promise<Access> {
  const api = connect(endpoint, () => createToken({ secret, owner }), server);
  return (await api.call<Access>("POST", "/access")).json;
}

/** `Set-Cookie`, a value each, for pages of the same site as the CDN's domain; `domain` is that site, as `example.com`. */
export function setCookies({ prefix, cookies, expiresAt }: Access, domain: string): string[] {
  const until = new Date(expiresAt).toUTCString();
  const terms = `Domain=${domain}; Path=${new URL(prefix).pathname}; Expires=${until}; Secure; HttpOnly; SameSite=Lax`;
  return Object.entries(cookies).map(([name, value]) => `${name}=${value}; ${terms}`);
}

export interface SignOptions {
  /** The output `CdnKeyId` of the stack. */
  readonly keyId: string;
  /** `private1`, or what `cdnKey` says, of the secret `CdnKeysSecret`: PKCS #8 in base64. */
  readonly privateKey: string;
  /** Seconds for which it is good at most, and half as long at least; an hour by default. Within a half it is the same URL. */
  readonly expiresIn?: number;
}

/** Lets whoever has the URL see one file of a private image, such as its thumbnail, and nothing else of it. */
export async function signUrl(url: string, options: SignOptions): Promise<string> {
  return `${url}?${await signature(url, options)}`;
}

/** The same with all URLs of an image, as webhooks tell of it: by one signature over whatever lies beside its variants. */
export async function signImage<I extends Pick<Image, "variants" | "picture">>(
  image: I,
  options: SignOptions,
): Promise<I> {
  const folder = image.variants[0]?.url.replace(/[^/]*$/, "");
  if (folder === undefined) return image;
  const query = await signature(`${folder}*`, options);
  // In `srcset` commas and blanks are between URLs.
  const text = JSON.stringify({ variants: image.variants.map(({ url }) => url), picture: image.picture });
  const signed = text.replaceAll(/https?:[^\s",]+/g, (url) =>
    url.startsWith(folder) ? `${url}?${query}` : url,
  );
  const { variants, picture } = JSON.parse(signed) as { variants: string[]; picture?: Image["picture"] };
  return {
    ...image,
    variants: image.variants.map((variant, index) => ({ ...variant, url: variants[index] ?? variant.url })),
    ...(picture && { picture }),
  };
}

/** CloudFront's, by a policy of our own: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html */
async function signature(
  resource: string,
  { keyId, privateKey, expiresIn = 3600 }: SignOptions,
): Promise<string> {
  const step = expiresIn / 2;
  const until = Math.floor((Math.floor(Date.now() / 1000 / step) + 2) * step);
  const ends = { DateLessThan: { "AWS:EpochTime": until } };
  const policy = utf8(JSON.stringify({ Statement: [{ Resource: resource, Condition: ends }] }));
  // CloudFront's default; what is signed is of our own making.
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-1" };
  const signing = await crypto.subtle.importKey("pkcs8", fromBase64(privateKey), algorithm, false, ["sign"]);
  const signed = new Uint8Array(await crypto.subtle.sign(algorithm, signing, policy));
  return `Policy=${cloudFront64(policy)}&Signature=${cloudFront64(signed)}&Key-Pair-Id=${keyId}`;
}

const cloudFront64 = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (c) => ({ "+": "-", "=": "_" })[c] ?? "~");

/** It waits between tries; files go from browsers, or by `darkroom/node`. */
const server: Transport = {
  send: () => Promise.reject(new TypeError("darkroom/server sends no files; darkroom/node does.")),
  pause: sleep,
};

const utf8 = (text: string) => new TextEncoder().encode(text);
const key = (bytes: Uint8Array<ArrayBuffer>) =>
  crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
const hmac = async (secret: Uint8Array<ArrayBuffer>, text: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await crypto.subtle.sign("HMAC", await key(secret), text));

/** Compared by the runtime, in constant time. */
async function isMac(
  secret: Uint8Array<ArrayBuffer>,
  text: Uint8Array<ArrayBuffer>,
  given: string,
): Promise<boolean> {
  return crypto.subtle.verify("HMAC", await key(secret), fromBase64(given), text);
}

const base64Url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_" })[c] ?? "");

/** Empty where it is none. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
