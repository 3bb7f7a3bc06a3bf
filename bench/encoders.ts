/**
 * Bytes and CPU of encoder settings at equal quality: where the profiles in `core/formats.ts` come from. Each setting
 * is compared, picture by picture, with sharp's default of its format; its bytes are those it would take at that
 * one's score, by two qualities around it.
 */
import sharp from "sharp";
import { type EncodeSettings, formats, type OutputFormat, profiles } from "../core/formats.ts";
import { type Picture, ssimulacra2 } from "../pixels/ssimulacra2.ts";
import { open, photo, photoNames, photoSource, resized, rgb } from "./photos.ts";
import { type Figure, mean, type Report, round } from "./report.ts";

const WIDTH = 960;

/** sharp's defaults, as tutorials use them. JPEG as they recommend it. */
export const defaults = {
  avif: { quality: 50, effort: 4, chromaSubsampling: "4:4:4" },
  webp: { quality: 80, effort: 4 },
  jpeg: { quality: 80, mozjpeg: true },
} as const satisfies Partial<Record<OutputFormat, EncodeSettings>>;
export type Lossy = keyof typeof defaults;
export const lossy = Object.keys(defaults) as Lossy[];

/** What sharp passes to the encoders besides, which no profile asks for. */
interface Tried extends EncodeSettings {
  readonly tune?: "ssim" | "psnr";
  readonly smartDeblock?: true;
  readonly overshootDeringing?: true;
}
const avif = (effort: number, quality: number, chromaSubsampling: string, bitdepth: 8 | 10) => ({
  effort,
  quality,
  chromaSubsampling,
  bitdepth,
});
const scans = { progressive: true, quantisationTable: 3 } as const;
const candidates: Record<Lossy, Tried[]> = {
  avif: [
    ...[0, 1, 2, 3, 4].map((effort) => avif(effort, 54, "4:2:0", 8)),
    ...[1, 2, 3].map((effort) => avif(effort, 53, "4:2:0", 10)),
    avif(3, 50, "4:4:4", 8),
    { ...avif(2, 54, "4:2:0", 8), tune: "ssim" },
    { ...avif(2, 54, "4:2:0", 8), tune: "psnr" },
  ],
  webp: [
    ...[0, 1, 2, 3, 5, 6].map((effort) => ({ effort, quality: 80 })),
    ...[2, 4].map((effort) => ({ effort, quality: 80, preset: "photo" as const })),
    { effort: 4, quality: 80, smartSubsample: true },
    { effort: 4, quality: 80, smartDeblock: true },
  ],
  jpeg: [
    { quality: 80 },
    { quality: 78, progressive: true },
    { quality: 78, ...scans },
    { quality: 78, ...scans, optimiseScans: true },
    { quality: 77, ...scans, quantisationTable: 2, optimiseScans: true },
    { quality: 76, ...scans, quantisationTable: 5 },
    { quality: 76, ...scans, quantisationTable: 5, optimiseScans: true },
    { quality: 78, ...scans, optimiseScans: true, trellisQuantisation: true },
    { quality: 78, ...scans, optimiseScans: true, overshootDeringing: true },
  ],
};

export async function encoders(): Promise<Report> {
  sharp.concurrency(1);
  const measured = new Map<string, { format: Lossy; at: Measured[] }>();
  for (const name of photoNames) {
    const reference = await resized(await photo(name), WIDTH);
    for (const format of lossy) {
      const wanted = await encode(reference, format, defaults[format]);
      for (const settings of [defaults[format], ...candidates[format]]) {
        const key = nameOf(format, settings);
        const row = measured.get(key) ?? { format, at: [] as Measured[] };
        row.at.push(await compare(reference, format, settings, wanted));
        measured.set(key, row);
      }
    }
  }
  const rows = [...measured].map(([setting, { format, at }]) => ({
    format,
    setting: setting.slice(format.length + 1),
    profile: profiles
      .filter((profile) => nameOf(format, formats[format].encode[profile]) === setting)
      .join(", "),
    score: round(at.reduce((sum, { score }) => sum + score, 0) / at.length, 1),
    "bytes at equal score": round(mean(at.map(({ bytes }) => bytes)), 3),
    CPU: round(mean(at.map(({ cpu }) => cpu)), 3),
  }));
  return {
    title: "Encoder settings: bytes at equal SSIMULACRA2, and CPU, in proportion to sharp's defaults",
    on: `${photoSource}, ${WIDTH} px wide; geometric means. Score: mean SSIMULACRA2 at this very setting.`,
    rows,
    figures: scoresKept(rows),
  };
}

/** A profile's quality is a target: no more than two points of SSIMULACRA2 from the default it stands in for. */
function scoresKept(rows: readonly { format: string; profile: string; score: number }[]): Figure[] {
  return lossy.flatMap((format) => {
    const own = rows.filter((row) => row.format === format);
    const target = own[0]?.score ?? Number.NaN;
    return own
      .filter(({ profile }) => profile !== "")
      .map(({ profile, score }) => ({
        what: `${format} ${profile}: points of SSIMULACRA2 below the default's ${target}`,
        value: round(target - score, 1),
        atMost: 2,
      }));
  });
}

interface Measured {
  /** In proportion to the default's. */
  readonly bytes: number;
  readonly cpu: number;
  readonly score: number;
}

async function compare(
  reference: Picture,
  format: Lossy,
  settings: EncodeSettings,
  wanted: Encoded,
): Promise<Measured> {
  const here = await encode(reference, format, settings);
  const quality = settings.quality + (here.score < wanted.score ? 6 : -6);
  const there = await encode(reference, format, { ...settings, quality });
  return {
    bytes: bytesAt(wanted.score, here, there) / wanted.bytes,
    cpu: here.cpuMs / wanted.cpuMs,
    score: here.score,
  };
}

/** The bytes at which two encodes of a picture would reach a score: between two points their logarithm is linear. */
export function bytesAt(
  score: number,
  a: { bytes: number; score: number },
  b: { bytes: number; score: number },
): number {
  const slope = (Math.log(b.bytes) - Math.log(a.bytes)) / (b.score - a.score);
  return a.bytes * Math.exp(slope * (score - a.score));
}

interface Encoded {
  readonly bytes: number;
  readonly cpuMs: number;
  readonly score: number;
}

export async function encode(reference: Picture, format: Lossy, settings: EncodeSettings): Promise<Encoded> {
  const before = process.cpuUsage();
  const file = await open(reference)
    .toFormat(format, { ...settings })
    .toBuffer();
  const { user, system } = process.cpuUsage(before);
  return {
    bytes: file.length,
    cpuMs: (user + system) / 1000,
    score: ssimulacra2(reference, await rgb(sharp(file))),
  };
}

/** `effort 3, 4:2:0, 10 bit, quality 52`, whatever order it was written in. */
function nameOf(format: string, settings: Tried | undefined): string {
  const { effort, chromaSubsampling, bitdepth = 8, quality, ...rest }: Partial<Tried> = settings ?? {};
  const parts = [
    ...(effort === undefined ? [] : [`effort ${effort}`]),
    ...(chromaSubsampling ? [chromaSubsampling] : []),
    ...(format === "avif" ? [`${bitdepth} bit`] : []),
    ...(rest.mozjpeg ? ["mozjpeg"] : []),
    ...(rest.quantisationTable ? [`quantisation table ${rest.quantisationTable}`] : []),
    ...(rest.optimiseScans ? ["optimised scans"] : rest.progressive ? ["progressive"] : []),
    ...(rest.tune ? [`tune ${rest.tune}`] : []),
    ...(rest.preset ? [`preset ${rest.preset}`] : []),
    ...(rest.smartSubsample ? ["SharpYUV"] : []),
    ...(rest.smartDeblock ? ["smart deblocking"] : []),
    ...(rest.trellisQuantisation ? ["trellis"] : []),
    ...(rest.overshootDeringing ? ["deringing"] : []),
    `quality ${quality}`,
  ];
  return `${format} ${parts.join(", ")}`;
}
