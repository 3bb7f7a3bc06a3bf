/** Anybody's images, for an operator: by what a selection may ask for, and by what the application calls them. */
import * as v from "valibot";
import { attentionOf } from "../attention.ts";
import { DarkroomError } from "../errors.ts";
import type { SignDownload } from "../image/original.ts";
import { ATTENTION, originalKey } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import type { Metadata } from "../metadata.ts";
import { type Context, contextOf, isRef } from "../upload-metadata.ts";
import { listAttention, smallest } from "./list-attention.ts";
import {
  type Candidate,
  checkPreset,
  isAttention,
  isListedIn,
  isMeant,
  listCandidates,
  readDocument,
  Select,
  type SelectDeps,
} from "./selection.ts";

const isEmpty = (value: unknown) => value === undefined || value === "";

/** As it stands in a query. */
export const FindQuery = v.pipe(
  v.object({
    ref: v.optional(v.pipe(v.string(), v.check(isRef, "1 to 256 characters"))),
    owner: v.optional(v.string()),
    status: v.optional(v.string()),
    preset: v.optional(v.string()),
    after: v.optional(v.string()),
    before: v.optional(v.string()),
  }),
  v.check(
    (query) => !Object.values(query).every(isEmpty),
    `say which images: owner, ref, preset, after, before or status: ${ATTENTION.join(", ")}, stale, all`,
  ),
  // By its reference alone: whoever's it is.
  v.transform(({ ref, after, before, ...rest }) => ({
    ref,
    select: {
      ...rest,
      ...(after === undefined ? {} : { uploadedAfter: after }),
      ...(before === undefined ? {} : { uploadedBefore: before }),
      ...(ref !== undefined && Object.values({ ...rest, after, before }).every(isEmpty)
        ? { status: "all" }
        : {}),
    },
  })),
  v.object({ ref: v.optional(v.string()), select: Select }),
);
export type FindQuery = v.InferOutput<typeof FindQuery>;

export interface FoundImage {
  readonly id: string;
  /** Of its document; `processing` where there is none yet. */
  readonly status: Metadata["status"] | "processing" | "unreadable";
  readonly preset?: string | undefined;
  readonly uploadedAt?: string | undefined;
  /** Of the original. */
  readonly bytes?: number | undefined;
  /** What is wrong with it, as in the list of those that need attention. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly thumbnail?: string | undefined;
  /** Absent where the original is gone, which says it. */
  readonly context?: Context | undefined;
}

export interface FindDeps extends SelectDeps {
  /** For whoever judges what is held. */
  readonly signDownload: SignDownload;
  readonly now: () => Date;
  /** Milliseconds that looking may take. */
  readonly budgetMs?: number;
  /** Images that one request looks at. */
  readonly most?: number;
}

/** Some four small requests for each image that is looked at, so many at once: within a second or two. */
const MOST = 500;
const LANES = 32;
const BUDGET_MS = 8_000;

interface Page {
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** What `GET /admin/images` answers: by what became of them alone it is the index that says why, else a search. */
export function listOrFind(deps: FindDeps, { ref, select }: FindQuery, page: Page) {
  const { status, ...rest } = select;
  const alone = ref === undefined && Object.values(rest).every(isEmpty);
  return alone && isAttention(status)
    ? listAttention(deps, status, page)
    : findImages(deps, { ref, select }, page);
}

/**
 * Of an owner newest first, else by id. `cursor` is the one an earlier page gave; a page may be short, or empty, while more
 * follow: one request looks at 500 images at most.
 * @throws DarkroomError `bad-request` for a cursor that is none of ours, or a preset there is not
 */
export async function findImages(
  deps: FindDeps,
  { ref, select }: FindQuery,
  { limit, cursor }: Page,
): Promise<{ images: FoundImage[]; looked: number; cursor?: string }> {
  checkPreset(select, deps.config);
  if (cursor !== undefined && !isListedIn(select, cursor))
    throw new DarkroomError("bad-request", "cursor: pass on what the last page gave, unchanged.");
  const { now, budgetMs = BUDGET_MS, most = MOST } = deps;
  const deadline = now().getTime() + budgetMs;
  const images: FoundImage[] = [];
  let looked = 0;
  let next = cursor;
  do {
    // No more than there is room for: what was looked at is not looked at again.
    const page = await listCandidates(deps.uploads, select, next, limit - images.length, true);
    const found = await inLanes(page.candidates, LANES, (candidate) => find(deps, select, ref, candidate));
    images.push(...found.filter((image) => image !== undefined));
    looked += page.candidates.length;
    ({ next } = page);
  } while (next !== undefined && images.length < limit && looked < most && now().getTime() < deadline);
  return { images, looked, ...(next === undefined ? {} : { cursor: next }) };
}

async function find(
  deps: SelectDeps,
  select: Select,
  ref: string | undefined,
  candidate: Candidate,
): Promise<FoundImage | undefined> {
  const { id } = candidate;
  if (!(await isMeant(deps, select, candidate))) return undefined;
  const original = await deps.uploads.head(originalKey(id));
  const context = original && contextOf(original.metadata);
  if (ref !== undefined && context?.ref !== ref && context?.clientRef !== ref) return undefined;
  const document = await readDocument(deps.media, id);
  if (document === "unreadable") return { id, status: document, context };
  if (document?.status === "deleted" || (!document && !original)) return undefined;
  const problem = attentionOf(document);
  return {
    id,
    status: document?.status ?? "processing",
    preset: document?.preset,
    uploadedAt: document?.uploadedAt ?? original?.lastModified.toISOString(),
    bytes: document?.source?.bytes ?? original?.size,
    code: problem?.code,
    message: problem?.message,
    thumbnail: document && smallest(document),
    context,
  };
}
