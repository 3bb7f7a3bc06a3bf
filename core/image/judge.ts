/** Reads one original and has it developed: rules 4 and 5 of docs/design.md. What it comes to is a verdict on the file. */
import { createHash } from "node:crypto";
import { variantOptions } from "../commit.ts";
import { editedHeader, type Shown, shownAt } from "../edit.ts";
import { DarkroomError, hasOutcome } from "../errors.ts";
import { estimateOf, type Means, mostBytes, withinMeans } from "../estimate.ts";
import { detectFormat, formats, type OutputFormat } from "../formats.ts";
import { type Home, heldPrefix, imagePrefix } from "../keys.ts";
import { listed } from "../listing.ts";
import type { Metadata, Source, Variant, Verdict } from "../metadata.ts";
import { gate, type Header, keyOf, type Plan, type PlannedVariant, planOf, variantsOf } from "../plan.ts";
import type { ObjectStore, Pixels, StoredObject } from "../ports.ts";
import { type Config, type Preset, presetOf } from "../preset.ts";
import { keptOf, type Rights } from "../rights.ts";
import type { UploadMetadata } from "../upload-metadata.ts";
import type { Place } from "./held.ts";

export interface JudgeDeps {
  readonly media: ObjectStore;
  readonly pixels: Pixels;
  readonly config: Config;
  /** Where the media bucket is served, without a slash at the end. */
  readonly mediaUrl: string;
  /** What the pixel work may take; all it wants where absent. */
  readonly means?: Means;
}

export interface Submission {
  readonly original: StoredObject;
  readonly upload: Partial<UploadMetadata>;
  readonly edit: Shown | undefined;
  readonly presetName: string;
  /** The document that stands now. */
  readonly current: Metadata | undefined;
  /** Where its variants lie. */
  readonly home: Home;
  /** Make variants anew that are there already. */
  readonly force: boolean;
  /** What the preset has for `later` may wait. */
  readonly mayDefer: boolean;
  readonly receives: number;
  /** Where variants go; among those of whatever is shown where absent. */
  readonly held?: Place | undefined;
}

/** What `judge` comes to. */
export type Judgement = Pick<
  Verdict,
  "status" | "source" | "rights" | "placeholder" | "variants" | "pending" | "durationMs" | "error"
>;

/** An answer left unread keeps its connection; fifty of them would stall everybody. */
export async function leaveUnread({ body }: StoredObject): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}

export const sourceOf = ({ size, etag }: StoredObject): Source => ({ bytes: size, etag });

/** Rejections and failures are a verdict; every other error is thrown, for a later try. */
export async function judge(deps: JudgeDeps, id: string, submission: Submission): Promise<Judgement> {
  const { original, upload, edit, current, home } = submission;
  let source = sourceOf(original);
  let rights: Rights | undefined;
  try {
    const preset = presetOf(deps.config, submission.presetName);
    const refusal = refusalOf(original.size, preset, deps.means);
    if (!preset || refusal) {
      await leaveUnread(original);
      throw new DarkroomError(refusal ?? "unknown-preset");
    }
    const bytes = await readOriginal(original);
    const sha256 = createHash("sha256").update(bytes).digest();
    const hash = sha256.toString("hex");
    source = { ...source, sha256: hash };
    if (upload.sha256 && upload.sha256 !== sha256.toString("base64"))
      throw new DarkroomError("checksum-mismatch");
    const format = detectFormat(bytes.subarray(0, 4096));
    if (!format || !preset.accept.includes(format)) throw new DarkroomError("unsupported-format");
    source = { ...source, format, type: formats[format].type };

    const place = submission.held ?? { store: deps.media, at: (key: string) => key };
    const there = submission.force ? new Map<string, number>() : await variantsThere(place, id, submission);
    const variants = new Map<string, Variant>();
    const pending = new Set<OutputFormat>();
    const { placeholder, durationMs } = await deps.pixels.develop(
      bytes,
      format,
      async (header): Promise<Plan> => {
        const { format: _, rights: said, ...seen } = header;
        source = { ...source, ...seen };
        rights = keptOf(said, preset.keep);
        gate(header, preset);
        const shown = editedHeader(header, edit);
        const focus = edit?.focus ?? (upload.focus && shownAt(upload.focus, edit));
        const missing: PlannedVariant[] = [];
        const later = submission.mayDefer ? laterFormats(preset, header) : [];
        for (const variant of variantsOf(shown, preset, focus)) {
          const key = keyOf(id, hash, variant, home);
          if (current?.deleting.some((entry) => entry.key === key)) {
            throw new DarkroomError(
              "unavailable",
              `${key} is being swept away; it is made again after that.`,
            );
          }
          const size = there.get(place.at(key));
          if (size === undefined && later.includes(variant.format)) {
            pending.add(variant.format);
            continue;
          }
          if (size === undefined) missing.push(variant);
          variants.set(key, describe(deps, key, variant, size ?? 0));
        }
        const plan = planOf(shown, missing);
        if (deps.means) withinMeans(estimateOf(plan, bytes.length, Math.ceil(deps.means.vcpus)), deps.means);
        return plan;
      },
      async ({ variant, bytes }) => {
        const key = keyOf(id, hash, variant, home);
        await place.store.put(place.at(key), bytes, variantOptions(formats[variant.format].type, home));
        variants.set(key, describe(deps, key, variant, bytes.length));
        // Should the process die over a later variant, its second try makes only what is not there.
        there.set(place.at(key), bytes.length);
      },
    );
    return {
      status: "ready",
      source,
      rights,
      placeholder,
      variants: [...variants.values()],
      pending: [...pending],
      durationMs,
    };
  } catch (error) {
    if (!hasOutcome(error, "rejected") && !hasOutcome(error, "failed")) throw error;
    const status = error.row.outcome === "rejected" ? "rejected" : "failed";
    return { status, source, error: { code: error.code, message: error.message, ...error.finding } };
  }
}

const laterFormats = ({ later }: Preset, { width, height }: Header): readonly OutputFormat[] =>
  later && width * height > later.aboveMegapixels * 1_000_000 ? later.formats : [];

/** What can be said of an original before it is read. */
function refusalOf(
  size: number,
  preset: Preset | undefined,
  means: Means | undefined,
): "unknown-preset" | "too-large" | "empty" | undefined {
  if (!preset) return "unknown-preset";
  return size > Math.min(preset.maxBytes, means ? mostBytes(means) : Infinity)
    ? "too-large"
    : size === 0
      ? "empty"
      : undefined;
}

async function readOriginal(original: StoredObject): Promise<Buffer> {
  // Filled as they come: chunks and their sum would take the size twice.
  const bytes = Buffer.allocUnsafeSlow(original.size);
  let at = 0;
  for await (const chunk of original.body) {
    bytes.set(chunk.subarray(0, bytes.length - at), at);
    at += chunk.length;
  }
  if (at !== original.size) throw new DarkroomError("unavailable", "The original was cut short on its way.");
  return bytes;
}

/**
 * Sizes, by key, of variants that need not be made again: those the document lists, and those in the bucket that it
 * superseded or that an earlier try left without getting as far as its commit. A key says all that makes its bytes.
 */
async function variantsThere(
  { store }: Place,
  id: string,
  { current, receives, home, held }: Submission,
): Promise<Map<string, number>> {
  if (held) {
    const there = new Map<string, number>();
    // What an earlier judgement has left may be on its way out.
    if (current?.status !== "held") return there;
    for await (const { key, size } of listed(store, heldPrefix(id))) there.set(key, size);
    return there;
  }
  const there = new Map((current?.variants ?? []).map(({ key, bytes }) => [key, bytes]));
  if (receives === 1 && !current?.superseded.length) return there;
  for await (const { key, size } of listed(store, imagePrefix(id, home))) there.set(key, size);
  return there;
}

function describe(
  { mediaUrl }: JudgeDeps,
  key: string,
  { name, format, frames, shape, gainMap, bright }: PlannedVariant,
  bytes: number,
): Variant {
  const { width, height } = shape;
  const animated = frames > 1 ? { frames } : {};
  return {
    name,
    format,
    type: formats[format].type,
    width,
    height,
    bytes,
    ...animated,
    ...((gainMap || bright) && { hdr: true }),
    key,
    url: `${mediaUrl}/${key}`,
  };
}
