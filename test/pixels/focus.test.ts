/** What draws the eye of a crop, on pictures where only one thing can. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { focusOf } from "../../pixels/focus.ts";

type Colour = readonly number[];
const GREY: Colour = [120, 120, 120];

function picture(width: number, height: number, at: (x: number, y: number) => Colour) {
  const pixels = Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width)));
  const channels = (pixels[0]?.length ?? 3) as 3 | 4;
  return { data: Uint8Array.from(pixels.flat()), width, height, channels, frames: 1 };
}

/** The largest square of a picture. */
const square = ({ width, height }: { width: number; height: number }) => {
  const side = Math.min(width, height);
  return { width: side, height: side };
};

const stripes = (x: number): Colour => (x % 2 === 0 ? [60, 60, 60] : [180, 180, 180]);
const spots: Readonly<Record<string, (x: number) => Colour>> = {
  "a colour": () => [40, 60, 220],
  detail: stripes,
  skin: () => [205, 150, 120],
};

for (const [name, colour] of Object.entries(spots)) {
  test(`${name} somewhere in a grey picture is in the crop, wide or tall`, () => {
    const side = fc.integer({ min: 40, max: 240 });
    const place = fc.double({ min: 0.1, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(side, side, place, place, (width, height, x, y) => {
        const radius = Math.max(6, Math.min(width, height) / 6);
        const scene = picture(width, height, (px, py) =>
          Math.hypot(px - x * width, py - y * height) < radius ? colour(px) : GREY,
        );
        const box = square(scene);
        const focus = focusOf(scene, box);
        const off = (of: "x" | "y", length: number) =>
          Math.abs(focus[of] * length - { x, y }[of] * length) - box.width / 2;
        // One field of the grid of 64 is what it can be wrong by.
        if (width > height) assert(off("x", width) <= width / 64, `x ${focus.x} for ${x}`);
        if (height > width) assert(off("y", height) <= height / 64, `y ${focus.y} for ${y}`);
      }),
      { numRuns: 60 },
    );
  });
}

test("where there is nothing to see, the middle", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (width, height) => {
      const plain = picture(width, height, () => GREY);
      const { x, y } = focusOf(plain, square(plain));
      assert(Math.abs(x - 0.5) <= 0.5 / 64 + 0.5 / width, `x ${x}`);
      assert(Math.abs(y - 0.5) <= 0.5 / 64 + 0.5 / height, `y ${y}`);
    }),
  );
});

test("what is sharp, before what is out of focus", () => {
  const scene = picture(300, 100, (x) => {
    if (x >= 200) return stripes(x);
    const soft = 120 + Math.round(60 * Math.sin(x / 10));
    return [soft, soft, soft];
  });
  assert(focusOf(scene, square(scene)).x > 0.75);
});

test("skin, before something as unusual", () => {
  const mirrored: Colour = [120, 150, 205];
  const scene = (left: Colour, right: Colour) =>
    picture(300, 100, (x, y) => (y > 30 && y < 70 && x % 200 < 60 ? (x < 100 ? left : right) : GREY));
  const skin: Colour = [205, 150, 120];
  const found = [scene(skin, mirrored), scene(mirrored, skin)].map((one) => focusOf(one, square(one)).x);
  assert((found[0] ?? 1) < 0.4 && (found[1] ?? 0) > 0.6, `${found}`);
});

test("what transparency hides draws nobody", () => {
  const scene = picture(300, 100, (x, y) => {
    if (x < 100) return [...stripes(x), 0];
    return x > 240 && y > 40 && y < 60 ? [200, 40, 40, 255] : [120, 120, 120, 255];
  });
  assert(focusOf(scene, square(scene)).x > 0.7);
});

test("of several frames, the first", () => {
  const first = picture(300, 100, (x) => (x > 220 ? stripes(x) : GREY));
  const second = picture(300, 100, (x) => (x < 80 ? stripes(x) : GREY));
  const both = { ...first, frames: 2, data: Uint8Array.from([...first.data, ...second.data]) };
  assert.deepEqual(focusOf(both, square(both)), focusOf(first, square(first)));
});
