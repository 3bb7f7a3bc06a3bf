/** Every file through Darkroom and a browser, and what they disagree about. */
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { detectFormat, extensionsOf, formatNames, formats } from "../../core/formats.ts";
import type { Pixels } from "../../core/ports.ts";
import { type Reason, reasons } from "../../docs/differences.ts";
import { saidIn } from "../../pixels/colour/said.ts";
import { walkJpeg } from "../../pixels/look/jpeg.ts";
import type { Oracle } from "./browser.ts";
import { compare, type Difference } from "./compare.ts";
import { develop } from "./ours.ts";

export interface Judged {
  readonly path: string;
  readonly end: string;
  readonly format: string | undefined;
  /** Shown whole by the browser. */
  readonly whole: boolean;
  readonly differences: readonly (Difference & {
    /** Of `docs/differences.ts`. */ readonly reason?: string;
  })[];
}

/** Moments at which an animation is looked at. */
const MOMENTS = 10;

/** Files that are, or are called, images: folders are searched. @param named whether a file that is named is one in any case */
export function imagesIn(paths: readonly string[], named = true): string[] {
  const extensions = [...extensionsOf(formatNames), "svg", "bmp", "ico"];
  return paths
    .flatMap((path) =>
      statSync(path).isDirectory()
        ? globSync("**/*", { cwd: path, withFileTypes: true, exclude: ["**/node_modules", "**/.git"] })
            .filter((entry) => entry.isFile())
            .map((entry) => join(entry.parentPath, entry.name))
        : [path],
    )
    .filter(
      (path) =>
        (named && paths.includes(path)) ||
        extensions.includes(path.split(".").at(-1)?.toLowerCase() ?? "") ||
        detectFormat(readFileSync(path).subarray(0, 4096)) !== undefined,
    )
    .sort();
}

export async function judge(path: string, pixels: Pixels, oracle: Oracle): Promise<Judged> {
  const bytes = readFileSync(path);
  const detected = detectFormat(bytes.subarray(0, 4096));
  const type = detected ? formats[detected].type : "application/octet-stream";
  const [ours, seen] = await Promise.all([
    develop(pixels, bytes),
    oracle.look(bytes, { type, canvas: undefined, times: MOMENTS }).catch((error: unknown) => String(error)),
  ]);
  const { end, format, header, made } = ours;
  if (typeof seen === "string") {
    return { path, end, format, whole: false, differences: [{ kind: "unfinished", detail: seen }] };
  }
  const { canvas, times } = seen;
  const mine =
    seen.shown && made ? await oracle.look(made.bytes, { type: made.type, canvas, times }) : undefined;
  const file = {
    path: path.replaceAll("\\", "/"),
    ...{ end, format, header, bytes },
    dataMissing: format === "jpeg" && typeof walkJpeg(bytes) === "object",
    alphaLimited: format === "avif" && saidIn(format, bytes, false).alphaLimited === true,
  };
  const differences = compare(seen, ours, mine).map((difference) => {
    const differing = { ...file, ...difference };
    const reason = Object.entries<Reason>(reasons).find(([, { applies }]) => applies(differing))?.[0];
    return { ...difference, ...(reason === undefined ? {} : { reason }) };
  });
  return { path, end, format, whole: seen.whole, differences };
}
