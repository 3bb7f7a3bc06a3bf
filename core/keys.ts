/**
 * The only place that builds or takes apart ids and object keys. No user text ever enters a key, but for the paths of
 * an operator's own static files; what does not match the grammar is refused before it is used.
 */
import { createHash } from "node:crypto";

const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";
/** One of them, in a regular expression. */
export const DIGIT = "[0-9a-hjkmnp-tv-z]";
const ID = `${DIGIT}{26}`;
const OWNER = "[A-Za-z0-9_-]{1,128}";
/** The largest that 13 digits hold: the year 2286. */
const MAX_TIME = 9_999_999_999_999;
/** Milliseconds in 13 digits that sort newest first. */
export const invertedTime = (ms: number) => String(MAX_TIME - ms).padStart(13, "0");

/** Crockford's base32, lower case; every 5 bits a character, the last one padded with zero bits. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += CROCKFORD[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + CROCKFORD[(value << (5 - bits)) & 31] : text;
}

/** An image id from 16 random bytes: 128 bits, 26 characters. */
export function newId(random: (bytes: number) => Uint8Array): string {
  return base32(random(16));
}

/** The same id for the same parts, where an image must not be made twice. */
export function idFrom(...parts: string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest();
  return newId((bytes) => hash.subarray(0, bytes));
}
export function isId(text: unknown): text is string {
  return typeof text === "string" && new RegExp(`^${ID}$`).test(text);
}

/** Ids are random: how far a list that is sorted by them has come with this one, 0 to 1. 30 bits are plenty. */
export function shareBefore(id: string): number {
  const digits = [...id.slice(0, 6)].map((digit) => CROCKFORD.indexOf(digit));
  return digits.reduce((sum, digit, index) => sum + digit / 32 ** (index + 1), 0);
}

/** 80 bits of SHA-256 over the parts, in 16 characters. The separator keeps ["ab","c"] and ["a","bc"] apart. */
export function digest(...parts: string[]): string {
  return base32(createHash("sha256").update(parts.join("\0")).digest().subarray(0, 10));
}

/**
 * A token's `sub` as an owner, one-to-one: itself where it fits the grammar and does not start with `_`;
 * otherwise `_` + base64url of its UTF-8, or `__` + base64url of its SHA-256 where that would be too long.
 */
export function ownerOf(sub: string): string {
  if (/^[A-Za-z0-9-][A-Za-z0-9_-]{0,127}$/.test(sub)) return sub;
  // UTF-8 never starts with 0xfc or above, so this never starts with `_`: the two forms stay apart.
  const encoded = Buffer.from(sub, "utf8").toString("base64url");
  if (encoded.length <= 127) return `_${encoded}`;
  return `__${createHash("sha256").update(sub, "utf8").digest("base64url")}`;
}

export function isOwner(text: unknown): text is string {
  return typeof text === "string" && new RegExp(`^${OWNER}$`).test(text);
}

/** What a listed key says beside the prefix that it was listed under: a page's cursor, a file's path. */
export const beyond = (prefix: string, key: string) => key.slice(prefix.length);

export const ORIGINALS = "originals/";
export const originalKey = (id: string) => `${ORIGINALS}${id}`;
/** The image an `originals/…` key belongs to; undefined for every other key. */
export function parseOriginalKey(key: string): string | undefined {
  return new RegExp(`^${ORIGINALS}(${ID})$`).exec(key)?.[1];
}

/**
 * Where an image's files lie: in public, or under the prefix of their owner, which says nothing of him to who does not know
 * him already: 128 bits of a digest.
 */
export type Home = string;
export const PUBLIC: Home = "";
export const homeOf = (owner: string): Home =>
  base32(createHash("sha256").update(`private\0${owner}`).digest().subarray(0, 16));

export const IMAGES = "images/";
const PRIVATE = "private/";
/** All that is private of one owner. */
export const homePrefix = (home: Home) => `${PRIVATE}${home}/`;
export const imagePrefix = (id: string, home = PUBLIC) =>
  home === PUBLIC ? `${IMAGES}${id}/` : `${homePrefix(home)}${id}/`;
/** Sorts behind all that lies under the id, before what lies under the next: "0" is the character after "/". */
export const behindImage = (id: string) => `${IMAGES}${id}0`;
/** Says where an image is that is not in public; the CDN serves none of these. */
export const HOMES = "homes/";
export const homeKey = (id: string) => `${HOMES}${id}`;
export const parseHomeKey = (key: string) => new RegExp(`^${HOMES}(${ID})$`).exec(key)?.[1];
/** The image that a private file belongs to. */
export const parseHomeFile = (key: string) => new RegExp(`^${PRIVATE}${ID}/(${ID})/`).exec(key)?.[1];
export const isHome = (text: string) => new RegExp(`^${ID}$`).test(text);
/** The same file of the same image in another home. */
export const rehomed = (key: string, id: string, home: Home) =>
  imagePrefix(id, home) + key.slice(key.lastIndexOf("/") + 1);
/** The image that an `images/…` key lies under; undefined for every other key. */
export function parseImageKey(key: string): string | undefined {
  return new RegExp(`^${IMAGES}(${ID})/`).exec(key)?.[1];
}
export const metaKey = (id: string, home = PUBLIC) => `${imagePrefix(id, home)}meta.json`;
export const variantKey = (id: string, name: string, digest: string, extension: string, home = PUBLIC) =>
  `${imagePrefix(id, home)}${name}.${digest}.${extension}`;

export const OWNERS = "owners/";
export const ownerPrefix = (owner: string) => `${OWNERS}${owner}/`;
/** Sorts newest first. `uploadedAt` in milliseconds. */
export const ownerKey = (owner: string, uploadedAt: number, id: string) =>
  `${ownerPrefix(owner)}${invertedTime(uploadedAt)}-${id}`;
export function parseOwnerKey(key: string): { owner: string; uploadedAt: number; id: string } | undefined {
  const match = new RegExp(`^owners/(${OWNER})/([0-9]{13})-(${ID})$`).exec(key);
  if (!match?.[1] || !match[2] || !match[3]) return undefined;
  return { owner: match[1], uploadedAt: MAX_TIME - Number(match[2]), id: match[3] };
}

/** What an image takes, in bytes: see `usage.ts`. */
export const COUNTS = "counts/";
export interface Count {
  readonly owner: string;
  /** In milliseconds. */
  readonly uploadedAt: number;
  readonly id: string;
  readonly originals: number;
  readonly variants: number;
}
export const countPrefix = (owner: string) => `${COUNTS}${owner}/`;
export const countsOf = (owner: string, uploadedAt: number, id: string) =>
  `${countPrefix(owner)}${invertedTime(uploadedAt)}-${id}-`;
/** Of the image that an owner's entry is for; sorted as the entries are. */
export const countsBeside = (entry: string) => `${COUNTS}${beyond(OWNERS, entry)}-`;
/** Sorts as the owner's entries do. */
export const countKey = ({ owner, uploadedAt, id, originals, variants }: Count) =>
  `${countsOf(owner, uploadedAt, id)}${originals}-${variants}`;
export function parseCountKey(key: string): Count | undefined {
  const match = new RegExp(`^${COUNTS}(${OWNER})/([0-9]{13})-(${ID})-([0-9]{1,15})-([0-9]{1,15})$`).exec(key);
  if (!match) return undefined;
  const [, owner = "", inverted, id = "", originals, variants] = match;
  const uploadedAt = MAX_TIME - Number(inverted);
  return { owner, uploadedAt, id, originals: Number(originals), variants: Number(variants) };
}
/** Owners with the most, by the last round of the sweep. */
export const TOP_OWNERS_KEY = "sweep/owners.json";

export const EVENTS = "events/";
/** Before all events of that time and later, and after all earlier ones. In UTC. */
export function eventsFrom(at: Date): string {
  const [date = "", time = ""] = at.toISOString().split("T");
  return `${EVENTS}${date}/${time.replaceAll(/\D/g, "")}`;
}
/** In types of events, `image.{kind}`, and in keys. */
const KIND = "[a-z]+(?:-[a-z]+)*";
export const EVENT_TYPE = new RegExp(`^image\\.${KIND}$`);
const kindOf = (type: string) => type.slice("image.".length);

/** Something that happened to an image. */
interface Happened {
  readonly id: string;
  readonly rev: number;
  /** As EVENT_TYPE. */
  readonly type: string;
}

/** Sorts by time; all that events are looked for by is in it. */
export const eventKey = ({ at, id, rev, type }: Happened & { readonly at: Date }) =>
  `${eventsFrom(at)}-${id}-${rev}-${kindOf(type)}.json`;
export function parseEventKey(key: string): (Happened & { readonly at: Date }) | undefined {
  const match = new RegExp(
    `^${EVENTS}(\\d{4}-\\d\\d-\\d\\d)/(\\d\\d)(\\d\\d)(\\d\\d)(\\d{3})-(${ID})-(\\d+)-(${KIND})\\.json$`,
  ).exec(key);
  if (!match) return undefined;
  const [, date, hours, minutes, seconds, ms, id = "", rev, kind = ""] = match;
  const at = new Date(`${date}T${hours}:${minutes}:${seconds}.${ms}Z`);
  return { at, id, rev: Number(rev), type: `image.${kind}` };
}

/** A receiver of webhooks in keys, where its URL may be a secret. */
export const receiverOf = (url: string) => digest(url);
/** What is known of a receiver that takes nothing; absent as long as it does. */
export const receiverKey = (receiver: string) => `receivers/${receiver}.json`;

/** Webhooks that were not taken. By receiver, so that what waits for a dead one is listed once and not by everybody. */
export const DELIVERIES = "deliveries/";
export interface Delivery extends Happened {
  readonly receiver: string;
  /** When it is to be tried again. */
  readonly due: Date;
}
export const deliveryPrefix = (receiver: string) => `${DELIVERIES}${receiver}/`;
/** Sorts by when it is due. */
export const deliveryKey = ({ receiver, due, id, rev, type }: Delivery) =>
  `${deliveryPrefix(receiver)}${String(due.getTime()).padStart(13, "0")}-${id}-${rev}-${kindOf(type)}.json`;
export function parseDeliveryKey(key: string): Delivery | undefined {
  const match = new RegExp(`^${DELIVERIES}([0-9a-z]{16})/(\\d{13})-(${ID})-(\\d+)-(${KIND})\\.json$`).exec(
    key,
  );
  if (!match) return undefined;
  const [, receiver = "", due, id = "", rev, kind = ""] = match;
  return { receiver, due: new Date(Number(due)), id, rev: Number(rev), type: `image.${kind}` };
}

/** Images that the CDN has yet to forget. */
export const FORGETS = "forget/images/";
export const forgetKey = (id: string) => `${FORGETS}${id}`;
export const parseForgetKey = (key: string) => new RegExp(`^${FORGETS}(${ID})$`).exec(key)?.[1];
/** Tells S3's own time of when the CDN is about to be asked to forget everything. */
export const FORGET_MARK_KEY = "forget/mark";
/** When the CDN was last asked to forget everything at once. */
export const FORGOT_ALL_KEY = "forget/all.json";

/** `original-expired` is nothing to look at: what the deployment lets go after its days. */
export const ATTENTION = ["failed", "rejected", "original-gone", "original-expired", "held"] as const;
export type Attention = (typeof ATTENTION)[number];
export const attentionPrefix = (status: Attention) => `failures/${status}/`;
export const attentionKey = (status: Attention, id: string) => `${attentionPrefix(status)}${id}.json`;
/** The image that a `failures/…` key speaks of; undefined for every other key. */
export function parseAttentionKey(key: string): string | undefined {
  return new RegExp(`^failures/(?:${ATTENTION.join("|")})/(${ID})\\.json$`).exec(key)?.[1];
}

/** Of a file that a worker is at which may have killed one before; see `suspect.ts`. */
export const MARKS = "marks/";
export const markKey = (id: string) => `${MARKS}${id}`;

/** How the wish stands that an image be attached in time; see `image/attach.ts`. */
export const ATTACH = "attach/";
export const attachKey = (id: string) => `${ATTACH}${id}`;
export const parseAttachKey = (key: string) => new RegExp(`^${ATTACH}(${ID})$`).exec(key)?.[1];

/** What nobody may see yet of an image; see `image/held.ts`. */
export const HELD = "held/";
export const heldPrefix = (id: string) => `${HELD}${id}/`;
export const behindHeld = (id: string) => `${HELD}${id}0`;
/** Of a variant, by the key that it will have. */
export const heldKey = (id: string, key: string) => `${heldPrefix(id)}${key.split("/").at(-1)}`;
/** What the document will say of them. */
export const heldDocumentKey = (id: string, recipe: string) => `${heldPrefix(id)}document.${recipe}.json`;
export const parseHeldKey = (key: string) => new RegExp(`^${HELD}(${ID})/`).exec(key)?.[1];
/** What was asked of an image after its upload; see `edit.ts`. */
export const EDITS = "edits/";
export const editKey = (id: string) => `${EDITS}${id}.json`;
export const parseEditKey = (key: string) => new RegExp(`^${EDITS}(${ID})\\.json$`).exec(key)?.[1];

/** How far the sweep has come. */
export const SWEEP_KEY = "sweep/cursor.json";
/** What it would have done when it last stopped itself. */
export const STOPPED_KEY = "sweep/stopped.json";

/** Of a site's static files, as `darkroom sync` publishes them. */
export const STATIC_LATEST = "static/latest.json";
export const STATIC_MANIFESTS = "static/manifests/";
export const staticManifestKey = (version: string) => `${STATIC_MANIFESTS}${version}.json`;
export const staticPrefix = (version: string) => `static/${version}/`;
export const staticKey = (version: string, path: string) => `${staticPrefix(version)}${path}`;
/** Not what is a neighbour's name in `static/`. */
export function isStaticVersion(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) && !["manifests", "latest.json"].includes(text);
}
/** The version that a manifest's key belongs to. */
export function parseStaticManifestKey(key: string): string | undefined {
  const version = key.startsWith(STATIC_MANIFESTS) ? key.slice(STATIC_MANIFESTS.length, -".json".length) : "";
  return isStaticVersion(version) && key === staticManifestKey(version) ? version : undefined;
}
/** A path with `/` between its parts, none of them empty or dots; S3 takes keys of 1,024 bytes. */
export function isStaticPath(path: string): boolean {
  const parts = path.split("/");
  return (
    path.isWellFormed() &&
    !/[\p{Cc}\\\ufffd]/u.test(path) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..") &&
    Buffer.byteLength(path) <= 900
  );
}
