import assert from "node:assert/strict";
import test from "node:test";
import { outputFormats, profiles } from "../../core/formats.ts";
import { type ConfigInput, defineConfig, encoderOf, presetOf } from "../../core/preset.ts";
import shipped from "../../core/shipped.ts";

const minimal = (preset: object = {}): ConfigInput => ({
  defaultPreset: "photo",
  presets: { photo: { accept: ["jpeg"], ladder: { widths: [320], formats: ["webp"] }, ...preset } },
});

test("the shipped configuration is valid and says what the design promises", () => {
  assert.deepEqual([...shipped.presets.keys()], ["photo", "avatar"]);
  const photo = shipped.presets.get("photo");
  assert.equal(photo?.maxBytes, 25_000_000);
  assert.equal(photo?.maxPixels, 65_000_000);
});

test("all problems are reported together, by name", () => {
  const broken = {
    defaultPreset: "missing",
    presets: {
      photo: {
        accept: ["no-such-format"],
        ladder: { widths: [0.5], formats: ["heic"] },
        named: {
          Big: { format: "webp" },
          w640: { width: 1, format: "webp" },
          square: { width: 9, fit: "cover", format: "webp" },
        },
        colour: "red",
      },
    },
  };
  assert.throws(
    () => defineConfig(broken as unknown as ConfigInput),
    (error: Error) => {
      for (const part of [
        "photo.accept.0",
        "photo.ladder.widths.0",
        "photo.ladder.formats.0",
        "photo.named.Big",
        "photo.colour",
        "a width or a height",
        "both width and height",
      ]) {
        assert.ok(error.message.includes(part), `${part} in\n${error.message}`);
      }
      return true;
    },
  );
  assert.throws(() => defineConfig({ ...minimal(), defaultPreset: "missing" }), /no preset called "missing"/);
  assert.throws(() => defineConfig(minimal({ ladder: undefined })), /makes no variant/);
});

test("a name means one preset, whether it has it or had it", () => {
  const { photo } = minimal().presets;
  const presets = { photo, a: { ...photo, formerly: ["photo", "b"] }, c: { ...photo, formerly: ["b", "b"] } };
  assert.throws(
    () => defineConfig({ defaultPreset: "a", presets } as ConfigInput),
    (error: Error) =>
      /"photo" means "photo" and "a"/.test(error.message) && /"b" means "a" and "c"/.test(error.message),
  );
  const config = defineConfig(minimal({ formerly: ["old"] }));
  assert.deepEqual(
    ["photo", "old", "older"].map((name) => presetOf(config, name)?.name),
    ["photo", "photo", undefined],
  );
});

test("a recipe changes with what makes the pixels and not with what merely lets them in", () => {
  const recipe = (preset: object) => defineConfig(minimal(preset)).presets.get("photo")?.recipe;
  const base = recipe({});
  assert.equal(recipe({ maxBytes: 1000, accept: ["png"] }), base);
  assert.notEqual(recipe({ ladder: { widths: [640], formats: ["webp"] } }), base);
  assert.notEqual(recipe({ background: "#000000" }), base);
  assert.notEqual(recipe({ ladder: { widths: [320], formats: ["webp"], quality: { webp: 50 } } }), base);
});

test("a recipe does not change with how it is written down, nor with formats it does not use", () => {
  const small = { width: 8, format: "webp" as const };
  const large = { width: 9, format: "webp" as const };
  const recipe = (named: object) => defineConfig(minimal({ named })).presets.get("photo")?.recipe;
  assert.equal(recipe({ small, large }), recipe({ large, small }));
  assert.notEqual(recipe({ small, large }), recipe({ small }));
});

test("a quality: a word, a score or a number; the preset's is none of those who have their own", () => {
  const ladder = { widths: [320], formats: ["webp", "jpeg"] };
  const of = (preset: object) => defineConfig(minimal({ ladder, ...preset })).presets.get("photo")?.recipe;
  assert.equal(of({}), of({ quality: "good" }));
  const asked = ["high", "good", "low", { score: 70 }, { score: 71 }, 80].map((quality) => of({ quality }));
  assert.equal(new Set(asked).size, 6);
  const numbers = {
    ladder: { ...ladder, quality: { webp: 80, jpeg: 70 } },
    named: { a: { width: 8, format: "avif", quality: 50 }, b: { width: 8, format: "png" } },
  };
  assert.equal(of({ ...numbers, quality: "high" }), of(numbers));
  for (const quality of ["best", 0, 101, { score: 95 }, { score: "good" }])
    assert.throws(() => of({ quality }), /photo\.quality/);
});

test("a format stops at a width: the one that browsers prefer is as wide as those after it, each has the narrowest rung", () => {
  const of = (upTo?: object, formats = ["webp", "avif", "jpeg"]) =>
    defineConfig(minimal({ ladder: { widths: [1280, 320], formats, ...(upTo && { upTo }) } })).presets.get(
      "photo",
    )?.recipe;
  assert.equal(new Set([of(), of({ jpeg: 320 }), of({ jpeg: 320, webp: 640 })]).size, 3);
  assert.equal(of({ webp: 640, jpeg: 320 }), of({ jpeg: 320, webp: 640 }));
  for (const refused of [
    { avif: 320 },
    { webp: 320 },
    { webp: 320, jpeg: 640 },
    { jpeg: 319 },
    { png: 640 },
    { gif: 640 },
  ])
    assert.throws(() => of(refused), /photo\.ladder.*upTo/s, JSON.stringify(refused));
  // As wide as the widest rung is as wide as without a bound.
  of({ avif: 2000 });
  of({ png: 320 }, ["png"]);
});

test("a profile decides the encoders' settings, and with them the recipe", () => {
  const of = (profile?: string) => defineConfig(minimal({ profile })).presets.get("photo");
  assert.equal(of()?.profile, "balanced");
  assert.equal(of()?.recipe, of("balanced")?.recipe);
  assert.notEqual(of("best")?.recipe, of("fast")?.recipe);
  for (const format of outputFormats) {
    for (const profile of profiles) assert.ok(encoderOf(format, profile).quality >= 1);
    assert.equal(encoderOf(format, "fast", 33).quality, 33);
  }
  assert.throws(() => of("faster"), /photo\.profile/);
});

test("later leaves some format to be there at once, and changes no recipe", () => {
  const ladder = { widths: [320], formats: ["webp", "jpeg"] };
  const of = (formats?: string[]) =>
    defineConfig(
      minimal({ ladder, ...(formats ? { later: { formats, aboveMegapixels: 2 } } : {}) }),
    ).presets.get("photo");
  assert.equal(of(["webp"])?.recipe, of()?.recipe);
  assert.throws(() => of(["webp", "jpeg"]), /later: some format/);
});
