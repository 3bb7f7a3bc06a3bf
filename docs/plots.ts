/** The plots of docs/performance.md, from the benchmarks' results. */
import { type Series, svgOf } from "../bench/chart.ts";
import { load } from "../bench/report.ts";

const colours: Readonly<Record<string, string>> = {
  avif: "#d1495b",
  webp: "#2e86ab",
  jpeg: "#3a7d44",
};

/** One line per format and setting; AVIF's four, of the others what differs most. */
export function bytesAgainstQuality(): string {
  const { rows } = load("curves");
  const shown = [
    ["avif", "best", "AVIF, best", false],
    ["avif", "fast", "AVIF, fast", false],
    ["avif", "sharp's default", "AVIF, default", true],
    ["webp", "balanced", "WebP, balanced", false],
    ["webp", "fast", "WebP, fast", true],
    ["jpeg", "best", "JPEG, best", false],
    ["jpeg", "fast", "JPEG, fast", true],
  ] as const;
  const shades: Readonly<Record<string, string>> = { fast: "#e9a3ad" };
  const series = shown.map(([format, setting, name, dashed]): Series => {
    const points = rows
      .filter((row) => row["format"] === format && row["setting"] === setting && Number(row["score"]) >= 40)
      .map((row) => ({ x: Number(row["score"]), y: Number(row["bytes"]) / 1000 }))
      .filter(({ x }) => x <= 90);
    const colour = (format === "avif" && shades[setting]) || (colours[format] ?? "#000");
    return { name, points, colour, dashed };
  });
  return svgOf({
    title: "Bytes against quality, 640 px",
    x: { label: "SSIMULACRA2", ticks: [40, 50, 60, 70, 80, 90] },
    y: { label: "kB", ticks: [4, 8, 16, 32, 64] },
    series,
  });
}

export function cpuAgainstEffort(): string {
  const { rows } = load("encoders");
  const of = (format: string, part: string, name: string, dashed: boolean): Series => ({
    name,
    colour: colours[format] ?? "#000",
    dashed,
    points: rows
      .filter((row) => row["format"] === format && String(row["setting"]).includes(part))
      .map((row) => ({ x: Number(/effort (\d)/.exec(String(row["setting"]))?.[1]), y: Number(row["CPU"]) }))
      .sort((a, b) => a.x - b.x),
  });
  return svgOf({
    title: "CPU against effort, in proportion to sharp's default",
    x: { label: "effort", ticks: [0, 1, 2, 3, 4, 5, 6] },
    y: { label: "CPU", ticks: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2] },
    series: [
      of("avif", "4:2:0, 8 bit", "AVIF, 4:2:0, 8 bit", false),
      of("avif", "10 bit", "AVIF, 4:2:0, 10 bit", true),
      of("webp", "quality 80", "WebP", false),
    ],
  });
}

/** Of the pictures that nothing was fitted on: how many score no more than that, by one number and by one for each. */
export function spreadOfQuality(): string {
  const rows = load("quality").rows.filter(({ pictures }) => String(pictures).startsWith("held out"));
  const shares = [
    ["p10", 10],
    ["p25", 25],
    ["median", 50],
    ["p75", 75],
    ["p90", 90],
  ] as const;
  const series = rows.map((row): Series => {
    const format = String(row["format"]);
    return {
      name: `${format.toUpperCase()}, ${row["by"]}`,
      points: shares.map(([column, share]) => ({ x: share, y: Number(row[column]) })),
      colour: colours[format] ?? "#000",
      dashed: row["by"] === "one number",
    };
  });
  return svgOf({
    title: "Score of pictures, by one number and by one for each",
    x: { label: "% of pictures score no more", ticks: [10, 25, 50, 75, 90] },
    y: { label: "SSIMULACRA2", ticks: [60, 65, 70, 75, 80], linear: true },
    series,
  });
}
