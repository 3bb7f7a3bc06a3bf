/** What a benchmark found: rows for a table, and the figures that must hold, kept as JSON in `bench/results/`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

export type Row = Readonly<Record<string, string | number>>;

/** One promise with what was measured. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  /** Where the true value lies, 95 times in 100. */
  readonly within?: readonly [least: number, most: number];
  readonly unit?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Report {
  readonly title: string;
  /** What was measured on, for readers: pictures, sizes, number of runs. */
  readonly on: string;
  readonly rows: readonly Row[];
  readonly figures?: readonly Figure[];
}

export interface StoredReport extends Report {
  readonly date: string;
  readonly machine: string;
}

const results = new URL("results/", import.meta.url);

export type Verdict = "holds" | "does not hold" | "too few runs to tell";

export function verdictOn({ value, within, atMost, atLeast }: Figure): Verdict {
  const keeps = (one: number) =>
    one <= (atMost ?? Number.POSITIVE_INFINITY) && one >= (atLeast ?? Number.NEGATIVE_INFINITY);
  const ends = (within ?? [value]).map(keeps);
  if (ends.every(Boolean)) return "holds";
  return ends.some(Boolean) || (within && keeps(value)) ? "too few runs to tell" : "does not hold";
}

/** @param sharp its version, and of its libvips */
export function save(name: string, report: Report, sharp: string): void {
  mkdirSync(results, { recursive: true });
  // Ratios travel between machines, milliseconds do not.
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${process.platform} ${process.arch}, Node ${process.versions.node}, ${sharp}`;
  const stored: StoredReport = { date: new Date().toISOString().slice(0, 10), machine, ...report };
  writeFileSync(new URL(`${name}.json`, results), `${JSON.stringify(stored, undefined, 1)}\n`);
}

export function load(name: string): StoredReport {
  return JSON.parse(readFileSync(new URL(`${name}.json`, results), "utf8"));
}

export function print(report: Report): void {
  console.log(`\n${report.title}\n${report.on}`);
  console.table(report.rows);
  for (const figure of report.figures ?? []) console.log(`${verdictOn(figure)}: ${describe(figure)}`);
}

export function describe({ what, value, within, unit = "", atMost, atLeast }: Figure): string {
  const limit = [
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
  ].join(", ");
  const between = within ? `, ${within[0]} to ${within[1]}` : "";
  return `${what}: ${value}${between}${unit && ` ${unit}`}${limit && ` (${limit})`}`;
}

export const round = (value: number, digits = 0): number => Number(value.toFixed(digits));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/**
 * Where the median lies 95 times in 100, by order statistics: whatever the values scatter like (David and Nagaraja,
 * Order Statistics, 7.1). Everywhere, where there are fewer than six.
 */
export function medianWithin(values: readonly number[]): [least: number, most: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let [at, term] = [0, 0.5 ** n];
  // As long as at most 2.5 % of all samples have so many values or fewer below the median.
  for (let below = term; below <= 0.025 && at < n >> 1; below += term) {
    at++;
    term *= (n - at + 1) / at;
  }
  return [sorted[at - 1] ?? Number.NEGATIVE_INFINITY, sorted[n - at] ?? Number.POSITIVE_INFINITY];
}

/** The geometric mean, as ratios want it. */
export const mean = (ratios: readonly number[]): number =>
  Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
