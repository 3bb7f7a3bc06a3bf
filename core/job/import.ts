/** Imports: images by their URLs, as a job. Its order names them all; fetching is a function's of its own (`fetch-url.ts`). */
import * as v from "valibot";
import { DarkroomError } from "../errors.ts";
import { newJobId, orderKey, pageKey, pageLabel, parseResultKey, resultsPrefix } from "../job-keys.ts";
import { idFrom } from "../keys.ts";
import { inLanes } from "../lanes.ts";
import { orderBody } from "../message.ts";
import type { ListedObject, Queue } from "../ports.ts";
import { type Config, presetOf } from "../preset.ts";
import { FocusPoint, OwnerName, Reference } from "../upload/issue-uploads.ts";
import { jobProgress, type Progress, type ProgressDeps } from "./job-progress.ts";
import { type Order, type PageRecord, RESULTS, readOrder, type WantedUrl, writeOnce } from "./job-records.ts";

/** As many of some length as a request body of 64 KB holds; one page of a job. */
export const MAX_URLS = 500;

const preset = v.optional(v.pipe(v.string(), v.maxLength(64)));
const url = v.pipe(
  v.string(),
  v.maxLength(2048),
  v.check((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), "an http or https URL"),
);

export const ImportRequest = v.strictObject({
  /** Of every image that names no other. */
  owner: v.optional(OwnerName),
  preset,
  images: v.pipe(
    v.array(
      v.strictObject({
        url,
        owner: v.optional(OwnerName),
        preset,
        /** What the file is called; the last part of the URL's path where absent. */
        name: v.optional(v.pipe(v.string(), v.maxLength(1024))),
        focus: v.optional(FocusPoint),
        /** As trusted as a token's: told again as `context.ref`. */
        ref: v.optional(Reference),
      }),
    ),
    v.minLength(1, "at least one image"),
    v.maxLength(MAX_URLS, `at most ${MAX_URLS} images in one request`),
  ),
});
export type ImportRequest = v.InferOutput<typeof ImportRequest>;

export interface ImportDeps extends ProgressDeps {
  readonly imports: Pick<Queue, "send">;
  readonly config: Config;
  readonly random: (bytes: number) => Uint8Array;
}

/** What `POST /admin/imports` asks for. @throws DarkroomError `bad-request` */
export async function startImport(deps: ImportDeps, request: ImportRequest): Promise<Progress> {
  const now = deps.now();
  const job = newJobId(now, deps.random);
  const urls = wantedUrls(deps.config, request);
  const order: Order = {
    schema: 1,
    job,
    action: "import",
    select: { ids: [...new Set(urls.map(({ id }) => id))] },
    urls,
    force: false,
    startedAt: now.toISOString(),
    recipes: {},
  };
  await writeOnce(deps.uploads, orderKey(job), order);
  await sendOrder(deps, order);
  return jobProgress(deps, job);
}

/** All of an import is one page, chosen by whoever asks for it. Repeated, what has no result yet is sent once more. */
export async function sendOrder(
  { uploads, imports }: Pick<ImportDeps, "uploads" | "imports">,
  order: Order,
): Promise<void> {
  const { job } = order;
  const ids = [...idsOf(order)];
  const page: PageRecord = { page: 0, ids, scanned: ids.length, queued: ids.length };
  await writeOnce(uploads, pageKey(job, 0), page);
  await imports.send(orderBody(job));
}

function wantedUrls(config: Config, { images, ...defaults }: ImportRequest): WantedUrl[] {
  return images.map(({ owner = defaults.owner, preset = defaults.preset, ...image }, index) => {
    if (owner === undefined) throw new DarkroomError("bad-request", `images[${index}].owner: whose is it?`);
    const found = presetOf(config, preset ?? config.defaultPreset);
    if (!found)
      throw new DarkroomError("bad-request", `images[${index}].preset: there is none of that name.`);
    // The same wish is the same image, in whatever job: asked for again, it finds what the first one made.
    const { url, ref = "", focus = "" } = image;
    const id = idFrom(url, owner, found.name, ref, JSON.stringify(focus));
    return { ...image, id, owner, preset: found.name };
  });
}

/** Of the images that come of it: what is wished for twice is one. */
export const idsOf = ({ select }: Order): readonly string[] => select.ids ?? [];
export const labelOf = (order: Order) => pageLabel(0, idsOf(order).length);

/** The results that are there, by their images' ids: at most a page of a list. */
export async function resultsOf(
  { uploads }: Pick<ProgressDeps, "uploads">,
  order: Order,
): Promise<ReadonlyMap<string, ListedObject>> {
  const { objects } = await uploads.list(`${resultsPrefix(order.job)}${labelOf(order)}/`);
  return new Map(objects.map((object) => [parseResultKey(object.key)?.id ?? "", object]));
}

/** One URL of an import, and what became of it. */
export interface ImportedUrl extends WantedUrl {
  /** `skipped`: the image was there already. Absent as long as it is on its way. */
  readonly result?: "done" | "skipped" | "failed";
  /** Why it could not be had. */
  readonly error?: { readonly code: string; readonly message: string };
}
export interface ImportReport {
  readonly job: Progress;
  /** In the order in which they were asked for. */
  readonly images: readonly ImportedUrl[];
}

const LANES = 32;

/** What `GET /admin/imports/{id}` tells. @throws DarkroomError `not-found` */
export async function importReport(deps: ProgressDeps, job: string): Promise<ImportReport> {
  const order = await readOrder(deps.uploads, job);
  if (!order?.urls) throw new DarkroomError("not-found", "There is no import with this id.");
  // First: of a job that is done every result is there, of one that ends meanwhile the next answer says so.
  const progress = await jobProgress(deps, job);
  const results = await resultsOf(deps, order);
  const images = await inLanes(order.urls, LANES, async (wanted): Promise<ImportedUrl> => {
    const found = results.get(wanted.id);
    const result = RESULTS.find((word) => word.length === found?.size);
    if (!found || !result || result === "rejected") return wanted;
    if (result !== "failed") return { ...wanted, result };
    const { code = "", message = "" } = (await deps.uploads.head(found.key))?.metadata ?? {};
    return { ...wanted, result, error: { code, message: decodeURIComponent(message) } };
  });
  return { job: progress, images };
}
