/** What an edit cuts out, against pictures whose pixels say where they were, turned and cut by hand. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseJson } from "../../adapters/http/api.ts";
import {
  ChangesSchema,
  type Crop,
  changed,
  type Edit,
  editedHeader,
  recipeOf,
  shownAt,
  TURNS,
} from "../../core/edit.ts";
import { DarkroomError } from "../../core/errors.ts";
import { planOf, variantsOf } from "../../core/plan.ts";
import config from "../../core/shipped.ts";

const AT = new Date("2026-11-20T12:00:00Z");
type Grid = readonly (readonly string[])[];

/** Every pixel is named after its place. */
const grid = (width: number, height: number): Grid =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => `${x},${y}`));
/** A quarter clockwise: the first column, from below, becomes the first row. */
const quarter = (all: Grid): Grid => (all[0] ?? []).map((_, x) => all.map((row) => row[x] ?? "").reverse());
const turned = (all: Grid, turn: number): Grid => (turn === 0 ? all : turned(quarter(all), turn - 90));
const cut = (
  all: Grid,
  { left, top, width, height }: { left: number; top: number; width: number; height: number },
) => all.slice(top, top + height).map((row) => row.slice(left, left + width));

const side = fc.integer({ min: 1, max: 12 });
/** A picture, a turn, and a rectangle of whole pixels of what that gives. */
const edits = fc
  .tuple(
    side,
    side,
    fc.constantFrom(...TURNS),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
  )
  .map(([width, height, turn, a, b, c, d]) => {
    const [w, h] = turn % 180 === 90 ? [height, width] : [width, height];
    const [left, top] = [Math.floor(a * w), Math.floor(b * h)];
    const part = { left, top, width: 1 + Math.floor(c * (w - left)), height: 1 + Math.floor(d * (h - top)) };
    const crop: Crop = { x: left / w, y: top / h, width: part.width / w, height: part.height / h };
    return { width, height, turn, part, crop };
  });
const header = (width: number, height: number) => ({
  format: "jpeg" as const,
  width,
  height,
  frames: 1,
  alpha: false,
});

test("what is cut out is what turning and cutting by hand gives", () => {
  fc.assert(
    fc.property(edits, ({ width, height, turn, part, crop }) => {
      const by = editedHeader(header(width, height), { turn, crop });
      const hand = cut(turned(grid(width, height), turn), part);
      assert.deepEqual([by.width, by.height], [hand[0]?.length, hand.length]);
      if (by.cut?.crop) assert.deepEqual(cut(turned(grid(width, height), by.cut.turn), by.cut.crop), hand);
      assert.deepEqual(by.cut?.source ?? { width, height }, { width, height });
    }),
  );
});

test("a point of the original is shown where its pixel is, or as near as it can be", () => {
  fc.assert(
    fc.property(edits, ({ width, height, turn, part, crop }) => {
      const hand = cut(turned(grid(width, height), turn), part);
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          const shown = shownAt({ x: (x + 0.5) / width, y: (y + 0.5) / height }, { turn, crop });
          assert.ok(shown.x >= 0 && shown.x <= 1 && shown.y >= 0 && shown.y <= 1);
          const row = hand.findIndex((row) => row.includes(`${x},${y}`));
          if (row < 0) continue;
          const column = hand[row]?.indexOf(`${x},${y}`) ?? -1;
          assert.ok(Math.abs(shown.x * part.width - column - 0.5) < 1e-6);
          assert.ok(Math.abs(shown.y * part.height - row - 0.5) < 1e-6);
        }
    }),
  );
});

const apply = (standing: Edit | undefined, json: unknown) =>
  changed(standing, parseJson(JSON.parse(JSON.stringify(json)), ChangesSchema), AT) ?? standing;

test("turned again, the same part is shown, and the same point of it is in focus", () => {
  fc.assert(
    fc.property(edits, fc.constantFrom(...TURNS), ({ width, height, turn, part, crop }, to) => {
      const focus = { x: 0.25, y: 0.75 };
      const first = apply(undefined, { turn, crop, focus });
      const then = apply(first, { turn: to });
      const [before, after] = [first, then].map((edit) => {
        const by = editedHeader(header(width, height), edit);
        const all = turned(grid(width, height), by.cut?.turn ?? 0);
        return by.cut?.crop ? cut(all, by.cut.crop) : all;
      });
      assert.deepEqual(turned(before ?? [], (360 + to - turn) % 360), after);
      const wanted = shownAt(focus, { turn: TURNS[((360 + to - turn) % 360) / 90] });
      for (const axis of ["x", "y"] as const)
        assert.ok(Math.abs((then?.focus?.[axis] ?? -1) - wanted[axis]) < 1e-6, `${part.width}`);
      // And back again it is as it was.
      const back = apply(then, { turn });
      for (const axis of ["x", "y", "width", "height"] as const)
        assert.ok(Math.abs((back?.crop ?? WHOLE)[axis] - (first?.crop ?? WHOLE)[axis]) < 1e-9);
    }),
  );
});
const WHOLE: Crop = { x: 0, y: 0, width: 1, height: 1 };

test("a plan of an edited picture decodes enough of the whole, and cuts the base that its steps are made from", () => {
  const [preset] = [...config.presets.values()];
  assert.ok(preset);
  const share = fc.double({ min: 0.001, max: 0.999, noNaN: true });
  const size = fc.integer({ min: 1, max: 6000 });
  fc.assert(
    fc.property(
      size,
      size,
      fc.constantFrom(...TURNS),
      share,
      share,
      share,
      share,
      (width, height, turn, x, y, w, h) => {
        const crop = { x, y, width: w * (1 - x), height: h * (1 - y) };
        const edited = editedHeader(header(width, height), { turn, crop });
        const plan = planOf(edited, variantsOf(edited, preset));
        const part = plan.cut?.crop;
        assert.ok(part && plan.cut?.turn === turn);
        const whole = turn % 180 === 90 ? { width: plan.base.height, height: plan.base.width } : plan.base;
        assert.ok(part.left >= 0 && part.top >= 0);
        assert.ok(part.left + part.width <= whole.width && part.top + part.height <= whole.height);
        assert.ok(plan.base.width <= width && plan.base.height <= height, "nothing is enlarged");
        for (const { from, shape } of plan.steps) {
          const source = plan.steps[from]?.shape ?? part;
          assert.ok(source.width >= shape.width && source.height >= shape.height);
        }
        // The whole, cut, has the aspect ratio that the edited picture has, but for whole pixels.
        assert.ok(
          Math.abs(part.width / whole.width - edited.width / (turn % 180 === 90 ? height : width)) <=
            1.5 / whole.width,
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("what nothing is asked by leaves the recipe, and undoing brings it back", () => {
  const [preset] = [...config.presets.values()];
  assert.ok(preset);
  const edit = apply(undefined, { turn: 90, crop: { x: 0, y: 0, width: 0.5, height: 1 }, alt: "A boat" });
  assert.notEqual(recipeOf(preset, edit), preset.recipe);
  assert.equal(recipeOf(preset, apply(undefined, { alt: "A boat" })), preset.recipe, "words change no pixel");
  assert.equal(recipeOf(undefined, edit), undefined);
  const undone = apply(edit, { turn: null, crop: null });
  assert.deepEqual(undone, { schema: 1, rev: 2, at: AT.toISOString(), alt: "A boat" });
  assert.equal(recipeOf(preset, undone), preset.recipe);
  assert.equal(apply(undone, { turn: 0, crop: WHOLE, alt: " A\n boat " }), undone, "as before: no edit");
  assert.deepEqual(apply(undone, { alt: null }), { schema: 1, rev: 3, at: AT.toISOString() });
  const same = { width: 1, height: 1 };
  assert.deepEqual(editedHeader(header(4, 3), { crop: { x: 0, y: 0, ...same } }).cut?.turn, 0);
});

test("what a PATCH may not say is refused by its name", () => {
  const refused = (json: string) => {
    try {
      parseJson(JSON.parse(json), ChangesSchema);
    } catch (error) {
      assert.ok(error instanceof DarkroomError && error.code === "bad-request");
      return error.message;
    }
    return undefined;
  };
  const crop = (x: unknown, y: unknown, width: unknown, height: unknown) =>
    `{"crop":{"x":${x},"y":${y},"width":${width},"height":${height}}}`;
  for (const [json, reason] of [
    ['{"focus":{"x":"NaN","y":0}}', /focus\.x/],
    ['{"focus":{"x":null,"y":0}}', /focus\.x/],
    ['{"focus":{"x":1e999,"y":0}}', /focus\.x/],
    ['{"focus":{"x":0.5}}', /focus\.y: is missing/],
    ['{"focus":{"x":0.5,"y":0.5,"z":1}}', /focus\.z: is not known/],
    ['{"turn":45}', /turn: expected \(0 \| 90 \| 180 \| 270\)/],
    ['{"turn":"90"}', /turn/],
    [crop(0, 0, 0, 1), /crop: a rectangle/],
    [crop(0.6, 0, 0.5, 1), /crop: a rectangle/],
    [crop(-0.1, 0, 0.5, 1), /crop\.x/],
    ['{"crop":[0,0,1,1]}', /crop/],
    ['{"alt":7}', /alt/],
    [`{"alt":"${"x".repeat(1001)}"}`, /alt: at most 1000 characters/],
    ['{"rev":-1}', /rev/],
    ['{"title":"x"}', /title: is not known/],
    ["null", /body/],
  ] as const)
    assert.match(refused(json) ?? "accepted", reason, json);
  for (const json of [
    "{}",
    crop(0.1, 0.2, 0.9, 0.8),
    '{"focus":null,"turn":null,"crop":null,"alt":null,"rev":0}',
  ])
    assert.equal(refused(json), undefined, json);
  assert.equal(apply(undefined, { alt: "a\u202eb\0\tc\u2028d" })?.alt, "ab c d");
  assert.equal([...(apply(undefined, { alt: "\u{1F6A4}".repeat(1000) })?.alt ?? "")].length, 1000);
});
