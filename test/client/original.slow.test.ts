/** A file comes back from S3 byte by byte, under the name it had, in a real browser and by the command. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { bytes as inWords } from "../../cli/terminal.ts";
import type { Stack } from "../../laptop/stack.ts";
import { darkroom } from "../cli/darkroom.ts";
import { PATIENCE_MS } from "./chromium.ts";
import { running } from "./running.ts";

/** Small, as a dozen are developed. */
const SAMPLE = "test/images/valid/base-progressive.jpg";
const bytes = readFileSync(SAMPLE);
const its = running();

/** As it was called, and as Chromium saves it where that is another name: no path, nothing that a system could stumble over. */
const names: readonly (readonly [name: string, saved?: string])[] = [
  ["IMG 0042.jpg"],
  ["Ferienfotö – Süßes & Saures (1).jpg"],
  ["写真 東京.jpg"],
  ["صورة العائلة.jpg"],
  // What joins them is invisible, and might deceive.
  ["👩\u200d👧 family.jpg", "👩_👧 family.jpg"],
  ["e\u0301 decomposed.jpg", "é decomposed.jpg"],
  ["100% %41 +plus, semi; 'single'.jpg"],
  ['quote " back \\ slash.jpg', "quote _ back _ slash.jpg"],
  ["../../etc/passwd.jpg", "_.._etc_passwd.jpg"],
  ["line\r\nSet-Cookie: a=b.jpg", "lineSet-Cookie_ a=b.jpg"],
  [`${"長".repeat(60)}.jpg`],
];

test("a browser saves an original under the name it had", async () => {
  const { page, problems } = await its.chromium.open();
  const { api: endpoint, uploadToken } = its.stack;
  for (const [name, saved = name] of names) {
    const original = await page.evaluate(
      async ({ endpoint, token, name, base64 }) => {
        const darkroom = globalThis.client.createDarkroom({ endpoint, token });
        const file = new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, {
          type: "image/jpeg",
        });
        const { id } = await darkroom.upload(file);
        return darkroom.original(id);
      },
      { endpoint, token: uploadToken, name, base64: bytes.toString("base64") },
    );
    assert.equal(original.name, name.normalize("NFC").replaceAll(/\p{Cc}/gu, ""));
    const [download] = await Promise.all([
      page.waitForEvent("download", { timeout: PATIENCE_MS }),
      page.evaluate((url) => {
        location.href = url;
      }, original.url),
    ]);
    assert.equal(download.suggestedFilename(), saved, name);
    assert.deepEqual(readFileSync(await download.path()), bytes);
  }
  assert.deepEqual(problems, []);
  // For whoever follows redirects; and by a link, which can send no header.
  const { images } = (await (
    await fetch(`${endpoint}/images`, { headers: { authorization: `Bearer ${uploadToken}` } })
  ).json()) as { images: { id: string }[] };
  const { adminToken } = its.stack;
  const path = `/images/${images[0]?.id}/original`;
  const answer = await fetch(endpoint + path, { headers: { authorization: `Bearer ${adminToken}` } });
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes);
  const { uploadToken: brief } = (await (await fetch(`${its.stack.page}/local.json`)).json()) as Stack;
  const linked = await fetch(`${endpoint}/t/${brief}${path}`, { redirect: "manual" });
  assert.deepEqual(
    [linked.status, linked.headers.get("cache-control"), linked.headers.get("referrer-policy")],
    [302, "no-store", "no-referrer"],
  );
  const signed = linked.headers.get("location") ?? "";
  assert.equal((await fetch(signed)).status, 200);
  assert.equal((await fetch(signed.replace("attachment", "inline"))).status, 403);
});

test("the command saves an original, and never over another file", async () => {
  const env = { DARKROOM_DATA: its.data };
  const up = await darkroom(["upload", SAMPLE, "--json"], { env });
  const { id } = JSON.parse(up.out) as { id: string };
  const output = join(its.data, "back.jpg");
  const first = await darkroom(["original", id, "--output", output], { env });
  assert.deepEqual([first.status, first.out], [0, `${output}  ${inWords(bytes.length)}\n`], first.err);
  assert.deepEqual(readFileSync(output), bytes);
  const again = await darkroom(["original", id, "--output", output], { env });
  assert.equal(again.status, 1);
  assert.match(again.err, /is there already/);
  const url = await darkroom(["original", id, "--url"], { env });
  assert.match(url.out, /^http.+X-Amz-Signature=[0-9a-f]{64}\n$/);
  const nowhere = join(its.data, "x");
  const none = await darkroom(["original", `${id}x`, "--output", nowhere], { env });
  assert.deepEqual([none.status, none.out], [1, ""]);
  assert.ok(!existsSync(nowhere));
});
