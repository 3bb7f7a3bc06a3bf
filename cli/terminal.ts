/** What the commands print: results on standard output, everything else on standard error; colours on a terminal. */
import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Coloured where that stream takes colours: a terminal without NO_COLOR, or anything with FORCE_COLOR. */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout) =>
  styleText(style, text, { stream });

/** What the user should know and a script need not. */
export const note = (text: string) => process.stderr.write(`${text}\n`);

/** Whether somebody is there who can be asked. */
export const isAttended = () => process.stdin.isTTY && process.stderr.isTTY;

/** Asks whoever sits at the terminal; anything but yes is no. */
export async function agreed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${question} [y/N] `).finally(() => lines.close());
  return /^y(es)?$/i.test(answer.trim());
}

/** Without what a terminal would take for commands. */
export const printable = (path: string) => path.replaceAll(/\p{Cc}/gu, "?");

/** To the minute, in UTC. */
export const minute = (time = "") => time.slice(0, 16).replace("T", " ");

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)} kB`;
  if (count >= 1_000_000_000) return `${(count / 1_000_000_000).toFixed(1)} GB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

/** `1 image`, `2 images`. */
export const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;

/** `$1.20`; of a fraction of a cent only that. */
export const money = (dollars: number) => (dollars < 0.01 ? "less than $0.01" : `$${dollars.toFixed(2)}`);

/** `1:05`, or `2:00:07`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `-3`, `1,176.00`, `2/5`, `640 × 427`, `4.5 kB`; no id or date that only begins with a digit. */
const NUMERIC = /^[-−]?\d[\d.,]*(\/[\d?]+)?( \S+)*$/;

/** Columns as wide as their widest cell; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const numeric = head.map((_, i) => rows.every((row) => NUMERIC.test(row[i] ?? "")));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [paint("dim", line(head)), ...rows.map(line)].map((text) => `  ${text}`).join("\n");
}
