/** Every file through Darkroom and a browser, and what they disagree about. */
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { detectFormat, extensionsOf, formatNames, formats } from "../../core/formats.ts";
import type { Pixels } from "../../core/ports.ts";
import { type Reason, reasons } from "../../docs/differences.ts";
import type { Oracle } from "./browser.ts";
import { compare, type Difference } from "./compare.ts";
import { factsOf } from "./facts.ts";
import type { Seen, Size } from "./look.ts";
import { develop, type Ours } from "./ours.ts";

export interface Judged {
  readonly path: string;
  readonly end: string;
  readonly format: string | undefined;
  /** Shown whole by the browser. */
  readonly whole: boolean;
  readonly differences: readonly (Difference & {
    /** Of `docs/differences.ts`. */ readonly reason?: string;
  })[];
  /** What a second browser says of a file of which the first one disagrees. */
  readonly second?: readonly Difference[];
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

/** @param second asked about files alone of which the first browser says something else than Darkroom */
export async function judge(path: string, pixels: Pixels, first: Oracle, second?: Oracle): Promise<Judged> {
  const bytes = readFileSync(path);
  const [ours, seen] = await Promise.all([develop(pixels, bytes), lookAt(first, bytes)]);
  const differ = async (oracle: Oracle, seen: Seen | string) => {
    const differences = await differencesOf(oracle, seen, ours);
    if (typeof seen !== "object" || !differences.some(({ kind }) => kind === "colour")) return differences;
    // Lines of a pixel come out darker or lighter by another kernel: what differs when it is small must differ when it is not.
    const large = await develop(pixels, bytes, true);
    return differencesOf(oracle, await lookAt(oracle, bytes, sizeOf(large) ?? seen), large);
  };
  const { end, format, header } = ours;
  const file = {
    path: path.replaceAll("\\", "/"),
    ...{ end, format, header, bytes },
    facts: factsOf(format, bytes),
  };
  const differences = (await differ(first, seen)).map((difference) => {
    const differing = { ...file, ...difference };
    const reason = Object.entries<Reason>(reasons).find(([, { applies }]) => applies(differing))?.[0];
    return { ...difference, ...(reason === undefined ? {} : { reason }) };
  });
  const whole = typeof seen === "object" && seen.whole;
  const judged = { path, end, format, whole, differences };
  if (!second || differences.length === 0) return judged;
  return { ...judged, second: await differ(second, await lookAt(second, bytes)) };
}

/** Of a still, which is as large as a rung may be: 12 megapixels. */
function sizeOf({ made }: Ours): Size | undefined {
  if (made?.type !== "image/png") return undefined;
  const view = new DataView(made.bytes.buffer, made.bytes.byteOffset, made.bytes.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** What a browser shows of a file, or why it does not come to an end. */
async function lookAt(oracle: Oracle, bytes: Buffer, whole?: Size): Promise<Seen | string> {
  const detected = detectFormat(bytes.subarray(0, 4096));
  const type = detected ? formats[detected].type : "application/octet-stream";
  const canvas = whole && { width: whole.width, height: whole.height };
  return oracle.look(bytes, { type, canvas, times: MOMENTS }).catch(String);
}

async function differencesOf(oracle: Oracle, seen: Seen | string, ours: Ours): Promise<Difference[]> {
  if (typeof seen === "string") return [{ kind: "unfinished", detail: seen }];
  const { canvas, times, shown } = seen;
  const { made } = ours;
  const mine = shown && made && (await oracle.look(made.bytes, { type: made.type, canvas, times }));
  return compare(seen, ours, mine || undefined);
}
