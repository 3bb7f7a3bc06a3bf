/** Where Darkroom and a browser differ about a file, by kind. */

import type { Seen } from "./look.ts";
import type { Ours } from "./ours.ts";

export const kinds = {
  refused: "shown whole by the browser, refused by Darkroom",
  accepted: "accepted by Darkroom, not shown whole by the browser",
  unfinished: "neither developed nor refused, or no answer from the browser",
  size: "another size",
  orientation: "turned or mirrored",
  colour: "another colour",
  frames: "another number of frames, or another picture at some moment",
  duration: "another duration",
  loop: "played another number of times",
} as const;
export type Kind = keyof typeof kinds;

export interface Difference {
  readonly kind: Kind;
  readonly detail: string;
}

/** Of 255: over a picture's mean, or in one block, a difference can be seen. */
const VISIBLE = { mean: 4, block: 24 };
/** Containers count in hundredths (GIF) and thousandths of a second. */
const MILLISECONDS_APART = 10;

/** @param mine what the browser sees of what Darkroom made */
export function compare(seen: Seen, ours: Ours, mine: Seen | undefined): Difference[] {
  if (ours.end.startsWith("failed:")) return [{ kind: "unfinished", detail: ours.end }];
  if (ours.end !== "ready") return seen.whole ? [{ kind: "refused", detail: ours.end }] : [];
  if (!seen.shown) {
    // What no browser of this kind can show at all is no disagreement.
    return ours.format === "heic" || ours.format === "tiff"
      ? []
      : [{ kind: "accepted", detail: "not shown" }];
  }
  const { header } = ours;
  if (!header || !mine?.whole)
    return [{ kind: "unfinished", detail: "the browser does not show what Darkroom made" }];
  if (seen.width !== header.width || seen.height !== header.height) {
    const detail = `${header.width} × ${header.height}, in the browser ${seen.width} × ${seen.height}`;
    const turned = seen.width === header.height && seen.height === header.width;
    return [{ kind: turned ? "orientation" : "size", detail }];
  }
  const differences = [...played(seen, mine), ...pictured(seen, mine)];
  // Rows that are missing are transparent in a browser. Where every pixel is as Darkroom has it, nothing but a file's last
  // bytes can be what `createImageBitmap` misses.
  const [first] = differences;
  return seen.whole || !first
    ? differences
    : [{ kind: "accepted", detail: `shown in part: ${first.detail}` }];
}

function played(seen: Seen, mine: Seen): Difference[] {
  const frames = seen.durations.length;
  // libwebp makes one of neighbours that are equal: what is shown when is compared, not their number, but for stills.
  if (frames > 1 !== mine.durations.length > 1) {
    return [{ kind: "frames", detail: `${mine.durations.length}, in the browser ${frames}` }];
  }
  if (frames === 1) return [];
  const differences: Difference[] = [];
  const [theirs, own] = [seen, mine].map(({ durations }) => durations.reduce((sum, ms) => sum + ms, 0));
  if (Math.abs((theirs ?? 0) - (own ?? 0)) > MILLISECONDS_APART) {
    differences.push({ kind: "duration", detail: `${own} ms, in the browser ${theirs} ms` });
  }
  if (seen.loop !== mine.loop) {
    differences.push({ kind: "loop", detail: `${mine.loop}, in the browser ${seen.loop}` });
  }
  return differences;
}

function pictured(seen: Seen, mine: Seen): Difference[] {
  for (const [at, picture] of seen.pictures.entries()) {
    const theirs = Buffer.from(picture, "base64");
    const own = Buffer.from(mine.pictures[at] ?? "", "base64");
    const apart = distance(theirs, own);
    if (!apart.visible) continue;
    if (seen.durations.length > 1)
      return [{ kind: "frames", detail: `after ${seen.times[at]} ms ${apart.detail}` }];
    const across = Math.ceil(seen.canvas.width / 8);
    const turned = seen.canvas.width % 8 === 0 && seen.canvas.height % 8 === 0;
    const turn = turned
      ? turns.find((turn) => !distance(theirs, blocksTurned(own, across, turn)).visible)
      : undefined;
    return [turn ? { kind: "orientation", detail: turn } : { kind: "colour", detail: apart.detail }];
  }
  return [];
}

function distance(theirs: Buffer, own: Buffer): { visible: boolean; detail: string } {
  let sum = 0;
  let most = 0;
  let where = 0;
  for (let at = 0; at < theirs.length; at++) {
    const apart = Math.abs((theirs[at] ?? 0) - (own[at] ?? 0));
    sum += apart;
    if (apart > most) [most, where] = [apart, at - (at % 6)];
  }
  const mean = sum / theirs.length;
  const hex = (from: Buffer) =>
    from
      .subarray(where, where + 6)
      .toString("hex")
      .replace(/.{6}/, "$& ");
  const detail = `by ${mean.toFixed(1)} in the mean, ${most} in block ${where / 6}: ${hex(own)}, in the browser ${hex(theirs)} (over black, over white)`;
  return { visible: theirs.length !== own.length || mean > VISIBLE.mean || most > VISIBLE.block, detail };
}

const turns = ["mirrored left to right", "mirrored top to bottom", "upside down"] as const;

/** Blocks as they would stand in the picture turned: what keeps the picture's size can be told by them. */
function blocksTurned(blocks: Buffer, across: number, turn: (typeof turns)[number]): Buffer {
  const down = blocks.length / 6 / across;
  const turned = Buffer.alloc(blocks.length);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const fromX = turn === "mirrored top to bottom" ? x : across - 1 - x;
      const fromY = turn === "mirrored left to right" ? y : down - 1 - y;
      blocks.copy(
        turned,
        6 * (y * across + x),
        6 * (fromY * across + fromX),
        6 * (fromY * across + fromX) + 6,
      );
    }
  }
  return turned;
}
