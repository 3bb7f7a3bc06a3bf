/**
 * What a job would do and cost, before it does it: lists what it would list, looks at a sample of the metadata, and
 * extrapolates, saying so.
 */

import { editedHeader, recipeOf } from "../edit.ts";
import { formats } from "../formats.ts";
import { PUBLIC, rehomed } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { hasProblem, type Metadata } from "../metadata.ts";
import { type Amounts, costOf, WORKER_BATCH, WORKER_GB } from "../money/prices.ts";
import { type Header, keyOf, variantsOf } from "../plan.ts";
import { type Preset, presetOf } from "../preset.ts";
import {
  type Candidate,
  checkPreset,
  inTime,
  isAstray,
  isMeant,
  isRetry,
  listCandidates,
  readDocument,
  type Select,
  type SelectDeps,
} from "./selection.ts";

export interface DryRunDeps extends SelectDeps {
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
  /** Milliseconds that listing may take. */
  readonly budgetMs?: number;
  readonly pageSize?: number;
  readonly sampleSize?: number;
}

/** What every dry run says. */
export interface Taken {
  readonly dryRun: true;
  /** Every image was looked at. Otherwise the figures are those of `sample`, extrapolated. */
  readonly exact: boolean;
  /** Images whose metadata was read. */
  readonly sample: number;
  /** Images that would be queued. */
  readonly images: number;
  readonly lambdaSeconds: number;
  readonly requests: { readonly lambda: number; readonly s3: number; readonly sqs: number };
  /** Once, by the price list of eu-central-1. */
  readonly dollars: number;
}

export interface DryRun extends Taken {
  /** Images of which something would be made or tried again. */
  readonly changed: number;
  /** Images whose preset there is no more, by its name: of them nothing can be made. */
  readonly gone: Readonly<Record<string, number>>;
  /** That would be made. */
  readonly variants: number;
  readonly gbSeconds: number;
}

const BUDGET_MS = 8_000;
const SAMPLE = 300;
const LANES = 30;
/** Where no duration is recorded: a 12-megapixel photo by the preset that ships takes about so long. */
const DEFAULT_MS = 3_000;
/** Decoding alone, as a share of all the work on an image. */
const DECODING = 0.1;
/** For a message that finds nothing to do. */
const SKIP_MS = 60;

/** @throws DarkroomError `bad-request` for a preset there is not */
export async function dryRunJob(deps: DryRunDeps, select: Select, force: boolean): Promise<DryRun> {
  checkPreset(select, deps.config);
  const drawn = await drawSample(deps, select);
  const { sample, count, listed, pages } = drawn;
  const looks = await inLanes(sample, LANES, (candidate) => look(deps, select, force, candidate));
  const queued = looks.filter((one) => one !== undefined);
  const changing = queued.filter(({ changes }) => changes);
  const average = (values: readonly (number | undefined)[], fallback: number) => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? fallback : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const scale = sample.length === 0 ? 0 : count / sample.length;
  const [images, changed] = [queued.length * scale, changing.length * scale];
  const variants =
    changed *
    average(
      changing.map(({ make }) => make),
      usualVariants(deps),
    );
  const seconds =
    (changed *
      average(
        changing.map(({ ms }) => ms),
        DEFAULT_MS,
      ) +
      (images - changed) * SKIP_MS) /
    1000;
  const amounts = {
    lambdaGbSecond: seconds * WORKER_GB,
    lambdaRequest: images / WORKER_BATCH + pages,
    // cancelled?, metadata, original. To choose, at most one document each.
    s3Read: 3 * images + listed,
    // The result; owner's entry and metadata. A list and a record for each page.
    s3Write: images + 2 * changed + variants + 2 * pages,
    // Sent by tens, received and deleted by batches.
    sqsRequest: images / 10 + (2 * images) / WORKER_BATCH + 3 * pages,
  };
  const { round } = Math;
  return {
    ...taken(drawn, images, seconds, amounts),
    changed: round(changed),
    gone: Object.fromEntries(
      [...Map.groupBy(queued, (one) => one.gone)].flatMap(([name, of]) =>
        name === undefined ? [] : [[name, round(of.length * scale)]],
      ),
    ),
    variants: round(variants),
    gbSeconds: round(amounts.lambdaGbSecond * 10) / 10,
  };
}

export function taken(
  { sample, listed, ended }: Awaited<ReturnType<typeof drawSample>>,
  images: number,
  seconds: number,
  amounts: Required<Pick<Amounts, "lambdaGbSecond" | "lambdaRequest" | "s3Read" | "s3Write" | "sqsRequest">>,
): Taken {
  return {
    dryRun: true,
    exact: ended && sample.length === listed,
    sample: sample.length,
    images: Math.round(images),
    lambdaSeconds: Math.round(seconds * 10) / 10,
    requests: {
      lambda: Math.ceil(amounts.lambdaRequest),
      s3: Math.ceil(amounts.s3Read + amounts.s3Write),
      sqs: Math.ceil(amounts.sqsRequest),
    },
    dollars: cents(amounts),
  };
}

/** What they cost, to a hundredth of a cent. */
export const cents = (amounts: Amounts): number => Math.round(costOf(amounts) * 10_000) / 10_000;

/** Reservoir sampling: every candidate has the same chance, however many there are and in whatever order they come. */
export async function drawSample(deps: DryRunDeps, select: Select, withGone = false) {
  const { now, random, uploads, budgetMs = BUDGET_MS, pageSize = 1000, sampleSize = SAMPLE } = deps;
  const deadline = now().getTime() + budgetMs;
  const sample: Candidate[] = [];
  let [listed, pages, share] = [0, 0, 0 as number | undefined];
  let after: string | undefined;
  do {
    const page = await listCandidates(uploads, select, after, pageSize, withGone);
    for (const candidate of page.candidates) {
      if (candidate.uploadedAt !== undefined && !inTime(select, candidate.uploadedAt)) continue;
      listed++;
      const place = listed <= sampleSize ? listed - 1 : below(listed, random);
      if (place < sampleSize) sample[place] = candidate;
    }
    pages++;
    ({ next: after, share } = page);
  } while (after !== undefined && now().getTime() < deadline);
  const ended = after === undefined;
  const whole = ended || !share ? 1 : share;
  return { sample, listed, ended, count: listed / whole, pages: Math.ceil(pages / whole) };
}

/** A whole number from 0 to `limit` - 1. 48 bits leave no bias that would matter here. */
function below(limit: number, random: DryRunDeps["random"]): number {
  return Buffer.from(random(6)).readUIntBE(0, 6) % limit;
}

interface Look {
  /** Whether anything would be made, or tried again. */
  readonly changes: boolean;
  /** The preset it was made for, where there is none of that name any more. */
  readonly gone?: string;
  /** Variants to make, and how long that takes; absent where nothing tells. */
  readonly make?: number;
  readonly ms?: number;
}

/** What a job would do with one image; undefined where it is not meant. */
async function look(
  deps: DryRunDeps,
  select: Select,
  force: boolean,
  candidate: Candidate,
): Promise<Look | undefined> {
  if (!(await isMeant(deps, select, candidate))) return undefined;
  const document = await readDocument(deps.media, candidate.id);
  if (document === undefined) return { changes: select.ids === undefined };
  if (document === "unreadable" || document.status === "deleted") return { changes: false };
  const preset = presetOf(deps.config, document.preset ?? deps.config.defaultPreset);
  if (!preset) return { changes: false, ...(document.preset === undefined ? {} : { gone: document.preset }) };
  const tried = document.status === "failed" || (isRetry(select) && hasProblem(document));
  const isMade = document.recipe === recipeOf(preset, document.edit) && !isAstray(document, preset);
  if (!force && !tried && isMade) return { changes: false };
  const make = variantsToMake(document, preset, force);
  const { durationMs, variants } = document;
  // What one variant took, for as many as are missing.
  const share = make === undefined ? 1 : Math.max(DECODING, make / Math.max(1, variants.length));
  return {
    changes: true,
    ...(make === undefined ? {} : { make }),
    ...(durationMs === undefined ? {} : { ms: durationMs * share }),
  };
}

/** Undefined where the document does not say enough of the source, as when it could not be read. */
function variantsToMake(document: Metadata, preset: Preset, force: boolean): number | undefined {
  const { source, variants, superseded, id, rights } = document;
  const { format, width, height, sha256, frames = 1, alpha = false, colour, hdr } = source ?? {};
  if (!format || !Object.hasOwn(formats, format) || !width || !height || !sha256) return undefined;
  const seen = { colour, hdr, gainMap: hdr === "gain-map", rights };
  // Names that a later release may have are none of ours to act on.
  const header = { format, width, height, frames, alpha, ...seen } as Header;
  // As they are copied to where they belong before anything is made.
  const there = new Set([...variants, ...superseded].map(({ key }) => rehomed(key, id, PUBLIC)));
  const wanted = variantsOf(editedHeader(header, document.edit), preset, document.edit?.focus);
  return force ? wanted.length : wanted.filter((variant) => !there.has(keyOf(id, sha256, variant))).length;
}

/** Of a large picture by the default preset. */
function usualVariants({ config }: SelectDeps): number {
  const preset = config.presets.get(config.defaultPreset);
  if (!preset) return 0;
  return variantsOf({ format: "jpeg", width: 4032, height: 3024, frames: 1, alpha: false }, preset).length;
}
