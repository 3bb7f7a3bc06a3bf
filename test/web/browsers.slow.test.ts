/** What people do on the page, the same in every browser. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { engines } from "../browsers/engines.ts";
import { firstPartSent, flows, LARGE, type Look, photo, Watch } from "../browsers/flows.ts";
import { shows } from "../browsers/tab.ts";
import { launchWebKit } from "../browsers/webkit.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const s3 = new Watch();
let stack: Stack;

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error", s3Fault: s3.s3Fault });
});
after(async () => {
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});

const page: Look = {
  input: "input[type=file]",
  row: (name) => `.card:has(h3[title="${name}"])`,
  picture: " .developed img",
  problem: " .problem",
  cancel: "Cancel",
};

for (const [name, launch] of Object.entries(engines)) {
  test(name, async (t) => {
    const engine = await launch();
    t.after(() => engine.close());
    for (const [flow, run] of Object.entries(flows)) {
      await t.test(flow, async () => {
        s3.reset();
        const tab = await engine.open(stack.page);
        await shows(tab, "h1");
        await run(tab, page, s3);
        await tab.close();
      });
    }
  });
}

test("WebKit reads nothing for a page that is being left: one that stays after all goes on by itself", async (t) => {
  const engine = await launchWebKit();
  t.after(() => engine.close());
  const tab = await engine.open(stack.page);
  await shows(tab, "h1");
  const arrived = Promise.withResolvers<void>();
  const held = Promise.withResolvers<undefined>();
  t.after(() => held.resolve(undefined));
  s3.reset();
  s3.atPart = async (part) => {
    if (part !== 2) return undefined;
    arrived.resolve();
    return held.promise;
  };
  await tab.choose(page.input, await photo("stays.jpg", LARGE));
  await arrived.promise;
  await tab.run(firstPartSent);
  s3.reset();
  // 204: there is nothing to go to. It takes its time to say so, as a server does that is far away.
  const nowhere = createServer((_, response) => setTimeout(() => response.writeHead(204).end(), 2000));
  await once(nowhere.listen(0, "127.0.0.1"), "listening");
  t.after(() => nowhere.close());
  const { port } = nowhere.address() as AddressInfo;
  await tab.run((url) => void setTimeout(() => location.assign(url)), `http://127.0.0.1:${port}/`);
  await shows(tab, page.row("stays.jpg") + page.picture);
  assert.equal(s3.parts.has(1), false);
});

test("WebKit in private keeps no file, which is said before a reload would lose it", async (t) => {
  const engine = await launchWebKit({ isPrivate: true });
  t.after(() => engine.close());
  const tab = await engine.open(stack.page);
  await shows(tab, "h1");
  const held = Promise.withResolvers<undefined>();
  s3.atPart = () => held.promise;
  await tab.choose(page.input, await photo("private.jpg"));
  await shows(tab, "[role=note]", "stay on this page until yours have arrived");
  const asks = () => tab.run(() => !dispatchEvent(new Event("beforeunload", { cancelable: true })));
  assert.equal(await asks(), true);
  held.resolve(undefined);
  await shows(tab, page.row("private.jpg") + page.picture);
  assert.equal(await asks(), false);
});
