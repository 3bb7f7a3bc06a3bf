/** A whole folder dropped on the page. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { startStack } from "../../laptop/stack.ts";
import { settingsOf, startChromium } from "./chromium.ts";

test("a thousand files at once all arrive, and the page stays quiet", async () => {
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  const stack = await startStack({ port: 0, data, logLevel: "error", poll: false });
  const chromium = await startChromium();
  try {
    const { page, problems } = await chromium.open();
    const ids = await page.evaluate(async (settings) => {
      const darkroom = client.createDarkroom(settings);
      const files = Array.from(
        { length: 1000 },
        (_, i) => new File([`${i}`], `${i}.jpg`, { type: "image/jpeg" }),
      );
      const uploaded = await Promise.all(files.map((file) => darkroom.upload(file)));
      return uploaded.map(({ id }) => id);
    }, settingsOf(stack));
    assert.equal(new Set(ids).size, 1000);
    const headers = { authorization: `Bearer ${stack.uploadToken}` };
    for (const id of [ids[0], ids[500], ids[999]]) {
      assert.equal((await fetch(`${stack.api}/images/${id}`, { headers })).status, 202);
    }
    assert.deepEqual(problems, []);
  } finally {
    await chromium.close();
    await stack.close();
    rmSync(data, { recursive: true, force: true });
  }
});
