import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { estimateOf, largestOf, withinMeans } from "../../core/estimate.ts";
import { formatNames, profiles } from "../../core/formats.ts";
import { gate, type Header, planOf, variantsOf } from "../../core/plan.ts";
import type { Preset } from "../../core/preset.ts";
import config from "../../core/shipped.ts";
import { readTemplate } from "../../host/template.ts";

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
      for (const largest of largestOf(preset, format)) {
        gate(largest, preset);
        withinMeans(estimateOf(planOf(largest, variantsOf(largest, preset)), preset.maxBytes, 2), means);
      }
    }
  }
});

test("a large screenshot, 572 MB as measured, is not taken for less", () => {
  const screenshot = header(2560, 4687, { format: "png", alpha: true });
  const plan = planOf(screenshot, variantsOf(screenshot, photo));
  for (const parallel of [1, 2]) {
    const cost = estimateOf(plan, 9_800_000, parallel);
    assert(cost.peakBytes > 572e6 && cost.peakBytes < 1.25 * 572e6, String(cost.peakBytes));
    const means = { memoryBytes: 570_000_000, seconds: 600, vcpus: 1 };
    assert.throws(() => withinMeans(cost, means), { code: "too-many-pixels" });
  }
  // As large as the budget: no encoder of graphics sees it.
  const moving = header(2600, 2600, { format: "webp", frames: 7 });
  assert(estimateOf(planOf(moving, variantsOf(moving, photo)), 1_000_000, 2).peakBytes < 1e9);
});

test("a graphic may take longer than a photograph of its size, and is refused by what it may take", () => {
  const cost = estimate(header(4000, 3000, { format: "png" }));
  assert(cost.graphicCpuMs > cost.cpuMs);
  const means = { memoryBytes: 2e9, vcpus: 1, seconds: (cost.cpuMs + cost.graphicCpuMs) / 2000 };
  assert.throws(() => withinMeans(cost, means), { code: "too-many-pixels" });
  const moving = estimate(header(400, 300, { format: "webp", frames: 5 }));
  assert.equal(moving.graphicCpuMs, moving.cpuMs, "animations never count as graphics");
});

test("noise takes as long as was measured, and what is refused for its time is refused by that", () => {
  assert(photo.ladder);
  const everyRung: Preset = { ...photo, ladder: { ...photo.ladder, upTo: {} } };
  // 2561 × 2561, preset photo with every rung in each format: CPU of the pixel process in ms.
  for (const { format, measured } of [
    { format: "png", measured: 17_120 },
    { format: "webp", measured: 15_320 },
    { format: "jpeg", measured: 9150 },
  ] as const) {
    const { noiseCpuMs } = estimate(header(2561, 2561, { format, alpha: format !== "jpeg" }), everyRung);
    assert(noiseCpuMs > 0.95 * measured && noiseCpuMs < 1.3 * measured, `${format}: ${noiseCpuMs}`);
  }
  const cost = estimate(header(2561, 2561, { format: "png", alpha: true }));
  const means = { memoryBytes: 2e9, vcpus: 1, seconds: cost.noiseCpuMs / 1000 };
  withinMeans(cost, means);
  assert.throws(() => withinMeans(cost, { ...means, seconds: means.seconds - 1 }), {
    code: "too-many-pixels",
  });
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
