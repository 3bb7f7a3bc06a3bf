/** One id from the line that signs an upload to the one that says what became of it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { startStack } from "../laptop/stack.ts";

test("an image's id stands in the lines of presign and of the worker", async (t) => {
  const lines: Record<string, unknown>[] = [];
  const write = t.mock.method(process.stdout, "write", (text: string) => {
    for (const line of String(text).split("\n")) if (line.startsWith("{")) lines.push(JSON.parse(line));
    return true;
  });
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  let developed = () => {};
  const done = new Promise<void>((resolve) => {
    developed = resolve;
  });
  const stack = await startStack({
    port: 0,
    data,
    logLevel: "info",
    onInvocation: (name) => {
      if (name === "worker" && lines.some(({ event, status }) => event === "developed" && status === "ready"))
        developed();
    },
  });
  try {
    const file = readFileSync(new URL("../docs/sample.jpg", import.meta.url));
    const signed = await fetch(`${stack.api}/uploads`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.uploadToken}` },
      body: JSON.stringify({
        preset: "avatar",
        files: [{ name: "a.jpg", type: "image/jpeg", size: file.length }],
      }),
    });
    const { uploads } = (await signed.json()) as {
      uploads: { id: string; url: string; headers: Record<string, string> }[];
    };
    const [{ id, url, headers } = { id: "", url: "", headers: {} }] = uploads;
    assert.equal((await fetch(url, { method: "PUT", headers, body: file })).status, 200);
    await done;
    const about = (name: string) =>
      lines.filter(({ event }) => event === name).map(({ ids, id: one }) => ids ?? one);
    assert.deepEqual(about("signed"), [[id]]);
    assert.deepEqual(about("developed"), [id]);
    assert.ok(lines.every((line) => !JSON.stringify(line).includes("X-Amz-Signature")));
  } finally {
    await stack.close();
    write.mock.restore();
    rmSync(data, { recursive: true, force: true });
  }
});
