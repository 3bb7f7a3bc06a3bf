import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { estimateOf, withinMeans } from "../../core/estimate.ts";
import { formatNames, profiles } from "../../core/formats.ts";
import { type Header, planOf, variantsOf } from "../../core/plan.ts";
import { maxPixelsOf, type Preset } from "../../core/preset.ts";
import config from "../../darkroom.config.ts";
import { readTemplate } from "../../local/template.ts";

const preset = config.presets.get("photo");
assert(preset);
const photo: Preset = preset;
const header = (width: number, height: number, more: Partial<Header> = {}): Header => ({
  format: "jpeg",
  width,
  height,
  frames: 1,
  alpha: false,
  ...more,
});
const estimate = (of: Header, by: Preset = photo) => estimateOf(planOf(of, variantsOf(of, by)), 1_000_000, 2);

test("a more careful profile never costs less, nor do more pixels of the same shape", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3500 }), fc.integer({ min: 1, max: 3500 }), (width, height) => {
      const small = estimate(header(width, height));
      assert(small.cpuMs > 0 && small.peakBytes > 100_000_000);
      assert(estimate(header(2 * width, 2 * height)).cpuMs >= small.cpuMs);
      const [best = 0, balanced = 0, fast = 0] = profiles.map(
        (profile) => estimate(header(width, height), { ...photo, profile }).cpuMs,
      );
      assert(best >= balanced && balanced >= fast);
    }),
  );
});

test("a worker of the size in serverless.yml has the means for everything the shipped presets accept", () => {
  const { memoryMb } =
    readTemplate(new URL("../../", import.meta.url)).functions.find(({ name }) => name === "worker") ?? {};
  assert(memoryMb);
  const means = { memoryBytes: memoryMb * 2 ** 20 - 300_000_000, vcpus: memoryMb / 1769, seconds: 60 };
  for (const preset of config.presets.values()) {
    for (const format of preset.accept) {
      const side = Math.floor(Math.sqrt(maxPixelsOf(preset, format)));
      const largest = header(side, side, { format });
      withinMeans(estimateOf(planOf(largest, variantsOf(largest, preset)), preset.maxBytes, 2), means);
    }
  }
});

test("what would not fit is too-many-pixels, and says why", () => {
  const cost = estimate(header(8000, 6000, { format: "png" }));
  const means = { memoryBytes: 2_000_000_000, vcpus: 1, seconds: 60 };
  withinMeans(cost, means);
  assert.throws(() => withinMeans(cost, { ...means, memoryBytes: 200_000_000 }), {
    code: "too-many-pixels",
    message: /about \d+ MB .* there are 200/,
  });
  assert.throws(() => withinMeans(cost, { ...means, seconds: 2 }), {
    code: "too-many-pixels",
    message: /seconds/,
  });
  assert.throws(() => withinMeans(cost, { ...means, vcpus: 0.01 }), { code: "too-many-pixels" });
});

test("every format has its costs", () => {
  for (const format of formatNames) {
    const { cpuMs, peakBytes } = estimate(header(100, 100, { format }));
    assert(Number.isFinite(cpuMs) && Number.isFinite(peakBytes));
  }
});
