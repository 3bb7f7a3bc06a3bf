/** What the commands print: tables, sizes, colours and a progress line, the last two only on a terminal. */
import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];

/** Coloured where standard output takes colours (a terminal without NO_COLOR). */
export const paint = (style: Style, text: string) => styleText(style, text, { stream: process.stdout });

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const numeric = head.map((_, i) => rows.every((row) => /^[-−\d]/.test(row[i] ?? "")));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [paint("dim", line(head)), ...rows.map(line)].map((text) => `  ${text}`).join("\n");
}

/** One line at the bottom of a terminal, redrawn at most ten times a second. Elsewhere nothing. */
export class ProgressLine {
  readonly #render: () => string;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(render: () => string) {
    this.#render = render;
    if (process.stderr.isTTY) this.#timer = setInterval(() => this.#draw(), 100);
  }

  /** Prints above the line. */
  print(text: string): void {
    this.#clear();
    process.stdout.write(`${text}\n`);
    this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #draw(): void {
    if (!this.#timer) return;
    this.#clear();
    process.stderr.write(this.#render().slice(0, (process.stderr.columns ?? 80) - 1));
  }

  #clear(): void {
    if (this.#timer) process.stderr.write("\r\u001b[K");
  }
}

/** `█████░░░░░ 12/24` */
export function bar(done: number, total: number, width = 24): string {
  const full = total === 0 ? 0 : Math.round((Math.min(done, total) / total) * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)} ${done}/${total}`;
}
