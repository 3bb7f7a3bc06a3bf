/** The frames of an animated PNG (PNG third edition, 4.9), each as a PNG of its own. */

import type { Rectangle } from "../../core/plan.ts";
import { chunkOf, SIGNATURE } from "../png.ts";
import { chunksOf } from "./png.ts";

export interface ApngFrame extends Rectangle {
  /** 1 clears its place, 2 restores what was there. */
  readonly disposal: number;
  /** It is drawn over what is there, not in its place. */
  readonly isOver: boolean;
  /** Milliseconds. */
  readonly delay: number;
  readonly png: () => Buffer;
}

export interface Apng {
  readonly width: number;
  readonly height: number;
  /** At least one. */
  readonly frames: readonly ApngFrame[];
  /** The first one is what those see that know no APNG. */
  readonly isFirstDefault: boolean;
  /** How often it plays; 0 for ever. */
  readonly loop: number;
}

/** PNG third edition, 7.1. */
const isCount = (value: number) => value > 0 && value < 2 ** 31;
const NONE = new Uint8Array(13);

/** Nothing where there is no animation, or where its parts are not in order: then the picture in IDAT is what is shown. */
export function readApng(bytes: Uint8Array): Apng | undefined {
  const shared: Buffer[] = [];
  const found: { control: DataView; parts: Uint8Array[] }[] = [];
  let header: Uint8Array | undefined;
  let control: DataView | undefined;
  let isFirstDefault = false;
  let hasPicture = false;
  let next = 0;
  for (const { type, data, isCut } of chunksOf(bytes)) {
    if (isCut) break;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (type === "IHDR") header = data;
    // Before the picture, and with a count that PNG's numbers have; another one counts for nothing, as in browsers.
    else if (type === "acTL" && data.length === 8 && !hasPicture && isCount(view.getUint32(0)))
      control = view;
    else if (type === "fcTL" || type === "fdAT") {
      if (!control || data.length < 4 || view.getUint32(0) !== next++) break;
      if (type === "fdAT") found.at(-1)?.parts.push(data.subarray(4));
      else if (data.length === 26) found.push({ control: view, parts: [] });
      else break;
    } else if (type === "IDAT") {
      hasPicture = true;
      isFirstDefault = found.length > 0;
      found.at(-1)?.parts.push(data);
    }
    // What says how numbers become colours.
    else if (found.length <= 1 && type !== "IEND" && type !== "eXIf") shared.push(chunkOf(type, data));
  }
  const frames = found
    .filter(({ parts }) => parts.length > 0)
    .slice(0, control?.getUint32(0))
    .map(({ control, parts }) => frameOf(control, () => pngOf(header ?? NONE, control, shared, parts)));
  if (!control || !header || header.length !== 13 || frames.length === 0) return undefined;
  const canvas = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [width, height] = [canvas.getUint32(0), canvas.getUint32(4)];
  // Browsers show no animation of which a frame is not wholly on the canvas.
  const fits = (frame: ApngFrame) =>
    Math.min(frame.width, frame.height) > 0 &&
    frame.left + frame.width <= width &&
    frame.top + frame.height <= height;
  return frames.every(fits)
    ? { width, height, frames, isFirstDefault, loop: control.getUint32(4) }
    : undefined;
}

function frameOf(control: DataView, png: () => Buffer): ApngFrame {
  const parts = control.getUint16(20);
  // Hundredths where it says nothing.
  const perSecond = control.getUint16(22) || 100;
  return {
    width: control.getUint32(4),
    height: control.getUint32(8),
    left: control.getUint32(12),
    top: control.getUint32(16),
    delay: Math.round((1000 * parts) / perSecond),
    disposal: control.getUint8(24),
    isOver: control.getUint8(25) === 1,
    png,
  };
}

function pngOf(
  header: Uint8Array,
  control: DataView,
  shared: readonly Buffer[],
  parts: readonly Uint8Array[],
): Buffer {
  const own = Buffer.from(header);
  own.writeUInt32BE(control.getUint32(4), 0);
  own.writeUInt32BE(control.getUint32(8), 4);
  const data = parts.map((part) => chunkOf("IDAT", part));
  return Buffer.concat([
    SIGNATURE,
    chunkOf("IHDR", own),
    ...shared,
    ...data,
    chunkOf("IEND", Buffer.alloc(0)),
  ]);
}
