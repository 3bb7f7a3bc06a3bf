/** The bill, against a day that is counted request by request. */
import assert from "node:assert/strict";
import test from "node:test";
import { usageOf } from "../../../core/money/cost.ts";
import { type Amounts, costOf, type PriceName, sumOf } from "../../../core/money/prices.ts";
import { variantsOf } from "../../../core/plan.ts";
import config from "../../../core/shipped.ts";
import { readTemplate } from "../../../host/template.ts";
import { type Cause, Day } from "./day.ts";

const DAYS = 30;
const header = { format: "jpeg", width: 4000, height: 3000, frames: 1, alpha: false } as const;
const load = {
  uploads: 300,
  megabytes: 4,
  megapixels: 12,
  views: 30,
  months: 3,
  deletes: 0.1,
  developMs: 3000,
};

test("a month's bill is thirty of a day that is counted, line by line within 5 %", async () => {
  const day = new Day(config, readTemplate(new URL("../../../", import.meta.url)), load, header);
  await day.pass();
  const preset = config.presets.get(config.defaultPreset);
  assert.ok(preset);
  const variants = variantsOf(header, preset);
  const { s3Storage: perDay = 0 } = day.counts.uploads;
  const variantBytes = (perDay * 1e9 * DAYS) / load.uploads - load.megabytes * 1e6;
  const lines = usageOf(load, variants.length, variantBytes, load.developMs);
  const of = (...whats: string[]) =>
    lines
      .filter(({ what }) => whats.includes(what))
      .map(({ amounts }) => amounts)
      .reduce(sumOf, {});
  const counted = (...causes: Cause[]) => causes.map((cause) => day.counts[cause]).reduce<Amounts>(sumOf, {});
  const { s3Storage: _, ...uploads } = day.counts.uploads;
  const pairs: [string, Amounts, Amounts][] = [
    ["uploads", of("developing", "API and events", "requests", "messages"), uploads],
    ["views", of("requests, and what it asks S3 for"), counted("views")],
    ["deletes", of("deletes, and what CloudFront forgets"), counted("deletes")],
    [
      "standing",
      of("schedules, and polling of empty queues", "the sweep's rounds"),
      counted("polls", "turns", "rounds"),
    ],
  ];
  const off = pairs.flatMap(([what, billed, inADay]) =>
    Object.keys(sumOf(billed, inADay)).flatMap((name) => {
      const [bill = 0, count = 0] = [billed[name as PriceName], (inADay[name as PriceName] ?? 0) * DAYS];
      return Math.abs(bill - count) <= 0.05 * count
        ? []
        : [`${what}, ${name}: billed ${bill}, counted ${count}`];
    }),
  );
  assert.deepEqual(off, []);
  const dollars = (which: 1 | 2, times: number) =>
    pairs.map((pair) => pair[which]).reduce<number>((sum, amounts) => sum + times * costOf(amounts), 0);
  assert.ok(Math.abs(dollars(1, 1) / dollars(2, DAYS) - 1) < 0.05);
});
