/** What is encoded beside what, where memory has no room for all. */
import assert from "node:assert/strict";
import test from "node:test";
import { encodeBytes, encodersBudget } from "../../core/estimate.ts";
import { planOf, variantsOf } from "../../core/plan.ts";
import { makeVariants } from "../../pixels/variants.ts";
import { presetOf } from "./develop-with.ts";

test("beside the largest AVIF goes what is small, of whichever size, not what comes next", async () => {
  const size = { width: 1920, height: 1210 };
  const preset = presetOf({ profile: "fast", ladder: { widths: [1920, 300], formats: ["avif", "webp"] } });
  const header = { format: "jpeg", ...size, frames: 1, alpha: false } as const;
  const plan = planOf(header, variantsOf(header, preset));
  const [largest, next] = plan.steps[0]?.encodes ?? [];
  assert(largest && next);
  assert(
    encodeBytes(largest) + encodeBytes(next) > encodersBudget(encodeBytes(largest), 2),
    "no room for both",
  );

  // No two neighbours alike, as in a photo.
  const data = new Uint8Array(size.width * size.height * 3).map((_, i) => (i * 7) % 251);
  const made: string[] = [];
  await makeVariants({ data, ...size, channels: 3, frames: 1 }, plan, 2, ({ step, encode }) => {
    const variant = plan.steps[step]?.encodes[encode];
    made.push(`${variant?.name}.${variant?.format}`);
  });
  assert.deepEqual(made.toSorted(), ["w1920.avif", "w1920.webp", "w300.avif", "w300.webp"]);
  assert(made.indexOf("w300.webp") < made.indexOf("w1920.avif"), made.join(", "));
  assert(made.indexOf("w1920.avif") < made.indexOf("w1920.webp"), made.join(", "));
});
