/** What a benchmark found: rows for a table, and the figures that must hold, kept as JSON in `bench/results/`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

export type Row = Readonly<Record<string, string | number>>;

/** One promise with what was measured. */
export interface Figure {
  readonly what: string;
  readonly value: number;
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

export const holds = ({ value, atMost, atLeast }: Figure): boolean =>
  value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY);

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
  for (const figure of report.figures ?? [])
    console.log(`${holds(figure) ? "  ok " : "OVER "} ${describe(figure)}`);
}

export function describe({ what, value, unit = "", atMost, atLeast }: Figure): string {
  const limit = [
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
  ].join(", ");
  return `${what}: ${value}${unit && ` ${unit}`}${limit && ` (${limit})`}`;
}

export const round = (value: number, digits = 0): number => Number(value.toFixed(digits));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** The geometric mean, as ratios want it. */
export const mean = (ratios: readonly number[]): number =>
  Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
