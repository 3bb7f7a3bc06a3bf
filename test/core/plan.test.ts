import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { PREFERENCE } from "../../client/picture.ts";
import { DarkroomError } from "../../core/errors.ts";
import { formatNames, MAX_SIDE, outputFormats } from "../../core/formats.ts";
import { type Focus, gate, type Header, planOf, rungs, type Shape, variantsOf } from "../../core/plan.ts";
import { defineConfig, type Preset } from "../../core/preset.ts";
import { tries } from "../thorough.ts";

fc.configureGlobal({ numRuns: tries(200, 1000) });

type Input = Parameters<typeof defineConfig>[0]["presets"][string];
function presetOf(input: Partial<Input>): Preset {
  const config = defineConfig({ defaultPreset: "p", presets: { p: { accept: [...formatNames], ...input } } });
  const preset = config.presets.get("p");
  assert(preset);
  return preset;
}

const side = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: MAX_SIDE }));
const headers: fc.Arbitrary<Header> = fc.record({
  format: fc.constantFrom(...formatNames),
  width: side,
  height: side,
  frames: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 500 })),
  alpha: fc.boolean(),
});
const box = fc.integer({ min: 1, max: 4000 });
const named = fc.oneof(
  fc.record({
    width: box,
    height: box,
    fit: fc.constant("cover" as const),
    position: fc.constantFrom("focus", "attention", "entropy", "centre"),
    format: fc.subarray([...outputFormats], { minLength: 1 }),
  }),
  fc.record({ width: box, blur: fc.double({ min: 0.3, max: 20, noNaN: true }), format: fc.constant("webp") }),
  fc.record({ width: box, height: box, format: fc.constant("png") }),
  fc.record({ height: box, format: fc.constant("jpeg"), quality: fc.integer({ min: 1, max: 100 }) }),
) as fc.Arbitrary<NonNullable<Input["named"]>[string]>;
const presets = fc
  .record({
    ladder: fc.record({
      widths: fc.array(box, { minLength: 1, maxLength: 7 }),
      formats: fc.uniqueArray(fc.constantFrom(...outputFormats), { minLength: 1 }),
      bounds: fc.array(box, { minLength: outputFormats.length, maxLength: outputFormats.length }),
    }),
    named: fc.dictionary(fc.constantFrom("thumb", "poster", "hero", "card"), named),
  })
  .map(({ ladder: { bounds, ...ladder }, named }) => {
    // Wide to narrow, as browsers prefer the formats; none at its own narrowest rung's expense.
    const narrowing = bounds
      .toSorted((a, b) => b - a)
      .map((bound) => Math.max(bound, ...ladder.widths.slice(0, 1)));
    const upTo = PREFERENCE.map((format, i) => [format, narrowing[i]] as const).filter(([format]) =>
      ladder.formats.some((one) => one === format),
    );
    return presetOf({ ladder: { ...ladder, upTo: Object.fromEntries(upTo) }, named });
  });
const point: fc.Arbitrary<Focus> = fc.record({
  x: fc.double({ min: 0, max: 1, noNaN: true }),
  y: fc.double({ min: 0, max: 1, noNaN: true }),
});
const focuses = fc.option(point, { nil: undefined });

/** Any source that passes the gate, with any preset. */
const cases = fc
  .tuple(headers, presets, focuses)
  .filter(([{ width, height }]) => width * height <= 65_000_000)
  .map(([header, preset, focus]) => {
    const variants = variantsOf(header, preset, focus);
    return { header, preset, variants, plan: planOf(header, variants) };
  });

test("no variant is enlarged, empty, or larger than the encoders can take", () => {
  fc.assert(
    fc.property(cases, ({ header, variants }) => {
      for (const { shape, frames } of variants) {
        assert(Number.isInteger(shape.width) && shape.width >= 1 && shape.width <= header.width);
        assert(Number.isInteger(shape.height) && shape.height >= 1 && shape.height <= header.height);
        assert(shape.width <= 16_383 && shape.height <= 16_383, "WebP's longest side");
        assert(frames === 1 || frames === header.frames);
        // A side rounded up can add as many pixels as the other side has.
        const rounding = shape.width + shape.height;
        if (!shape.crop) assert(shape.width * shape.height <= 12_000_000 + rounding);
      }
    }),
  );
});

test("what is not cropped keeps the aspect ratio to within a pixel", () => {
  fc.assert(
    fc.property(cases, ({ header, variants }) => {
      for (const { shape } of variants) {
        if (shape.crop || shape.width === 1 || shape.height === 1) continue;
        const height = (header.height * shape.width) / header.width;
        const width = (header.width * shape.height) / header.height;
        assert(Math.abs(height - shape.height) <= 1 || Math.abs(width - shape.width) <= 1);
      }
    }),
  );
});

test("a plan makes every variant once", () => {
  fc.assert(
    fc.property(cases, ({ variants, plan }) => {
      const made = plan.steps.flatMap(({ encodes }) => encodes);
      assert.equal(made.length, variants.length);
      assert.deepEqual(new Set(made), new Set(variants));
      for (const step of plan.steps) {
        for (const variant of step.encodes) {
          assert.deepEqual(variant.shape, step.shape);
          assert.equal(variant.frames > 1, step.animated);
        }
      }
    }),
  );
});

test("a step is made from an earlier one, or the base, that is large enough and shows the whole picture", () => {
  fc.assert(
    fc.property(cases, ({ header, plan }) => {
      assert(plan.base.width <= header.width && plan.base.height <= header.height);
      for (const [index, step] of plan.steps.entries()) {
        assert(Number.isInteger(step.from) && step.from >= -1 && step.from < index);
        const earlier = plan.steps[step.from];
        const from = earlier?.shape ?? plan.base;
        assert(from.width >= step.shape.width && from.height >= step.shape.height);
        if (!earlier) continue;
        assert(!earlier.shape.crop && earlier.shape.blur === undefined);
        assert.equal(earlier.animated, step.animated);
        assert(from.width >= 2 * step.shape.width, "less than twice as large loses quality");
      }
    }),
  );
});

test("the placeholder is made from the smallest step that shows the whole picture at twice its size", () => {
  fc.assert(
    fc.property(cases, ({ plan: { base, steps, placeholder } }) => {
      const { from, shape } = placeholder;
      assert(Math.max(shape.width, shape.height) <= 64 && Math.min(shape.width, shape.height) >= 1);
      assert(shape.width <= base.width && shape.height <= base.height);
      const isLargeEnough = (of: Shape) =>
        !of.crop && of.blur === undefined && of.width >= 2 * shape.width && of.height >= shape.height;
      const able = steps.flatMap((step, index) => (isLargeEnough(step.shape) ? [index] : []));
      assert.equal(from, able.at(-1) ?? -1);
    }),
  );
});

test("the base is no larger than some step needs", () => {
  fc.assert(
    fc.property(cases, ({ header, plan }) => {
      const needed = plan.steps.map(({ shape }) =>
        // The smallest picture of the source's aspect ratio that covers the shape.
        shape.crop
          ? Math.max(shape.width, Math.ceil((shape.height * header.width) / header.height))
          : shape.width,
      );
      assert(plan.base.width <= Math.max(1, ...needed));
    }),
  );
});

test("rungs: the widths a source fills, and its own where the next is out of reach", () => {
  const widths = [320, 640, 960, 1280, 1920, 2560];
  assert.deepEqual(rungs(4000, widths), widths);
  assert.deepEqual(rungs(2560, widths), widths);
  assert.deepEqual(rungs(2559, widths), [320, 640, 960, 1280, 1920, 2559]);
  assert.deepEqual(rungs(1000, widths), [320, 640, 960], "960 is more than nine tenths of 1000");
  assert.deepEqual(rungs(1100, widths), [320, 640, 960, 1100]);
  assert.deepEqual(rungs(100, widths), [100]);
  assert.deepEqual(rungs(640, [640, 320, 640]), [320, 640]);
  fc.assert(
    fc.property(side, fc.array(box, { minLength: 1 }), (source, widths) => {
      const made = rungs(source, widths);
      assert(made.length >= 1);
      assert.deepEqual(
        made,
        [...new Set(made)].sort((a, b) => a - b),
      );
      assert(made.every((width) => width === source || (widths.includes(width) && width < source)));
      assert(widths.every((width) => width > source || made.includes(width)));
    }),
  );
});

test("whatever format a browser takes, it finds the narrowest rung, and no later one has a wider", () => {
  fc.assert(
    fc.property(cases, fc.boolean(), ({ header, preset }, gainMap) => {
      const variants = variantsOf({ ...header, gainMap }, { ...preset, hdr: gainMap });
      const rung = variants.filter(({ name }) => /^w\d+$/.test(name));
      const least = Math.min(...rung.map(({ shape }) => shape.width));
      const widest = PREFERENCE.flatMap((format) => {
        const widths = rung.flatMap((one) => (one.format === format ? one.shape.width : []));
        assert(widths.length === 0 || Math.min(...widths) === least, format);
        return widths.length === 0 ? [] : Math.max(...widths);
      });
      if (header.frames === 1 && !gainMap)
        assert.deepEqual(
          widest,
          widest.toSorted((a, b) => b - a),
        );
      // What a browser is shown before all else is made at every width.
      const every = rungs(Math.max(...rung.map(({ shape }) => shape.width)), preset.ladder?.widths ?? []);
      for (const special of [rung.filter(({ frames }) => frames > 1), rung.filter((one) => one.gainMap)])
        for (const { format } of special.slice(0, 1))
          assert.equal(special.filter((one) => one.format === format).length, every.length);
    }),
  );
});

test("a rung is made in the formats that reach it; what moves or is brighter, at every width", () => {
  const preset = presetOf({
    ladder: { widths: [100, 200, 300], formats: ["avif", "webp", "jpeg"], upTo: { webp: 200, jpeg: 100 } },
    hdr: true,
  });
  const of = (header: Partial<Header>) =>
    variantsOf({ format: "gif", width: 250, height: 100, frames: 1, alpha: true, ...header }, preset).map(
      ({ name, format }) => `${name}.${format}`,
    );
  const still = ["w100.avif", "w100.webp", "w100.jpeg", "w200.avif", "w200.webp", "w250.avif"];
  assert.deepEqual(of({}), still);
  assert.deepEqual(of({ gainMap: true }), [...still.slice(0, 5), "w200.jpeg", "w250.avif", "w250.jpeg"]);
  assert.deepEqual(of({ frames: 2 }), ["w100.webp", "w100.jpeg", "w200.webp", "w250.webp"]);
  assert.deepEqual(of({ width: 90 }), ["w90.avif", "w90.webp", "w90.jpeg"]);
});

const photo: Header = { format: "jpeg", width: 4000, height: 3000, frames: 1, alpha: false };

test("the ladder is made step by step from the next that is twice as large", () => {
  const preset = presetOf({
    ladder: { widths: [320, 640, 960, 1280, 1920, 2560], formats: ["avif", "webp"] },
  });
  const plan = planOf(photo, variantsOf(photo, preset));
  assert.deepEqual(plan.base, { width: 2560, height: 1920 });
  assert.deepEqual(
    plan.steps.map(({ shape, from }) => [shape.width, shape.height, from]),
    [
      [2560, 1920, -1],
      [1920, 1440, -1],
      [1280, 960, 0],
      [960, 720, 1],
      [640, 480, 2],
      [320, 240, 4],
    ],
  );
});

test("a long screenshot shrinks before it is encoded", () => {
  const long: Header = { ...photo, width: 3000, height: 16_000 };
  const preset = presetOf({
    ladder: { widths: [640, 1280, 2560], formats: ["avif"] },
    named: { whole: { width: 3000, format: "webp" } },
  });
  assert.deepEqual(
    variantsOf(long, preset).map(({ name, shape }) => [name, shape.width, shape.height]),
    [
      ["w640", 640, 3413],
      ["w1280", 1280, 6827],
      ["w1500", 1500, 8000],
      ["whole", 1500, 8000],
    ],
  );
});

test("named variants: inside a box, covering it, never larger than the source", () => {
  const shapes = (header: Header, named: Input["named"], focus?: Focus) =>
    variantsOf(header, presetOf({ named: named ?? {} }), focus).map(({ shape }) => shape);
  assert.deepEqual(shapes(photo, { a: { width: 400, height: 400, format: "webp" } }), [
    { width: 400, height: 300 },
  ]);
  assert.deepEqual(shapes(photo, { a: { height: 300, blur: 2, format: "webp" } }), [
    { width: 400, height: 300, blur: 2 },
  ]);
  const square = { width: 400, height: 400, fit: "cover", format: "webp" } as const;
  assert.deepEqual(shapes(photo, { a: square }), [{ width: 400, height: 400, crop: "attention" }]);
  const focus = { x: 0.25, y: 0.5 };
  assert.deepEqual(shapes(photo, { a: square }, focus), [{ width: 400, height: 400, crop: focus }]);
  assert.deepEqual(shapes(photo, { a: { ...square, position: "centre" } }, focus), [
    { width: 400, height: 400, crop: "centre" },
  ]);
  const small = { ...photo, width: 200, height: 100 };
  assert.deepEqual(shapes(small, { a: { ...square, width: 800, position: "entropy" } }), [
    { width: 200, height: 100, crop: "entropy" },
  ]);
  assert.deepEqual(shapes(small, { a: square }), [{ width: 100, height: 100, crop: "attention" }]);
});

test("an animation: frames in the formats that animate, the last one as a still, within the budget", () => {
  const preset = presetOf({
    ladder: { widths: [100], formats: ["avif", "webp", "jpeg"] },
    named: { thumb: { width: 50, format: ["avif", "webp"] } },
    animation: { maxFrames: 10, maxPixels: 100_000 },
  });
  const of = (header: Partial<Header>) =>
    variantsOf({ format: "gif", width: 100, height: 100, frames: 10, alpha: true, ...header }, preset).map(
      ({ name, format, frames }) => `${name}.${format} ${frames}`,
    );
  const stills = ["w100.avif 1", "w100.webp 1", "w100.jpeg 1", "thumb.avif 1", "thumb.webp 1"];
  assert.deepEqual(of({}), ["w100.webp 10", "w100.jpeg 1", "thumb.avif 1", "thumb.webp 1"]);
  assert.deepEqual(of({ frames: 1 }), stills);
  assert.deepEqual(of({ frames: 11 }), stills, "too many frames");
  assert.deepEqual(of({ height: 101 }), stills, "too many pixels");
});

test("the gate: pixels before sides, formats' own limits, frames only where the preset says so", () => {
  const code = (header: Partial<Header>, preset: Partial<Input> = {}) => {
    try {
      gate({ ...photo, ...header }, presetOf({ named: { a: { width: 1, format: "webp" } }, ...preset }));
      return "passes";
    } catch (error) {
      assert(error instanceof DarkroomError);
      return error.code;
    }
  };
  assert.equal(code({}), "passes");
  assert.equal(code({ width: 0 }), "corrupt");
  assert.equal(code({ width: 10_000, height: 6_500 }), "passes");
  assert.equal(code({ width: 10_000, height: 6_501 }), "too-many-pixels");
  assert.equal(code({ width: 5_000, height: 5_000, format: "avif" }), "passes");
  assert.equal(code({ width: 5_000, height: 5_001, format: "avif" }), "too-many-pixels");
  assert.equal(code({ width: 8_064, height: 6_048, format: "heic" }), "passes");
  assert.equal(code({ width: 8_064, height: 6_048, format: "heic" }, { maxPixels: 1e6 }), "too-many-pixels");
  assert.equal(code({ width: 65_535, height: 1 }), "passes");
  assert.equal(code({ width: 65_536, height: 1 }), "dimension-too-large");
  assert.equal(code({ width: 1, height: 65_536 }), "dimension-too-large");
  assert.equal(code({ width: 65_500, height: 65_500 }), "too-many-pixels");
  const many = { width: 10, height: 10, frames: 201 };
  assert.equal(code(many), "passes", "becomes its first frame");
  assert.equal(code(many, { animation: { over: "reject" } }), "too-many-frames");
});
