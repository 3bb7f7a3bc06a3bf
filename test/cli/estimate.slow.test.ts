/** What the bill counts of an upload and of an idle month, counted on the whole stack. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { IDLE_TURN, LOG, UPLOAD } from "../../core/money/cost.ts";
import { startStack } from "../../laptop/stack.ts";

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
