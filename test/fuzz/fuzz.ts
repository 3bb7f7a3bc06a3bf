/** Damaged files through the real pixel process, as many lanes at a time as there are CPUs. */
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { children, peakMb } from "../../bench/peak.ts";
import { DarkroomError } from "../../core/errors.ts";
import { detectFormat } from "../../core/formats.ts";
import { gate, planOf, variantsOf } from "../../core/plan.ts";
import type { Pixels } from "../../core/ports.ts";
import { pixelProcess } from "../../pixels/process.ts";
import { presetOf } from "../pixels/develop-with.ts";
import { seeded } from "../simulation/random.ts";
import { mutated, type Seed } from "./mutate.ts";

/** Larger ones would be most of the time and are damaged in no other way. */
const MOST_BYTES = 60_000;
const HEADER_SECONDS = 10;
const DEVELOP_SECONDS = 20;
/** How often memory is looked at, in files of all lanes. */
const WATCH_EVERY = 200;

/** The images of the repository, and of the corpus where that is. */
export const folders = ["../images", "../../../shared/corpus"].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);

/** @param only of this format */
export function seedsIn(folders: readonly string[], only?: string): Seed[] {
  return folders
    .flatMap((folder) => globSync(`${folder}/**/*.{jpg,jpeg,png,gif,webp,avif,heic}`))
    .sort()
    .flatMap((name): Seed[] => {
      const bytes = readFileSync(name);
      const format = detectFormat(bytes.subarray(0, 4096));
      const isWanted = format && bytes.length <= MOST_BYTES && (only ?? format) === format;
      return isWanted ? [{ name, format, bytes }] : [];
    });
}

const preset = presetOf({
  ladder: { widths: [32], formats: ["webp", "jpeg"] },
  profile: "fast",
  hdr: true,
  animation: { maxFrames: 20, maxPixels: 2_000_000 },
});

export interface Fuzzed {
  /** How many ended how: `ready`, a code, or an error of ours. */
  readonly ends: ReadonlyMap<string, number>;
  /** Resident memory of a pixel process at its highest, in MB. */
  readonly peak: number;
}

/**
 * The same seed makes the same files.
 * @param found gets what is no verdict on a file: it crashed the child, made it hang, or broke what is ours
 */
export async function fuzz(
  seeds: readonly Seed[],
  { count, seed }: { readonly count: number; readonly seed: number },
  found: (what: { i: number; seed: Seed; bytes: Buffer; end: string }) => void,
  done: (files: number, peak: number) => void = () => {},
): Promise<Fuzzed> {
  const ends = new Map<string, number>();
  const groups = Map.groupBy(seeds, ({ format }) => format);
  let peak = 0;
  let next = 0;

  async function lane(): Promise<void> {
    let gone = 0;
    const pixels = pixelProcess({
      headerSeconds: HEADER_SECONDS,
      developSeconds: DEVELOP_SECONDS,
      log: () => gone++,
    });
    for (let i = next++; i < count; i = next++) {
      const random = seeded(seed * 1_000_003 + i);
      const from = seeds[random.below(seeds.length)];
      if (!from) break;
      const bytes = mutated(random, from, groups.get(from.format) ?? []);
      const end = await endOf(pixels, bytes);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (gone > 0 || /timeout|crashed|not-encoded|Error/.test(end)) found({ i, seed: from, bytes, end });
      gone = 0;
      if ((i + 1) % WATCH_EVERY > 0) continue;
      for (const pid of children()) peak = Math.max(peak, peakMb(pid));
      done(i + 1, peak);
    }
    await pixels.close();
  }

  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return { ends, peak };
}

async function endOf(pixels: Pixels, bytes: Buffer): Promise<string> {
  try {
    const format = detectFormat(bytes.subarray(0, 4096));
    if (!format || !preset.accept.includes(format)) return "unsupported-format";
    await pixels.develop(
      bytes,
      format,
      async (header) => {
        gate(header, preset);
        return planOf(header, variantsOf(header, preset));
      },
      async () => {},
    );
    return "ready";
  } catch (error) {
    return error instanceof DarkroomError ? error.code : String(error);
  }
}
