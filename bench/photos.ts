/**
 * The photographs that benchmarks develop: four from the corpus beside the repository where there is one (they may
 * not be copied into it), else the rendered picture of the README, enlarged under seeded noise.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp, { type Sharp } from "sharp";
import { readHeic } from "../pixels/decoders/heic.ts";
import type { Picture } from "../pixels/ssimulacra2.ts";

const corpus = fileURLToPath(new URL("../../shared/corpus/valid/heic/", import.meta.url));
const sample = fileURLToPath(new URL("../docs/sample.jpg", import.meta.url));

/** A sign in the sun, a book on a rug (fine texture), a street at low light, two koi (enlarged to 48 MP). */
const inCorpus = { sign: "iphone-grid", rug: "12mp", street: "10mp", koi: "48mp" } as const;
export type PhotoName = keyof typeof inCorpus;
export const photoNames = Object.keys(inCorpus) as PhotoName[];

/** What the photographs are, for reports. */
export const photoSource = existsSync(corpus)
  ? "four photographs of the corpus (two by phones, 10 to 48 MP)"
  : "the rendered docs/sample.jpg, enlarged under noise: no corpus here";

/** Folders of `quality`, `page` and `written` with no photographs: `colours` and `pages` are rendered, `drawings` what projects publish of themselves. */
export const NO_PHOTOS: readonly string[] = ["graphics", "text", "colours", "alpha", "pages", "drawings"];

export async function photo(name: PhotoName): Promise<Picture> {
  const file = `${corpus}${inCorpus[name]}.heic`;
  if (!existsSync(file)) return enlargedSample();
  const heic = readHeic(readFileSync(file));
  const { width, height } = heic;
  return rgb(sharp(heic.decode().data, { raw: { width, height, channels: heic.alpha ? 4 : 3 } }));
}

/** Resized to a width with sharp's own kernel: the lossless reference of every comparison. */
export function resized(picture: Picture, width: number): Promise<Picture> {
  return rgb(open(picture).resize(width));
}

export async function rgb(image: Sharp): Promise<Picture> {
  const { data, info } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

export const open = ({ data, width, height }: Picture) =>
  sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });

export type Kind = "baseline JPEG" | "progressive JPEG" | "PNG" | "16-bit interlaced PNG";

/** A file as cameras and programs write it, with so many megapixels at most. */
export async function fileOf(picture: Picture, megapixels: number, kind: Kind): Promise<Buffer> {
  const scale = Math.min(1, Math.sqrt((megapixels * 1e6) / (picture.width * picture.height)));
  const image = open(picture).resize(Math.round(picture.width * scale));
  switch (kind) {
    case "baseline JPEG":
      return image.jpeg({ quality: 92 }).toBuffer();
    case "progressive JPEG":
      return image.jpeg({ quality: 92, progressive: true }).toBuffer();
    case "PNG":
      return image.png({ compressionLevel: 3 }).toBuffer();
    case "16-bit interlaced PNG":
      return image
        .toColourspace("rgb16")
        .png({ compressionLevel: 6, adaptiveFiltering: true, progressive: true })
        .toBuffer();
  }
}

async function enlargedSample(): Promise<Picture> {
  const large = await rgb(sharp(sample).resize(8000, 6000, { fit: "cover" }));
  const data = Uint8Array.from(large.data);
  // Enlarged pixels alone would be smoother than any photograph. xorshift32, so that every run has the same.
  for (let i = 0, seed = 1; i < data.length; i++) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    data[i] = Math.min(255, Math.max(0, (data[i] ?? 0) + (seed % 7)));
  }
  return { ...large, data };
}
