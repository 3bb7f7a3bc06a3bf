/** Numbers for people. */
import type { Image, Variant } from "darkroom/client";

/** `41 kB`: 1,000 bytes each, three digits at most. */
export function bytes(count: number): string {
  const power = count < 1000 ? 0 : count < 999_500 ? 1 : 2;
  const value = count / 1000 ** power;
  return `${Number(value.toFixed(power === 2 && value < 100 ? 1 : 0))}\u00a0${["bytes", "kB", "MB"][power]}`;
}

/** `−97 %` of what there was before; never all of it. */
export function saving(now: number, before: number): string {
  const percent = Math.trunc((now / before - 1) * 100);
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent)}\u00a0%`;
}

export interface FormatSizes {
  readonly format: string;
  /** The first frame of what moves in another format. */
  readonly still: boolean;
  /** Of the largest variant that every format has: a preset may let one end earlier. */
  readonly width: number;
  readonly bytes: number;
  /** Of all variants together. */
  readonly total: number;
  readonly count: number;
}

const NAMES: Readonly<Record<string, string>> = { avif: "AVIF", webp: "WebP", jpeg: "JPEG", png: "PNG" };

/** What each format costs, in the preset's order. */
export function sizesByFormat({ variants }: Image): FormatSizes[] {
  const animated = variants.some(({ frames = 1 }) => frames > 1);
  const formats = [...Map.groupBy(variants, ({ format }) => format)];
  const inAll = ({ name }: Variant) => formats.every(([, all]) => all.some((one) => one.name === name));
  return formats.map(([format, all]) => {
    const comparable = all.some(inAll) ? all.filter(inAll) : all;
    const largest = comparable.reduce((a, b) => (b.width * b.height > a.width * a.height ? b : a));
    const total = all.reduce((sum, variant) => sum + variant.bytes, 0);
    return {
      format: NAMES[format] ?? format,
      still: animated && (largest.frames ?? 1) === 1,
      width: largest.width,
      bytes: largest.bytes,
      total,
      count: all.length,
    };
  });
}

export const plural = (count: number, one: string, many = `${one}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
