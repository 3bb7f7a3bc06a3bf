/** What a job that deletes would do, cost and save, before it does it: as `dry-run.ts`, by a sample where there are many. */

import { originalKey } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { WORKER_BATCH, WORKER_GB } from "../money/prices.ts";
import { cents, type DryRunDeps, drawSample, type Taken, taken } from "./dry-run.ts";
import {
  type Candidate,
  checkPreset,
  isMeant,
  readDocument,
  type Select,
  uploadedUntil,
} from "./selection.ts";

export interface DeleteDryRun extends Taken {
  readonly action: "delete";
  /** What is kept of them today; variants of earlier recipes are not counted. */
  readonly bytes: { readonly originals: number; readonly variants: number };
  /** What comes later is not counted, nor deleted where the order says so too; absent where images are named. */
  readonly uploadedBefore?: string | undefined;
  /** Dollars that keeping them costs in a month. */
  readonly savesMonthly: number;
}

const LANES = 30;
/** Of one image: a dozen small requests one after the other, and each variant's delete at some 15 ms. */
const DELETE_MS = { image: 250, variant: 15 };

/** @throws DarkroomError `bad-request` for a preset there is not */
export async function dryRunDelete(deps: DryRunDeps, asked: Select): Promise<DeleteDryRun> {
  checkPreset(asked, deps.config);
  const select = uploadedUntil(asked, deps.now());
  const drawn = await drawSample(deps, select, true);
  const { sample, count, listed, pages } = drawn;
  const looks = await inLanes(sample, LANES, (candidate) => look(deps, select, candidate));
  const meant = looks.filter((one) => one !== undefined);
  const scale = sample.length === 0 ? 0 : count / sample.length;
  const sum = (of: (one: Kept) => number) => scale * meant.reduce((total, one) => total + of(one), 0);
  const images = sum(() => 1);
  const bytes = { originals: sum(({ original }) => original), variants: sum(({ variants }) => variants) };
  const seconds = sum(({ files }) => DELETE_MS.image + files * DELETE_MS.variant) / 1000;
  const amounts = {
    lambdaGbSecond: seconds * WORKER_GB,
    lambdaRequest: images / WORKER_BATCH + pages,
    // cancelled?, order, document, original; what the selection looks at once more.
    s3Read: 6 * images + listed,
    // Entry, tombstone, two notes for the CDN, kept event, result; two lists. A list and a record for each page.
    s3Write: 8 * images + 2 * pages,
    sqsRequest: images / 10 + (4 * images) / WORKER_BATCH + 3 * pages,
  };
  return {
    ...taken(drawn, images, seconds, amounts),
    action: "delete",
    bytes: { originals: Math.round(bytes.originals), variants: Math.round(bytes.variants) },
    ...(select.ids ? {} : { uploadedBefore: select.uploadedBefore }),
    savesMonthly: cents({ s3Storage: (bytes.originals + bytes.variants) / 1e9 }),
  };
}

/** In bytes; files are variants. */
interface Kept {
  readonly original: number;
  readonly variants: number;
  readonly files: number;
}

/** What there is of an image that would be deleted; undefined where it is not meant, or nothing is there. */
async function look(deps: DryRunDeps, select: Select, candidate: Candidate): Promise<Kept | undefined> {
  if (!(await isMeant(deps, select, candidate))) return undefined;
  const document = await readDocument(deps.media, candidate.id);
  if (document === "unreadable" || document?.status === "deleted") return undefined;
  const { source, variants = [] } = document ?? {};
  const there = source ? undefined : await deps.uploads.head(originalKey(candidate.id));
  if (!document && !there) return undefined;
  return {
    original: source?.gone ? 0 : (source?.bytes ?? there?.size ?? 0),
    variants: variants.reduce((sum, { bytes }) => sum + bytes, 0),
    files: variants.length,
  };
}
