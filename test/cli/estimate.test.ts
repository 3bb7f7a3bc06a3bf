import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { metricTable } from "../../adapters/aws/metrics.ts";
import { IDLE_TURN, LOG, missesOf, monthlyBill, STANDING, UPLOAD } from "../../core/money/cost.ts";
import { costOf } from "../../core/money/prices.ts";
import config from "../../core/shipped.ts";
import { startStack } from "../../laptop/stack.ts";
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

/** Bytes of log lines, which stay here. @returns reads the count and goes back to how it was */
function countLogs(): () => number {
  const { write } = process.stdout;
  let bytes = 0;
  process.stdout.write = ((chunk: string | Uint8Array, ...rest: []) => {
    if (typeof chunk !== "string" || !chunk.startsWith("{"))
      return write.call(process.stdout, chunk, ...rest);
    bytes += chunk.length;
    return true;
  }) as typeof write;
  return () => {
    process.stdout.write = write;
    return bytes;
  };
}

test("S3 requests of an upload, and its log, are as much as is counted", async () => {
  process.env["METRICS_SERVICE"] = "darkroom-prod";
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  const requests: string[] = [];
  let told = () => {};
  const ended = new Promise<void>((resolve) => {
    told = resolve;
  });
  let [counting, events] = [false, 0];
  const stack = await startStack({
    port: 0,
    data,
    logLevel: "info",
    s3Fault: ({ method, key, query }) => {
      if (counting) requests.push(`${method} ${query.has("list-type") ? "list" : key?.split("/")[0]}`);
      return undefined;
    },
    // The event, and its webhook.
    onInvocation: (name) => {
      if (name === "events" && ++events === 2) told();
    },
  });
  const logged = countLogs();
  try {
    counting = true;
    const headers = { authorization: `Bearer ${stack.uploadToken}` };
    const file = readFileSync(new URL("../../docs/sample.jpg", import.meta.url));
    const files = [{ name: "a.jpg", type: "image/jpeg", size: file.length }];
    const body = JSON.stringify({ preset: "avatar", files });
    const signed = await fetch(`${stack.api}/uploads`, { method: "POST", headers, body });
    const { uploads } = (await signed.json()) as {
      uploads: { id: string; url: string; headers: Record<string, string> }[];
    };
    const [upload] = uploads;
    assert.ok(upload);
    await fetch(upload.url, { method: "PUT", headers: upload.headers, body: file });
    const ask = () => fetch(`${stack.api}/images/${upload.id}`, { headers });
    await ask();
    await ended;
    const { variants } = (await (await ask()).json()) as { variants: object[] };
    const bytes = logged();
    const writes = requests.filter((one) => /^(PUT|POST) |list$/.test(one));
    const reads = requests.filter((one) => /^(GET|HEAD) (?!list)/.test(one));
    assert.equal(writes.length - variants.length, UPLOAD.writes, writes.join("\n"));
    assert.ok(reads.length <= UPLOAD.reads && reads.length >= UPLOAD.reads - 1, reads.join("\n"));
    // Figures have more digits now and then; S3's test event may be among it.
    assert.ok(bytes > 0.9 * LOG.upload && bytes < 1.25 * LOG.upload, `${bytes} bytes of log`);
  } finally {
    logged();
    delete process.env["METRICS_SERVICE"];
    await stack.close();
    rmSync(data, { recursive: true, force: true });
  }
});

test("a turn of a schedule that finds nothing asks S3 as often as is counted", async () => {
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  const requests: string[] = [];
  const stack = await startStack({
    port: 0,
    data,
    poll: false,
    logLevel: "error",
    s3Fault: ({ method, query }) => {
      requests.push(query.has("list-type") || query.has("uploads") ? "PUT" : method);
      return undefined;
    },
  });
  try {
    for (const [name, { writes, reads }] of Object.entries(IDLE_TURN)) {
      // The first one of a stack writes where it has come to.
      await stack.invoke(name, {});
      requests.length = 0;
      await stack.invoke(name, {});
      const counted = {
        writes: requests.filter((one) => /PUT|POST/.test(one)).length,
        reads: requests.filter((one) => /GET|HEAD/.test(one)).length,
      };
      assert.deepEqual(counted, { writes, reads }, name);
    }
  } finally {
    await stack.close();
    rmSync(data, { recursive: true, force: true });
  }
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
