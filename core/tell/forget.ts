/**
 * What the CDN is to forget of deleted images. Whoever deletes leaves a note; the notes are collected, and the CDN is
 * asked for several images at once. CloudFront works on 15 paths with a wildcard at a time, about a minute each, and
 * charges each path ($0.005), however much lies under it: so what is more than it could do within an hour is forgotten
 * by one path over everything, which costs its cache what a day does anyway, as it holds nothing longer than that.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
 */
import { readText } from "../commit.ts";
import { hasOutcome } from "../errors.ts";
import {
  digest,
  FORGET_MARK_KEY,
  FORGETS,
  FORGOT_ALL_KEY,
  forgetKey,
  IMAGES,
  imagePrefix,
  parseForgetKey,
} from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { listed } from "../listing.ts";
import type { ObjectStore } from "../ports.ts";

export interface ForgetDeps {
  readonly uploads: Pick<ObjectStore, "get" | "put" | "delete" | "list">;
  /**
   * Asks the CDN to forget what lies under paths; the same `reference` asks once. Resolves with false where it has as
   * much to forget already as it takes. Absent: there is no CDN.
   */
  readonly forget?: ((paths: readonly string[], reference: string) => Promise<boolean>) | undefined;
  readonly now: () => Date;
}

/** Paths with a wildcard that CloudFront works on at a time. */
const WILDCARDS = 15;
/** More than these are forgotten with everything else: what wildcards would take an hour for. */
const ALL_ABOVE = 900;
/** Everything is forgotten no more often, in milliseconds: in between the cache is worth something again. */
const ALL_EVERY_MS = 6 * 3_600_000;
const LANES = 20;
const PAGE = 1000;

/**
 * Notes that an image's files have to be forgotten. Each note is another one (its ETag is): one that is written while
 * the CDN is being asked for the one before stays.
 */
export async function noteForget(
  {
    uploads,
    now,
    random,
  }: Pick<ForgetDeps, "now"> & {
    readonly uploads: Pick<ObjectStore, "put">;
    readonly random: (bytes: number) => Uint8Array;
  },
  id: string,
): Promise<void> {
  const nonce = Buffer.from(random(8)).toString("hex");
  await uploads.put(forgetKey(id), JSON.stringify({ at: now().toISOString(), nonce }), {
    type: "application/json",
  });
}

export interface Forgotten {
  readonly images: number;
  /** More is noted than could be asked for now. */
  readonly waiting: boolean;
}

/** One request to the CDN, for what has been noted. */
export async function forgetNoted(deps: ForgetDeps, until: Date): Promise<Forgotten> {
  const through = deps.forget ? await forgottenThrough(deps) : new Date(8.64e15);
  const { notes, dropped } = await openNotes(deps, through, until);
  if (notes.length === 0 || !deps.forget) return { images: dropped, waiting: false };
  if (notes.length > ALL_ABOVE && deps.now().getTime() - through.getTime() >= ALL_EVERY_MS)
    return forgetAll(deps, deps.forget, until);
  const some = notes.slice(0, WILDCARDS);
  const paths = some.map(({ id }) => `/${imagePrefix(id)}*`);
  // The same notes make the same reference, also after a crash; a later note of an image another one.
  const reference = digest(...some.flatMap(({ id, etag }) => [id, etag]));
  if (!(await deps.forget(paths, reference))) return { images: dropped, waiting: true };
  await drop(deps, some);
  return { images: dropped + some.length, waiting: notes.length > some.length };
}

async function forgetAll(
  deps: ForgetDeps,
  forget: NonNullable<ForgetDeps["forget"]>,
  until: Date,
): Promise<Forgotten> {
  // By S3's own clock: what was noted in an earlier second than this mark was noted before we ask.
  const { etag } = await deps.uploads.put(FORGET_MARK_KEY, deps.now().toISOString());
  const mark = await deps.uploads.get(FORGET_MARK_KEY);
  if (!mark) return { images: 0, waiting: true };
  await readText(mark.body);
  const through = mark.lastModified;
  if (!(await forget([`/${IMAGES}*`], digest(etag, String(through.getTime())))))
    return { images: 0, waiting: true };
  await deps.uploads.put(FORGOT_ALL_KEY, JSON.stringify({ through }), { type: "application/json" });
  return { images: (await openNotes(deps, through, until)).dropped, waiting: true };
}

interface Note {
  readonly id: string;
  readonly key: string;
  readonly etag: string;
  readonly lastModified: Date;
}

/** The notes that have to be asked for, one more than `ALL_ABOVE` at most; those that are covered go. */
async function openNotes(deps: ForgetDeps, through: Date, until: Date) {
  const notes: Note[] = [];
  let covered: Note[] = [];
  let dropped = 0;
  for await (const object of listed(deps.uploads, FORGETS)) {
    const id = parseForgetKey(object.key);
    if (id === undefined) continue;
    (object.lastModified < through ? covered : notes).push({ ...object, id });
    if (covered.length === PAGE) {
      await drop(deps, covered);
      dropped += covered.length;
      covered = [];
    }
    if (notes.length > ALL_ABOVE || deps.now() > until) break;
  }
  await drop(deps, covered);
  return { notes, dropped: dropped + covered.length };
}

/** Everything noted before then was forgotten with all the rest. */
async function forgottenThrough({ uploads }: ForgetDeps): Promise<Date> {
  const stored = await uploads.get(FORGOT_ALL_KEY);
  return new Date(stored ? JSON.parse(await readText(stored.body)).through : 0);
}

async function drop({ uploads }: ForgetDeps, notes: readonly Note[]): Promise<void> {
  await inLanes(notes, LANES, ({ key, etag }) =>
    uploads.delete(key, { ifMatch: etag }).catch((error: unknown) => {
      // Deleted once more meanwhile: that note is asked for next.
      if (!hasOutcome(error, "conflict")) throw error;
    }),
  );
}
