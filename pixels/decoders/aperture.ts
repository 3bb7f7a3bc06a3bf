/**
 * The clean aperture of a HEIC's primary image (`clap`, ISO/IEC 14496-12, 12.1.4): libheif 1.23 takes the size of what is cut
 * out for its decoder's limit and fails (strukturag/libheif#1856), so it never gets to see the property, and we cut.
 */

import type { Rectangle } from "../../core/plan.ts";
import { itemsOf } from "../colour/items.ts";
import type { Box } from "../look/boxes.ts";

export interface Aperture {
  /** Of the picture as it is decoded: after the rotation and mirroring that stand after it. */
  readonly rectangle: Rectangle;
  /** The types of the boxes that say so. */
  readonly types: readonly number[];
}

/** Nothing where the primary image has none. @throws RangeError when it lies outside of the picture */
export function apertureOf(bytes: Buffer): Aperture | undefined {
  const items = itemsOf(bytes);
  const claps = [...(items?.all.values() ?? [])].flatMap(({ properties }) => properties.filter(isClap));
  if (!items || claps.length === 0) return undefined;
  let rectangle: Rectangle | undefined;
  let size = { width: 0, height: 0 };
  for (const { type, body } of items.all.get(items.primary)?.properties ?? []) {
    if (type === "ispe") size = { width: bytes.readUInt32BE(body + 4), height: bytes.readUInt32BE(body + 8) };
    else if (type === "clap") rectangle = rectangleOf(size, bytes, body);
    else if (type === "irot")
      for (let turns = bytes.readUInt8(body) & 3; turns > 0; turns--)
        ({ size, rectangle } = turned(size, rectangle));
    else if (type === "imir") rectangle &&= mirrored(size, rectangle, bytes.readUInt8(body) & 1);
  }
  return rectangle && { rectangle, types: claps.map(({ start }) => start + 4) };
}

const isClap = ({ type }: Box) => type === "clap";

/** Width, height and how far its middle is from the picture's, each as a fraction. */
function rectangleOf(size: { width: number; height: number }, bytes: Buffer, body: number): Rectangle {
  const [widthN = 0, widthD = 0, heightN = 0, heightD = 0, acrossN = 0, acrossD = 0, downN = 0, downD = 0] =
    Array.from({ length: 8 }, (_, i) => bytes.readUInt32BE(body + 4 * i));
  const width = Math.round(widthN / widthD);
  const height = Math.round(heightN / heightD);
  const left = Math.round((acrossN | 0) / acrossD + (size.width - width) / 2);
  const top = Math.round((downN | 0) / downD + (size.height - height) / 2);
  const fits = width >= 1 && height >= 1 && left >= 0 && top >= 0;
  if (!fits || left + width > size.width || top + height > size.height)
    throw new RangeError("a clean aperture that is not in the picture");
  return { left, top, width, height };
}

/** By a quarter, anti-clockwise. */
function turned({ width, height }: { width: number; height: number }, rectangle: Rectangle | undefined) {
  return {
    size: { width: height, height: width },
    rectangle: rectangle && {
      left: rectangle.top,
      top: width - rectangle.left - rectangle.width,
      width: rectangle.height,
      height: rectangle.width,
    },
  };
}

/** @param axis 0 for top to bottom, 1 for left to right */
function mirrored(
  { width, height }: { width: number; height: number },
  rectangle: Rectangle,
  axis: number,
): Rectangle {
  const { left, top } = rectangle;
  return axis === 0
    ? { ...rectangle, top: height - top - rectangle.height }
    : { ...rectangle, left: width - left - rectangle.width };
}
