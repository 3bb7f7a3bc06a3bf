/** Bytes against quality: what each profile pays for a score, over the whole range of qualities. */
import sharp from "sharp";
import { type EncodeSettings, formats, profiles } from "../core/formats.ts";
import { defaults, encode, lossy } from "./encoders.ts";
import { photo, photoSource, resized } from "./photos.ts";
import { mean, type Report, type Row, round } from "./report.ts";

const WIDTH = 640;
const QUALITIES = [35, 45, 55, 65, 75, 85];
const photos = ["rug", "street"] as const;

export async function curves(): Promise<Report> {
  sharp.concurrency(1);
  const references = await Promise.all(photos.map(async (name) => resized(await photo(name), WIDTH)));
  const rows: Row[] = [];
  for (const format of lossy) {
    const settings: [string, EncodeSettings][] = [
      ...profiles.map((profile): [string, EncodeSettings] => [profile, formats[format].encode[profile]]),
      ["sharp's default", defaults[format]],
    ];
    for (const [setting, own] of settings) {
      for (const quality of QUALITIES) {
        const made = [];
        for (const reference of references) made.push(await encode(reference, format, { ...own, quality }));
        const score = made.reduce((sum, one) => sum + one.score, 0) / made.length;
        rows.push({
          format,
          setting,
          quality,
          score: round(score, 1),
          bytes: round(mean(made.map(({ bytes }) => bytes))),
        });
      }
    }
  }
  return {
    title: "Bytes against quality",
    on: `${photoSource}, two of them, ${WIDTH} px wide; mean scores, geometric means of bytes.`,
    rows,
  };
}
