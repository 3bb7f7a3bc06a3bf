/** What the API answers, as schemas: a test compares every sample event's answer with them. */
import * as v from "valibot";
import { codesOf, type ErrorCode } from "../core/errors.ts";
import type { OriginalUrl } from "../core/image/original.ts";
import type { DeleteDryRun } from "../core/job/dry-delete.ts";
import type { DryRun as DryRunAnswer } from "../core/job/dry-run.ts";
import type { FoundImage } from "../core/job/find-images.ts";
import type { ImportedUrl } from "../core/job/import.ts";
import { Progress as Job } from "../core/job/job-progress.ts";
import type { ImageInTrouble } from "../core/job/list-attention.ts";
import { ATTENTION } from "../core/keys.ts";
import { MetadataSchema } from "../core/metadata.ts";
import type { SweepState } from "../core/sweep/ask-sweep.ts";
import { Stop } from "../core/sweep/breaker.ts";
import { Owned } from "../core/sweep/sweep-cursor.ts";
import type { FailedWebhook } from "../core/tell/replay.ts";
import { EVENT_TYPES } from "../core/tell/tell.ts";
import type { Context as ImageContext } from "../core/upload-metadata.ts";

/** What core answers is described whole: a field that nobody describes is an error of types. */
type Fields<T> = Record<keyof T, v.GenericSchema>;

const text = v.string();
const maybe = v.optional(v.string());
const number = v.number();
const time = v.pipe(v.string(), v.isoTimestamp());
const texts = v.record(v.string(), v.string());
const pageOf = <T extends v.GenericSchema>(name: string, one: T) =>
  v.object({ [name]: v.array(one), cursor: maybe });

const CODES: ErrorCode[] = [...codesOf("answer"), ...codesOf("failed"), ...codesOf("retry")];
export const Problem = v.object({
  type: text,
  title: text,
  status: v.pipe(number, v.integer()),
  detail: text,
  code: v.picklist(CODES),
  requestId: text,
});

const Context = v.object({
  owner: maybe,
  ref: maybe,
  clientRef: maybe,
  name: maybe,
} satisfies Fields<ImageContext>);

/** The document, and what only its owner and admins are told. */
export const Image = v.object({
  ...MetadataSchema.entries,
  context: v.optional(Context),
  signedUntil: v.optional(time),
});
export const Processing = v.object({
  id: text,
  status: v.literal("processing"),
  uploadedAt: v.optional(time),
});

const issued = { id: text, key: text, expiresAt: time };
const Form = v.object({ method: v.literal("POST"), url: text, fields: texts, expiresAt: time });
const Upload = v.variant("method", [
  v.object({ ...issued, method: v.literal("PUT"), url: text, headers: texts }),
  v.object({ ...issued, ...Form.entries }),
  v.object({ ...issued, method: v.literal("MULTIPART"), ticket: text, partSize: number }),
]);
export const Uploads = v.object({ uploads: v.array(Upload) });
export const UppyForm = v.object({ ...Form.entries, expires: number });

export const Original = v.object({
  id: text,
  url: text,
  name: text,
  expiresAt: time,
} satisfies Fields<OriginalUrl>);
export const Access = v.object({ prefix: text, query: text, cookies: texts, expiresAt: time });
const { schema: _, ...metadata } = MetadataSchema.entries;
const { etag: __, ...edit } = metadata.edit.wrapped.entries;
export const Edited = v.object({ id: text, ...edit, alt: maybe });
export const Images = pageOf("images", v.union([Image, Processing]));

const Usage = Owned;
export const UsageOrTop = v.union([Usage, v.object({ at: v.optional(time), owners: v.array(Usage) })]);

const cost = {
  dryRun: v.literal(true),
  exact: v.boolean(),
  sample: number,
  images: number,
  lambdaSeconds: number,
  requests: v.object({ lambda: number, s3: number, sqs: number }),
  dollars: number,
};
export const DryRun = v.union([
  v.object({
    ...cost,
    action: v.literal("delete"),
    bytes: v.object({ originals: number, variants: number }),
    uploadedBefore: v.optional(time),
    savesMonthly: number,
  } satisfies Fields<DeleteDryRun>),
  v.object({
    ...cost,
    changed: number,
    gone: v.record(v.string(), number),
    variants: number,
    gbSeconds: number,
  } satisfies Fields<DryRunAnswer>),
]);
export { Job };

const Imported = v.object({
  id: text,
  url: text,
  owner: text,
  preset: text,
  name: maybe,
  focus: v.optional(v.object({ x: number, y: number })),
  ref: maybe,
  result: v.optional(v.picklist(["done", "skipped", "failed"])),
  error: v.optional(v.object({ code: text, message: text })),
} satisfies Fields<ImportedUrl>);
export const Import = v.object({ job: Job, images: v.array(Imported) });
export const Jobs = pageOf("jobs", Job);

const found = { id: text, preset: maybe, uploadedAt: v.optional(time), thumbnail: maybe };
const Troubled = v.object({
  ...found,
  status: v.picklist(ATTENTION),
  code: text,
  message: text,
  at: time,
  ready: v.boolean(),
  context: v.optional(Context),
} satisfies Fields<ImageInTrouble>);
const Found = v.object({
  ...found,
  status: v.picklist([...metadata.status.options, "processing", "unreadable"]),
  bytes: v.optional(number),
  code: maybe,
  message: maybe,
  context: v.optional(Context),
} satisfies Fields<FoundImage>);
export const FoundImages = v.object({
  images: v.array(v.union([Troubled, Found])),
  looked: v.optional(number),
  cursor: maybe,
});

export const Sweep = v.object({
  state: v.picklist(["new", "running", "resting", "stopped"]),
  startedAt: v.optional(time),
  finishedAt: v.optional(time),
  images: v.optional(number),
  wanted: v.optional(v.literal(true)),
  due: v.optional(v.object({ count: number, images: v.array(text) })),
  stopped: v.optional(v.object({ ...v.partial(Stop).entries, id: text })),
  confirmed: v.optional(v.object({ id: text, objects: number, until: time })),
} satisfies Fields<SweepState>);

const Webhook = v.object({
  what: v.picklist(["deliver", "event", "forget"]),
  id: text,
  rev: number,
  type: v.picklist(EVENT_TYPES),
  host: maybe,
  sentAt: v.optional(time),
  due: v.optional(time),
} satisfies Fields<FailedWebhook>);
export const Webhooks = v.object({ webhooks: v.array(Webhook), more: v.boolean() });
export const SentAgain = v.object({ sent: number, more: v.boolean() });
export const Replayed = v.object({ looked: number, sent: number, cursor: maybe });

export const Begun = v.object({ key: text, uploadId: text, pass: text, bucket: text });
export const Part = v.object({ url: text, expires: number });
export const Parts = v.array(v.object({ PartNumber: number, ETag: text, Size: number }));
export const Completed = v.object({ key: text, bucket: text, location: text });
export const Nothing = v.object({});
