/**
 * Renders `docs/sample.jpg`, a lake at dusk: our own picture for the README and the first upload. No randomness but
 * a seeded one, so it comes out the same every time: `node test/images/render-sample.ts`.
 */
import { writeFileSync } from "node:fs";
import sharp from "sharp";

const WIDTH = 1600;
const HEIGHT = 1067;
const HORIZON = 0.605;
const SUN = { x: 0.795, y: 0.437 };

type Colour = readonly [number, number, number];
const mix = (a: Colour, b: Colour, t: number): Colour => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t,
];
const add = (a: Colour, b: Colour, t = 1): Colour => [a[0] + b[0] * t, a[1] + b[1] * t, a[2] + b[2] * t];
const clamp = (value: number) => Math.min(1, Math.max(0, value));
const smooth = (from: number, to: number, value: number) => {
  const t = clamp((value - from) / (to - from));
  return t * t * (3 - 2 * t);
};
/** Linear light from sRGB hex. */
const hex = (text: string): Colour => {
  const at = (i: number) => (Number.parseInt(text.slice(i, i + 2), 16) / 255) ** 2.2;
  return [at(0), at(2), at(4)];
};

/** 0 to 1, the same for the same integers. */
function hash(x: number, y: number, seed: number): number {
  let h = Math.imul(x, 374_761_393) + Math.imul(y, 668_265_263) + Math.imul(seed, 2_147_483_647);
  h = Math.imul(h ^ (h >>> 13), 1_274_126_177);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

function noise(x: number, y: number, seed: number): number {
  const [ix, iy] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [smooth(0, 1, x - ix), smooth(0, 1, y - iy)];
  const top = hash(ix, iy, seed) * (1 - fx) + hash(ix + 1, iy, seed) * fx;
  const bottom = hash(ix, iy + 1, seed) * (1 - fx) + hash(ix + 1, iy + 1, seed) * fx;
  return top * (1 - fy) + bottom * fy;
}

/** Noise of several octaves, around 0.5. */
function clouds(x: number, y: number, seed: number, octaves = 5): number {
  let sum = 0;
  let scale = 0.5;
  for (let o = 0; o < octaves; o++) {
    sum += noise(x * 2 ** o, y * 2 ** o, seed + o * 17) * scale;
    scale /= 2;
  }
  return sum / (1 - 0.5 ** octaves);
}

const SKY = [
  [0, hex("10153a")],
  [0.22, hex("2c2f6b")],
  [0.42, hex("6a4a8f")],
  [0.58, hex("c5628a")],
  [0.72, hex("f28a5c")],
  [0.84, hex("ffd08a")],
] as const;

/** `u` and `v` in parts of the width and the height; `v` above the horizon. */
function sky(u: number, v: number): Colour {
  const depth = clamp(v / HORIZON);
  let colour: Colour = SKY[0][1];
  for (const [i, [at, next]] of SKY.entries()) {
    const [from, previous] = SKY[i - 1] ?? [at, next];
    if (depth >= from) colour = mix(previous, next, smooth(from, at, depth));
  }
  const aspect = WIDTH / HEIGHT;
  const distance = Math.hypot((u - SUN.x) * aspect, (v - SUN.y) * 1.25);
  colour = add(colour, hex("ff9a52"), 0.8 * Math.exp(-distance * 5));
  colour = add(colour, hex("fff0c8"), 1.5 * Math.exp(-((distance / 0.075) ** 2)));

  const starry = smooth(0.62, 0.05, depth);
  const [sx, sy] = [u * 420, v * 280];
  const spark = hash(Math.floor(sx), Math.floor(sy), 5);
  if (spark > 0.9955) {
    const off = Math.hypot((sx % 1) - 0.5, (sy % 1) - 0.5);
    colour = add(colour, [0.9, 0.93, 1], starry * (spark - 0.9955) * 190 * Math.exp(-off * off * 16));
  }

  // Long thin clouds, lit from below near the sun, dark above.
  const bank = clouds(u * 3.2 + 7, v * 17 + clouds(u * 2, v * 3, 40) * 2.2, 11);
  const cover = smooth(0.52, 0.76, bank) * smooth(0.08, 0.42, depth) * smooth(1.02, 0.8, depth);
  const lit = Math.exp(-distance * 2.4);
  const cloud = add(mix(hex("41396f"), hex("e57078"), smooth(0.35, 0.85, depth)), hex("ffb066"), lit * 0.9);
  colour = mix(colour, cloud, cover * 0.72);

  const disc = smooth(0.0285, 0.0265, Math.hypot((u - SUN.x) * aspect, v - SUN.y));
  return mix(colour, [2.6, 2.1, 1.35], disc);
}

interface Hill {
  /** Height of the ridge above the horizon, in parts of the height. */
  readonly ridge: (u: number) => number;
  readonly colour: Colour;
  readonly haze: number;
}

const ridged = (seed: number, base: number, height: number, frequency: number) => (u: number) =>
  base + height * (1 - Math.abs(2 * clouds(u * frequency + seed, 3.7, seed, 6) - 1)) ** 1.4;
/** A row of firs on a slope: triangles of different heights side by side. */
const firs = (seed: number, base: (u: number) => number, height: number, density: number) => (u: number) => {
  let top = 0;
  for (let near = -2; near <= 2; near++) {
    const tree = Math.floor(u * density) + near;
    const tall = height * (0.45 + 0.55 * hash(tree, 1, seed));
    const centre = (tree + 0.5 + (hash(tree, 2, seed) - 0.5) * 0.7) / density;
    const away = Math.abs(u - centre) * density;
    const zigzag = 0.12 * Math.abs(((away * 9) % 1) - 0.5);
    top = Math.max(top, tall * (1 - away * 1.35 - zigzag));
  }
  return base(u) + top;
};

const shore = (u: number) =>
  0.012 + 0.09 * smooth(0.42, 0, u) ** 1.5 + 0.05 * smooth(0.82, 1.05, u) + 0.008 * clouds(u * 9, 1, 70);
const hills: readonly Hill[] = [
  { ridge: ridged(3, 0.035, 0.16, 2.1), colour: hex("8a5a8c"), haze: 0.62 },
  { ridge: ridged(21, 0.01, 0.15, 2.9), colour: hex("5c3f73"), haze: 0.4 },
  { ridge: ridged(35, -0.035, 0.135, 3.6), colour: hex("39305c"), haze: 0.2 },
  { ridge: firs(51, (u) => shore(u) - 0.006, 0.034, 150), colour: hex("1d1c3a"), haze: 0.07 },
  {
    ridge: firs(
      64,
      (u) => shore(u) * 1.05 - 0.1 + 0.1 * smooth(0.38, 0.02, u) + 0.085 * smooth(0.86, 1.02, u),
      0.062,
      64,
    ),
    colour: hex("0d1024"),
    haze: 0,
  },
];

/** Everything above the water. */
function land(u: number, v: number): Colour {
  let colour = sky(u, v);
  for (const { ridge, colour: own, haze } of hills) {
    const top = HORIZON - ridge(u);
    const inside = smooth(top - 0.0009, top + 0.0009, v);
    if (inside === 0) continue;
    const low = smooth(top, HORIZON, v);
    const warm = Math.exp(-Math.abs(u - SUN.x) * 3.4);
    const air = mix(hex("b86a8a"), hex("ffb27a"), warm);
    colour = mix(colour, mix(own, air, clamp(haze * (0.45 + 0.75 * low))), inside);
  }
  return colour;
}

function water(u: number, v: number): Colour {
  const depth = (v - HORIZON) / (1 - HORIZON);
  // Ripples grow towards the viewer; the picture above is mirrored, a little stretched and broken by them.
  const far = 1 / (depth + 0.06);
  const ripple = clouds(u * 7 * far ** 0.6, 26 * far, 90, 4) - 0.5;
  const fine = clouds(u * 60 * far ** 0.5, 90 * far, 120, 3) - 0.5;
  const shake = (ripple * 0.9 + fine * 0.35) * (0.012 + 0.1 * depth);
  const mirrored = HORIZON - (v - HORIZON) * 1.06 + shake * 0.9;
  let colour = land(u + shake * 0.12, Math.min(HORIZON - 0.0005, Math.max(0.002, mirrored)));
  colour = mix(mix(colour, hex("161a3e"), 0.16 + 0.42 * depth), colour, 0.28);
  const path = Math.exp(-(((u - SUN.x + shake * 0.5) / (0.017 + 0.075 * depth)) ** 2));
  const glitter = smooth(0.06, 0.3, fine + ripple * 0.55) * path * (1.1 - 0.75 * depth);
  colour = add(colour, hex("ffb765"), glitter * 1.25);
  return add(colour, hex("ffc9a0"), 0.1 * smooth(0.012, 0, v - HORIZON));
}

/** Filmic shoulder: what is brighter than white keeps its hue. */
const film = (value: number) =>
  clamp((value * (2.51 * value + 0.03)) / (value * (2.43 * value + 0.59) + 0.14));

const rgb = Buffer.alloc(WIDTH * HEIGHT * 3);
for (let y = 0; y < HEIGHT; y++) {
  for (let x = 0; x < WIDTH; x++) {
    let sum: Colour = [0, 0, 0];
    for (const [dx, dy] of [
      [0.25, 0.25],
      [0.75, 0.75],
    ] as const) {
      const [u, v] = [(x + dx) / WIDTH, (y + dy) / HEIGHT];
      sum = add(sum, v < HORIZON ? land(u, v) : water(u, v), 0.5);
    }
    const [u, v] = [x / WIDTH - 0.5, y / HEIGHT - 0.5];
    const vignette = 1 - 0.55 * smooth(0.35, 0.95, Math.hypot(u * 1.1, v));
    const grain = (hash(x, y, 200) + hash(x, y, 201) - 1) * 0.022;
    for (const [channel, value] of sum.entries()) {
      const shown = film(value * 0.82 * vignette) ** (1 / 2.2) + grain;
      rgb[(y * WIDTH + x) * 3 + channel] = Math.round(clamp(shown) * 255);
    }
  }
}
const jpeg = await sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
  .jpeg({ quality: 90 })
  .withExif({ IFD2: { DateTimeOriginal: "2026:05:01 20:41:07" } })
  .toBuffer();
writeFileSync(new URL("../../docs/sample.jpg", import.meta.url), jpeg);
console.log(`docs/sample.jpg: ${WIDTH} × ${HEIGHT}, ${jpeg.length} bytes`);
