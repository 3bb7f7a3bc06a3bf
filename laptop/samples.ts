/** The images that sample events speak of, made as each event needs to find them (`events/originals/originals.json`). */
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { attentionOf } from "../core/attention.ts";
import { keepHeld } from "../core/image/held.ts";
import { sameSelectionKey } from "../core/job/job.ts";
import type { Order } from "../core/job/job-records.ts";
import { JOBS } from "../core/job-keys.ts";
import {
  ATTENTION,
  attachKey,
  attentionKey,
  countKey,
  countPrefix,
  editKey,
  heldKey,
  heldPrefix,
  imagePrefix,
  metaKey,
  originalKey,
  ownerKey,
  ownerPrefix,
  parseCountKey,
  STOPPED_KEY,
  SWEEP_KEY,
} from "../core/keys.ts";
import type { Metadata } from "../core/metadata.ts";
import type { ObjectStore, StoredHead } from "../core/ports.ts";
import config from "../core/shipped.ts";
import { type Cursor, NOTHING } from "../core/sweep/sweep-cursor.ts";
import { type Agreement, partSizeOf } from "../core/upload/multipart.ts";
import { writeUploadMetadata } from "../core/upload-metadata.ts";
import { ready, type Sample, states, thumbKey, UPLOADED_AT } from "./sample-states.ts";

const FOLDER = new URL("../events/originals/", import.meta.url);

export const samples: Readonly<Record<string, Sample>> = JSON.parse(
  readFileSync(new URL("originals.json", FOLDER), "utf8"),
);

export interface SampleWorld {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly uploads: ObjectStore;
  readonly media: ObjectStore;
  /** Of the running stack: from where samples import. */
  readonly page?: string;
  /** Whether somebody else consumes the queue that a new original is announced on. */
  readonly consumed: boolean;
  readonly notice?: (text: string) => void;
}

/** The samples an event speaks of, by id, by its token's owner or by a job. */
export function samplesIn(event: unknown): string[] {
  const plans = jobsIn(event).map((job) => sampleJobs[job]?.objects["job.json"]);
  const text = JSON.stringify([event, plans]);
  return Object.entries(samples)
    .filter(([id, { meantBy }]) => text.includes(id) || (meantBy && text.includes(`\${${meantBy}}`)))
    .map(([id]) => id);
}

/**
 * Brings every sample of the event into its state. Afterwards nobody else works on it.
 * @returns S3's upload ids by sample, of those that are or were uploaded in parts
 */
export async function seedSamples(event: unknown, world: SampleWorld): Promise<ReadonlyMap<string, string>> {
  const uploadIds = new Map<string, string>();
  const seedOne = async (id: string) => {
    const sample = samples[id];
    if (!sample) return;
    await seed(id, sample, world);
    const uploadId = await seedParts(id, sample, world);
    if (uploadId) uploadIds.set(id, uploadId);
  };
  await Promise.all([
    ...samplesIn(event).map(seedOne),
    ...jobsIn(event).map((job) => seedJob(job, world)),
    ...(JSON.stringify(event).includes(SAMPLE_STOP.id) ? [seedStop(world)] : []),
  ]);
  return uploadIds;
}

/** A job as an event needs to find it. */
interface SampleJob {
  /** By what follows `jobs/{jobId}/` in their keys; text as it is, all else as JSON. */
  readonly objects: Readonly<Record<string, unknown>> & { readonly "job.json": Order };
  /** Was the last one started with its selection. */
  readonly latest?: true;
}

const sampleJobs: Readonly<Record<string, SampleJob>> = JSON.parse(
  readFileSync(new URL("jobs.json", FOLDER), "utf8"),
);

function jobsIn(event: unknown): string[] {
  const text = JSON.stringify(event) ?? "";
  // A job that is running is found by its selection.
  return Object.entries(sampleJobs)
    .filter(([job, { latest, objects }]) => {
      const [id] = latest ? (objects["job.json"].select.ids ?? []) : [];
      return text.includes(job) || (id !== undefined && text.includes(id));
    })
    .map(([job]) => job);
}

async function seedJob(job: string, { uploads, page = "" }: SampleWorld): Promise<void> {
  const sample = sampleJobs[job];
  if (!sample) return;
  const prefix = `${JOBS}${job}/`;
  for (const { key } of (await uploads.list(prefix)).objects) await uploads.delete(key);
  for (const [name, value] of Object.entries(sample.objects))
    await uploads.put(
      prefix + name,
      typeof value === "string" ? value : JSON.stringify(value).replaceAll("${page}", page),
    );
  const { select, force } = sample.objects["job.json"];
  if (sample.latest) await uploads.put(sameSelectionKey(config, select, force), job);
}

async function seed(id: string, sample: Sample, world: SampleWorld): Promise<void> {
  const { uploads, media } = world;
  const { original, document, indexed, left } = states[sample.state];
  const file = readFileSync(new URL(sample.file, FOLDER));
  // First, as a tombstone has every original removed that appears beside it.
  await clear(id, sample, world);
  const found = await uploads.head(originalKey(id));
  let etag = found?.etag ?? "";
  if (!original && found) await uploads.delete(originalKey(id));
  if (original && !isAsWanted(found, sample, file)) {
    etag = await upload(id, sample, file, world);
    if (world.consumed) {
      await untilDeveloped(id, world);
      // Whoever is over his quota has lost the original by now, and the verdict is all there is to see.
      if (sample.maxImages === 0) return;
      await clear(id, sample, world);
    }
  }
  await seedAttach(id, sample, world);
  await uploads.delete(editKey(id));
  if (sample.edit)
    await uploads.put(editKey(id), JSON.stringify({ schema: 1, at: UPLOADED_AT, ...sample.edit }));
  if (left) await media.put(thumbKey(id), "");
  if (left) await uploads.put(heldKey(id, thumbKey(id)), "");
  if (sample.stray) await uploads.put(SWEEP_KEY, JSON.stringify(cursorWith(id)));
  const written = document?.(id, sample, { etag, bytes: file.length });
  if (written === undefined) return;
  await uploads.put(ownerKey(sample.owner, Date.parse(UPLOADED_AT), id), "");
  // Whoever wrote the document died before this was right.
  const wrong = { owner: sample.owner, uploadedAt: Date.parse(UPLOADED_AT), id, originals: 1, variants: 1 };
  await uploads.put(countKey(wrong), "");
  if (typeof written !== "string") {
    for (const { key, type, bytes } of written.variants) await media.put(key, Buffer.alloc(bytes), { type });
    for (const { key } of [...written.superseded, ...written.deleting]) await media.put(key, "");
    if (written.status === "held")
      await seedHeld(written, ready(id, sample, { etag, bytes: file.length }), world);
    const entry = indexed === false ? undefined : attentionOf(written);
    if (entry) await uploads.put(attentionKey(entry.status, id), JSON.stringify(entry));
  }
  const text = typeof written === "string" ? written : JSON.stringify(written);
  await media.put(metaKey(id), text, { type: "application/json" });
}

/** What the sweep has stopped itself at, in events that name its id. */
const SAMPLE_STOP = {
  id: "w0b3x5ne9tkd4r7yc2vqmg86zh",
  at: UPLOADED_AT,
  why: "too-much",
  seen: 1000,
  objects: 102,
  images: [],
};

async function seedStop({ uploads }: SampleWorld): Promise<void> {
  const { finishedAt: _, ...cursor } = cursorWith(SAMPLE_STOP.id);
  await uploads.put(STOPPED_KEY, JSON.stringify(SAMPLE_STOP));
  await uploads.put(SWEEP_KEY, JSON.stringify({ ...cursor, strays: {}, stopped: SAMPLE_STOP.id }));
}

/** Where the sweep stands after a round that has found this. */
export function cursorWith(id: string): Cursor {
  const [startedAt, finishedAt] = [2 * 86_400_000, 86_400_000].map((ago) =>
    new Date(Date.now() - ago).toISOString(),
  );
  return {
    schema: 2,
    writeId: id,
    startedAt: startedAt ?? "",
    finishedAt,
    stage: "deletes",
    images: 1,
    seen: NOTHING,
    ripe: [],
    strays: { [id]: Date.parse(startedAt ?? "") },
    found: {},
    doomed: 0,
    settled: false,
    longest: 0,
  };
}

/** The same picture as today's; an older checkout may have left another. */
function isAsWanted(found: StoredHead | undefined, sample: Sample, file: Buffer): boolean {
  return found?.size === file.length && isDeepStrictEqual(found.metadata, metadataOf(sample));
}

function metadataOf({ sha256, ref, attachWithin, maxImages, ...sample }: Sample): Record<string, string> {
  const { owner, preset, filename } = sample;
  const asked = {
    ...(attachWithin ? { attachWithin } : {}),
    ...(maxImages === undefined ? {} : { maxImages }),
    ...(ref ? { ref } : {}),
  };
  return writeUploadMetadata({ owner, preset, filename, ...(sha256 ? { sha256 } : {}), ...asked });
}

/** What a document that says `held` holds back: that of another, which says `ready`. */
async function seedHeld(
  { id, recipe = "" }: Metadata,
  { source, variants, placeholder }: Metadata,
  { uploads }: SampleWorld,
) {
  for (const { key, type, bytes } of variants)
    await uploads.put(heldKey(id, key), Buffer.alloc(bytes), {
      type,
      cacheControl: "public, max-age=31536000",
    });
  await keepHeld(uploads, id, recipe, {
    etag: source?.etag ?? "",
    variants,
    ...(placeholder && { placeholder }),
  });
}

async function seedAttach(id: string, { attach, attachWithin }: Sample, { uploads }: SampleWorld) {
  await uploads.delete(attachKey(id));
  if (!attach) return;
  const state = attach === "over" ? "wanted" : attach;
  const within = String(attach === "over" ? -3600 : attachWithin);
  await uploads.put(attachKey(id), state === "wanted" ? state : "", { metadata: { state, within } });
}

async function clear(id: string, { owner }: Sample, { uploads, media }: SampleWorld): Promise<void> {
  const { objects } = await media.list(imagePrefix(id));
  for (const { key } of objects) await media.delete(key);
  for (const status of ATTENTION) await uploads.delete(attentionKey(status, id));
  for (const { key } of (await uploads.list(heldPrefix(id))).objects) await uploads.delete(key);
  const owned = await uploads.list(ownerPrefix(owner));
  for (const { key } of owned.objects) if (key.endsWith(id)) await uploads.delete(key);
  const counts = await uploads.list(countPrefix(owner));
  for (const { key } of counts.objects) if (parseCountKey(key)?.id === id) await uploads.delete(key);
}

async function upload(id: string, sample: Sample, Body: Buffer, world: SampleWorld): Promise<string> {
  const { s3, bucket, uploads } = world;
  const { type } = sample;
  const Key = originalKey(id);
  const metadata = metadataOf(sample);
  if (!sample.multipart) return (await uploads.put(Key, Body, { type, metadata })).etag;
  const target = { Bucket: bucket, Key };
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ ...target, ContentType: type, Metadata: metadata }),
  );
  const { ETag: part } = await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part }] };
  const { ETag } = await s3.send(
    new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload }),
  );
  return (ETag ?? "").replaceAll('"', "");
}

/** Of the uploads in parts that an earlier event left open, none stays. */
async function seedParts(id: string, sample: Sample, { s3, bucket }: SampleWorld) {
  const { multipart } = states[sample.state];
  const target = { Bucket: bucket, Key: originalKey(id) };
  const open = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: target.Key }));
  for (const { UploadId } of open.Uploads ?? []) {
    await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
  }
  if (!multipart) return undefined;
  const terms = { ContentType: sample.type, Metadata: metadataOf(sample) };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...target, ...terms }));
  if (multipart === "over") {
    await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
  } else {
    const Body = readFileSync(new URL(sample.file, FOLDER));
    await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body }));
  }
  return UploadId;
}

/** As `POST /uploads` would have agreed on it. */
export function agreementOn(id: string): Agreement {
  const sample = samples[id];
  if (!sample) throw new Error(`There is no sample ${id}.`);
  const { owner, type, size, maxBytes = 25_000_000 } = sample;
  const exact = size === undefined ? {} : { size, partSize: partSizeOf(size) };
  return { key: originalKey(id), owner, type, metadata: metadataOf(sample), maxBytes, ...exact };
}

const PATIENCE_MS = 10_000;

/**
 * A new original is announced to the running stack, which develops it: only then is it the event's alone. It stays,
 * so that this is waited for once.
 */
async function untilDeveloped(id: string, { media, notice }: SampleWorld): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await wait(50)) {
    if (await media.head(metaKey(id))) return;
  }
  notice?.(
    `The stack has not taken the sample ${id} within ${PATIENCE_MS / 1000} s; it may work on it as well.`,
  );
}
