/** What is private is served by a signature that ends: on each URL of one image, or once for all that an owner has. */
import type { Caller } from "../caller.ts";
import { DarkroomError } from "../errors.ts";
import { homeOf, homePrefix } from "../keys.ts";
import { type Metadata, withUrls } from "../metadata.ts";
import { type Config, presetOf } from "../preset.ts";

/** The same in two ways; a CDN may know only the first. */
export interface Signature {
  readonly query: Readonly<Record<string, string>>;
  readonly cookies: Readonly<Record<string, string>>;
}
/** Signs all URLs that fit a pattern: `*` at its end stands for whatever follows. */
export type SignAccess = (pattern: string, until: Date) => Signature;

export interface AccessDeps {
  /** Absent where the CDN has no key of ours. */
  readonly signAccess: SignAccess | undefined;
  /** Where the media bucket is served, without a slash at the end. */
  readonly mediaUrl: string;
  readonly config: Config;
  readonly now: () => Date;
}

/** Of presets that say nothing, or are gone. */
const SECONDS = 3600;

/**
 * When a signature ends: between a half and the whole of the time from now, by the clock, so that whoever asks again within
 * a half is given the very same URLs, which a browser knows.
 */
export function untilOf(now: Date, seconds: number): Date {
  const step = (seconds / 2) * 1000;
  return new Date((Math.floor(now.getTime() / step) + 2) * step);
}

/** An image as its owner is told of it: with URLs that open until then. */
export type Opened<D> = D & { readonly signedUntil?: string };

export function opened<D extends Metadata>(deps: AccessDeps, document: D): Opened<D> {
  const { signAccess, config, now } = deps;
  const [first] = document.variants;
  if (document.access !== "private" || !first || !signAccess) return document;
  const until = untilOf(now(), presetOf(config, document.preset ?? "")?.accessSeconds ?? SECONDS);
  // As the document names it: it may be of a domain before today's, which goes on working.
  const folder = first.url.slice(0, first.url.lastIndexOf("/") + 1);
  const query = new URLSearchParams(signAccess(`${folder}*`, until).query).toString();
  const urls = withUrls(document, ({ url }) => `${url}?${query}`);
  return { ...urls, signedUntil: until.toISOString() };
}

export interface Access {
  /** Where all private images of the owner lie. */
  readonly prefix: string;
  /** Behind any URL under it. */
  readonly query: string;
  /** The same as cookies. */
  readonly cookies: Readonly<Record<string, string>>;
  readonly until: Date;
}

/** @throws DarkroomError `not-signed` where the CDN has no key of ours */
export function accessOf({ signAccess, mediaUrl, config, now }: AccessDeps, { owner }: Caller): Access {
  if (!signAccess) throw new DarkroomError("not-signed");
  const seconds = [...config.presets.values()].flatMap(({ access, accessSeconds }) =>
    access === "private" ? [accessSeconds] : [],
  );
  const until = untilOf(now(), Math.min(...seconds, seconds.length > 0 ? Number.POSITIVE_INFINITY : SECONDS));
  const prefix = `${mediaUrl}/${homePrefix(homeOf(owner))}`;
  const { query, cookies } = signAccess(`${prefix}*`, until);
  return {
    prefix,
    query: new URLSearchParams(query).toString(),
    cookies,
    until,
  };
}
