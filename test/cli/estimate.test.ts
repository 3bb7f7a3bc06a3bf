import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { parse } from "yaml";
import { metricTable } from "../../adapters/aws/metrics.ts";
import { missesOf, monthlyBill, STANDING } from "../../core/money/cost.ts";
import { costOf } from "../../core/money/prices.ts";
import config from "../../core/shipped.ts";
import { darkroom } from "./darkroom.ts";

const photo = config.presets.get("photo");
assert.ok(photo);
const load = { uploads: 1_000_000, megabytes: 4, megapixels: 12, views: 30, months: 12, deletes: 0.01 };

test("prices go down by steps", () => {
  assert.equal(costOf({ lambdaRequest: 5_000_000 }), 1);
  // 10 TB, 40 TB and 10 TB.
  assert.equal(costOf({ cdnTransfer: 60_000 }), 850 + 3200 + 600);
  assert.equal(costOf({}), 0);
});

test("a bill is the sum of its lines, and follows what drives it", () => {
  const bill = monthlyBill(photo, load);
  const sum = bill.lines.reduce((all, { dollars }) => all + dollars, 0);
  assert.ok(Math.abs(sum - bill.dollars) < 1e-6);
  const line = (changes: object, what: string) =>
    monthlyBill(photo, { ...load, ...changes }).lines.find((one) => one.what === what)?.dollars ?? 0;
  assert.ok(line({ months: 24 }, "originals kept") > 1.9 * line({}, "originals kept"));
  // With 110 ms beside the pixels.
  assert.ok(Math.abs(line({ developMs: 1000 }, "developing") - (2.22 * 1e6 * 0.0000133334 + 0.2)) < 0.01);
  assert.ok(line({ views: 0 }, "transfer") === 0 && line({}, "transfer") > 0);
  assert.equal(monthlyBill(photo, { ...load, uploads: 0 }).perThousand, 0);
  assert.ok(line({ deletes: 0.1 }, "deletes, and what CloudFront forgets") > 400);
  const colder = { to: "STANDARD_IA", afterMonths: 3 } as const;
  // Three months of twelve stay: 12 TB at 0.0245, 36 TB at 0.0135, and a move for each upload.
  assert.ok(Math.abs(line({ colder }, "originals kept") - (294 + 486 + 10)) < 0.01);
  // Let go after half a year: three months stay, three are colder. Tiered: one as before, two, then six; nine million watched.
  const half = { colder, originalsMonths: 6 };
  assert.ok(Math.abs(line(half, "originals kept") - (294 + 162 + 10)) < 0.01);
  assert.ok(Math.abs(line({ originalsMonths: 6 }, "originals kept") - 588) < 0.01);
  const tiered = { to: "INTELLIGENT_TIERING", afterMonths: 3 } as const;
  const kept = 294 + 98 + 108 + 120 + 10 + 22.5;
  assert.ok(Math.abs(line({ colder: tiered }, "originals kept") - kept) < 0.01);
});

test("steps by volume are the account's: variants begin where originals end", () => {
  const big = monthlyBill(photo, { ...load, uploads: 100_000_000 });
  const of = (what: string) => big.lines.find((one) => one.what === what)?.dollars ?? 0;
  const gigabytes = (100e6 * 12 * big.variantBytes) / 1e9;
  assert.ok(Math.abs(of("variants kept") - gigabytes * 0.0225) < 1);
});

test("people who look make the CDN ask for three widths a day, as long as there are so many of them", () => {
  assert.equal(missesOf(0), 0);
  assert.ok(missesOf(1) <= 1);
  assert.ok(missesOf(30) > 12 && missesOf(30) < 13);
  assert.ok(missesOf(1e9) <= 90);
});

test("alarms are paid for by the metrics that they look at, and metrics are no fewer than there are", () => {
  const { Resources } = parse(
    readFileSync(new URL("../../deploy/infra/watch.yml", import.meta.url), "utf8"),
  ) as {
    Resources: Record<
      string,
      { Type: string; Condition?: string; Properties: { Metrics?: { MetricStat?: object }[] } }
    >;
  };
  const alarms = Object.values(Resources).filter(
    ({ Type, Condition }) => Type === "AWS::CloudWatch::Alarm" && Condition !== "Probed",
  );
  const looked = alarms.map(
    ({ Properties }) => Properties.Metrics?.filter((one) => one.MetricStat).length ?? 1,
  );
  assert.equal(
    looked.reduce((sum, one) => sum + one, 0),
    STANDING.alarm,
  );
  assert.ok(STANDING.metric >= Object.keys(metricTable).length + 10);
});

test("darkroom estimate prints the bill, or JSON, and refuses what is no number", async () => {
  const said = await darkroom(["estimate", "--uploads-per-month", "1000000", "--avg-mb", "4"]);
  assert.equal(said.status, 0);
  assert.match(said.out, /Lambda\s+developing[\s\S]*CloudFront\s+transfer[\s\S]*together/);
  const json = await darkroom(["estimate", "--uploads-per-month", "1000000", "--avg-mb", "4", "--json"]);
  const { dollars } = JSON.parse(json.out) as { dollars: number };
  assert.equal(dollars, monthlyBill(photo, load).dollars);
  assert.equal((await darkroom(["estimate", "--uploads-per-month", "many"])).status, 2);
  assert.equal((await darkroom(["estimate"])).status, 2);
});
