/**
 * `reprocess --canary`: a share of the images is developed here, by this project's presets, beside what is shown; both are
 * compared, and nobody else has seen any of it before all of them are made so.
 */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { memoryStore } from "../adapters/memory/memory-store.ts";
import config from "../adapters/presets.ts";
import type { Image, Variant } from "../client/image.ts";
import type { Original } from "../client/upload.ts";
import { readBytes } from "../core/commit.ts";
import type { Shown } from "../core/edit.ts";
import { formatNames } from "../core/formats.ts";
import { judge } from "../core/image/judge.ts";
import { PUBLIC } from "../core/keys.ts";
import type { Pixels } from "../core/ports.ts";
import { type Preset, presetOf } from "../core/preset.ts";
import { pixelProcess } from "../pixels/process.ts";
import { type Picture, ssimulacra2 } from "../pixels/ssimulacra2.ts";
import { type Api, all } from "./api.ts";
import { type Pair, pageOf, type Side } from "./canary-page.ts";
import { CliError, messageOf } from "./exit.ts";
import { counted, bytes as inWords, note, table } from "./terminal.ts";

interface Looked {
  readonly pairs: readonly Pair[];
  /** What is shown and would not be any more, and the other way round. */
  readonly gone?: readonly Variant[];
  readonly more?: readonly Variant[];
  /** Why it cannot be developed any more. */
  readonly failure?: string;
}

/** Of the rungs the one that is nearest to this is scored, in pixels of width: a score takes a second a megapixel. */
const SCORED_WIDTH = 960;

/** Always the same ones: two canaries can be compared. */
const isOfShare = (id: string, share: number): boolean =>
  createHash("sha256").update(id).digest().readUInt32BE() < share * 2 ** 32;

/**
 * Tells what would differ, and writes a page with pairs into `folder`, where there must be none yet.
 * @param query of the images, as `GET /admin/images` takes it; not asked where `ids` are named
 * @returns whether every image of the share could be developed
 */
export async function canary(
  api: Api,
  { ids, query, share, folder }: { ids: readonly string[]; query: string; share: number; folder: string },
  tell: (text: string) => void,
): Promise<boolean> {
  await mkdir(folder).catch((error: unknown) => {
    throw new CliError(`${messageOf(error)}. Name another --canary-to.`);
  });
  const pixels = pixelProcess({ accept: formatNames });
  const looks: Looked[] = [];
  const failures: string[] = [];
  try {
    for await (const id of ids.length > 0 ? ids : found(api, query)) {
      if (!isOfShare(id, share)) continue;
      const image = await api.call<Image | { status: string }>("GET", `/images/${encodeURIComponent(id)}`);
      if (!isReady(image)) continue;
      const looked = await look(api, pixels, image, folder);
      looks.push(looked);
      if (looked.failure !== undefined) failures.push(`${id}: ${looked.failure}`);
      note(`${id}  ${looked.failure ?? `${counted(looked.pairs.length, "variant")} made otherwise`}`);
    }
  } finally {
    await pixels.close();
  }
  if (looks.length === 0)
    throw new CliError(
      "None of these images is ready and in that share: a larger one, or other images. What --status stale finds is by the presets that are deployed.",
    );
  tell(said(looks, failures));
  await writeFile(join(folder, "index.html"), pageOf(looks.flatMap(({ pairs }) => pairs)));
  note(`Side by side: ${join(folder, "index.html")}`);
  return failures.length === 0;
}

const isReady = (image: Image | { status: string }): image is Image => image.status === "ready";

async function* found(api: Api, query: string): AsyncGenerator<string> {
  for await (const { id } of all<{ id: string }>(api, `/admin/images?${query}&limit=100`, "images")) yield id;
}

async function look(api: Api, pixels: Pixels, image: Image, folder: string): Promise<Looked> {
  const { id, variants: shown } = image;
  const preset = presetOf(config, image.preset ?? config.defaultPreset);
  if (!preset) return { pairs: [], failure: `there is no preset ${image.preset} here` };
  const { url } = await api.call<Original>("GET", `/images/${encodeURIComponent(id)}/original`);
  const original = await fetched(url);
  const made = await develop(pixels, id, original, preset, image.edit);
  if (made.error) return { pairs: [], failure: made.error.code };
  const before = new Map(shown.map((variant) => [nameOf(variant), variant]));
  const gone = shown.filter((was) => made.variants.every((one) => nameOf(one) !== nameOf(was)));
  const more = made.variants.filter((after) => !before.has(nameOf(after)));
  const changed = made.variants.flatMap((after) => {
    const was = before.get(nameOf(after));
    return was && fileOf(was.url) !== fileOf(after.url) ? [{ was, after }] : [];
  });
  const rung = rungNear(changed.map(({ after }) => after));
  const reference = rung && (await referenceOf(pixels, id, original, preset, image.edit, rung.width));
  const pairs: Pair[] = [];
  for (const { was, after } of changed) {
    const { name, format } = after;
    const pair = { id, preset: preset.name, name, format };
    const sizes = { before: { bytes: was.bytes }, after: { bytes: after.bytes } };
    const isScored = name === rung?.name && reference?.width === was.width && reference.height === was.height;
    if (!isScored || after.frames || was.frames) pairs.push({ ...pair, ...sizes });
    else {
      const sides = { before: await fetched(was.url), after: await made.read(after) };
      pairs.push({ ...pair, ...(await compared(folder, `${id}.${name}`, format, sides, reference)) });
    }
  }
  return { pairs, gone, more };
}

const nameOf = ({ name, format }: Variant) => `${name}.${format}`;

/** As the worker would, from the first variant to the last, into memory. */
async function develop(
  pixels: Pixels,
  id: string,
  original: Buffer,
  preset: Preset,
  edit: Shown | undefined,
) {
  const now = () => new Date();
  const media = memoryStore({ now });
  async function* body() {
    yield original;
  }
  const head = { etag: "", size: original.length, lastModified: now(), metadata: {} };
  const { variants = [], error } = await judge(
    {
      media,
      pixels,
      config: { defaultPreset: preset.name, presets: new Map([[preset.name, preset]]) },
      mediaUrl: "",
    },
    id,
    {
      original: { ...head, type: undefined, cacheControl: undefined, body: body() },
      upload: {},
      edit,
      presetName: preset.name,
      current: undefined,
      home: PUBLIC,
      force: true,
      mayDefer: false,
      receives: 1,
    },
  );
  const read = async ({ url }: Pick<Variant, "url">) => {
    const stored = await media.get(url.slice(1));
    return stored ? readBytes(stored.body) : Buffer.alloc(0);
  };
  return { variants, error, read };
}

/** The same rung without a loss. */
async function referenceOf(
  pixels: Pixels,
  id: string,
  original: Buffer,
  { ladder, ...preset }: Preset,
  edit: Shown | undefined,
  width: number,
): Promise<Picture | undefined> {
  if (!ladder) return undefined;
  const lossless = { ...preset, named: {}, ladder: { widths: [width], formats: ["png" as const] } };
  const made = await develop(pixels, id, original, lossless, edit);
  const [variant] = made.variants;
  return variant && pictureOf(await made.read(variant));
}

async function compared(
  folder: string,
  name: string,
  format: string,
  sides: { readonly before: Buffer; readonly after: Buffer },
  reference: Picture,
): Promise<Pick<Pair, "before" | "after">> {
  const side = async (which: "before" | "after"): Promise<Side> => {
    const file = `${name}.${which}.${format}`;
    await writeFile(join(folder, file), sides[which]);
    return { bytes: sides[which].length, score: ssimulacra2(reference, await pictureOf(sides[which])), file };
  };
  return { before: await side("before"), after: await side("after") };
}

/** Transparent parts on white, as most pages have it. */
async function pictureOf(file: Buffer): Promise<Picture> {
  const pixels = sharp(file).flatten({ background: "#ffffff" }).toColourspace("srgb").removeAlpha().raw();
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

const rungNear = (variants: readonly Variant[]) =>
  variants
    .filter(({ name }) => /^w\d+$/.test(name))
    .sort((a, b) => Math.abs(a.width - SCORED_WIDTH) - Math.abs(b.width - SCORED_WIDTH))[0];

const fileOf = (url: string) => url.replace(/\?.*/, "").split("/").at(-1);

async function fetched(url: string): Promise<Buffer> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new CliError(`${new URL(url).host} cannot be reached: ${messageOf(error)}`);
  });
  if (!response.ok) throw new CliError(`${new URL(url).host} does not hand out a file (${response.status}).`);
  return Buffer.from(await response.arrayBuffer());
}

function said(looks: readonly Looked[], failures: readonly string[]): string {
  const pairs = looks.flatMap((look) => look.pairs);
  const groups = Map.groupBy(pairs, ({ preset, format }) => `${preset} ${format}`);
  const rows = [...groups].map(([what, group]) => {
    const sum = (which: "before" | "after") => group.reduce((all, pair) => all + pair[which].bytes, 0);
    const scores = (which: "before" | "after") => {
      const sorted = group.flatMap((pair) => pair[which].score ?? []).sort((a, b) => a - b);
      const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(1) ?? "–";
      return `${at(0)} / ${at(0.1)} / ${at(0.5)}`;
    };
    const [was, is] = [sum("before"), sum("after")];
    const change = `${is > was ? "+" : ""}${(100 * (is / was - 1)).toFixed(1)} %`;
    return [what, `${group.length}`, inWords(was), inWords(is), change, scores("before"), scores("after")];
  });
  const changed = looks.filter((look) => look.pairs.length || look.gone?.length || look.more?.length).length;
  const others = (["gone", "more"] as const).map((which) => looks.flatMap((look) => look[which] ?? []));
  const [gone, more] = others.map(
    (all) => `${all.length} (${inWords(all.reduce((sum, { bytes }) => sum + bytes, 0))})`,
  );
  const head = ["", "variants", "bytes", "would be", "change", "score: least / p10 / median", "would be"];
  return [
    `${counted(looks.length, "image")} developed here: ${changed} differ, ${failures.length} cannot be made.`,
    ...(rows.length > 0 ? [table(head, rows)] : []),
    ...(others.some((all) => all.length > 0) ? [`Variants not made any more: ${gone}; new: ${more}.`] : []),
    ...failures.map((failure) => `  ${failure}`),
  ].join("\n");
}
