/** Private images on the whole stack: who sees them, by what, and that nobody else does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { createDarkroom } from "../../client/node.ts";
import { accessFor, createToken, setCookies } from "../../client/server.ts";
import { darkroom as run } from "../cli/darkroom.ts";
import { startProcess } from "../stack-process.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const file = join(data, "presets.ts");
/** The longest there is: signatures change every half of it, in days. */
const ACCESS_SECONDS = 604_800;
const config = (access: string) => `
import { defineConfig } from ${JSON.stringify(pathToFileURL("core/preset.ts").href)};
const ladder = { widths: [64], formats: ["webp", "jpeg"] };
export default defineConfig({
  defaultPreset: "scan",
  presets: {
    scan: { accept: ["jpeg"], access: "private", accessSeconds: ${ACCESS_SECONDS}, ladder },
    photo: { accept: ["jpeg"], access: "${access}", ladder },
  },
});
`;
const SECRET = "of the test that looks at private images";
let stack: Awaited<ReturnType<typeof startProcess>>;
const start = async (access: string) => {
  writeFileSync(file, config(access));
  Object.assign(process.env, { DARKROOM_CONFIG: file, AUTH_SECRET: SECRET });
  stack = await startProcess(data);
};
const stop = async () => {
  stack?.child.kill();
  if (stack) await once(stack.child, "exit");
};
before(() => start("public"));
after(async () => {
  await stop();
  for (const name of ["DARKROOM_CONFIG", "AUTH_SECRET"]) delete process.env[name];
  rmSync(data, { recursive: true, force: true });
});

const tokenOf = (owner: string) => createToken({ secret: SECRET, owner });
const clientOf = async (owner: string) =>
  createDarkroom({ endpoint: stack.note.api, token: await tokenOf(owner) });
const bytes = new Blob([readFileSync("events/originals/landscape.jpg")], { type: "image/jpeg" });
const statusOf = async (url: string, cookie?: string) =>
  (await fetch(url, cookie === undefined ? {} : { headers: { cookie } })).status;

test("a private image is seen by its owner: by signed URLs, by a query, by cookies; by nobody else, and by nothing else", async () => {
  const [ann, bob] = [await clientOf("ann"), await clientOf("bob")];
  const asked = Date.now();
  const mine = await (await ann.upload(bytes)).ready;
  const his = await (await bob.upload(bytes)).ready;
  assert.equal(mine.access, "private");
  const until = Date.parse(mine.signedUntil ?? "");
  assert.ok(until - asked > 500 * ACCESS_SECONDS && until - Date.now() <= 1000 * ACCESS_SECONDS, `${until}`);
  const signed = mine.variants.map(({ url }) => url);
  for (const url of signed) assert.equal(await statusOf(url), 200);
  const plain = signed.map((url) => url.replace(/\?.*/, ""));
  for (const url of plain) assert.equal(await statusOf(url), 403);
  const folder = plain[0]?.replace(/[^/]*$/, "");
  assert.equal(await statusOf(`${folder}meta.json`), 403);
  assert.equal(await statusOf(`${stack.note.media}/images/${mine.id}/meta.json`), 403);
  assert.equal(await statusOf(`${stack.note.media}/homes/${mine.id}`), 403);
  const hisQuery = his.variants[0]?.url.replace(/.*\?/, "");
  assert.equal(await statusOf(`${plain[0]}?${hisQuery}`), 403);
  // Listed ones open too, by the very same URLs.
  const { images } = await ann.list();
  const [listed] = images;
  assert.ok(listed?.status === "ready");
  assert.deepEqual(listed.variants.map(({ url }) => url).sort(), [...signed].sort());

  // What the API named the answer by, it knows again, whoever signed it when.
  const headers = { authorization: `Bearer ${await tokenOf("ann")}` };
  const url = `${stack.note.api}/images/${mine.id}`;
  const etag = (await fetch(url, { headers })).headers.get("etag") ?? "";
  const patch = { method: "PATCH", body: JSON.stringify({ alt: "A lake" }) };
  const edited = await fetch(url, { ...patch, headers: { ...headers, "if-match": etag } });
  assert.equal(edited.status, 202, etag);
  assert.equal((await fetch(url, { ...patch, headers: { ...headers, "if-match": '"other"' } })).status, 412);

  const answer = await fetch(`${stack.note.api}/access`, { method: "POST", headers });
  assert.equal(answer.status, 200);
  const { prefix, query } = (await answer.json()) as { prefix: string; query: string };
  assert.ok(plain[0]?.startsWith(prefix));
  const set = answer.headers.getSetCookie();
  for (const one of set)
    assert.match(one, /; Domain=localhost; Path=\/private\/.*; Secure; HttpOnly; SameSite=Lax$/);
  const cookie = set.map((one) => one.split(";")[0]).join("; ");
  // A back end sets the same.
  const access = await accessFor("ann", { endpoint: stack.note.api, secret: SECRET });
  assert.deepEqual(setCookies(access, "localhost"), set);
  const hisUrl = his.variants[0]?.url.replace(/\?.*/, "") ?? "";
  const climb = hisUrl.replace(stack.note.media, "").split("/").slice(2).join("/");
  for (const url of plain) {
    assert.deepEqual([await statusOf(`${url}?${query}`), await statusOf(url, cookie)], [200, 200]);
    assert.equal(await statusOf(url, cookie.replace("CloudFront-Policy=", "CloudFront-Policy=x")), 403);
    assert.equal(await statusOf(url, cookie.replace(/CloudFront-Signature=[^;]*/, "")), 403);
  }
  assert.deepEqual([await statusOf(`${hisUrl}?${query}`), await statusOf(hisUrl, cookie)], [403, 403]);
  for (const up of ["..", "%2e%2e", "..%2f"])
    assert.equal(await statusOf(`${prefix}${up}/${climb}`, cookie), 403);
});

test("after its preset has changed, a job makes a public image private: its old URLs are nobody's", async () => {
  const ann = await clientOf("ann");
  const open = await (await ann.upload(bytes, { preset: "photo" })).ready;
  for (const { url } of open.variants) assert.equal(await statusOf(url), 200);
  await stop();
  await start("private");
  const env = { DARKROOM_DATA: data };
  const job = await run(["reprocess", "--status", "stale"], { env });
  assert.equal(job.status, 0, job.err + job.out);
  const after = await clientOf("ann");
  const moved = await after.waitUntilReady(open.id);
  assert.equal(moved.access, "private");
  // On another port than before, which the stack's next start has taken: what is signed speaks of where it is now.
  for (const { url } of moved.variants) assert.equal(await statusOf(url), 200);
  for (const { url } of open.variants)
    assert.equal(await statusOf(url.replace(/^http:..[^/]+/, stack.note.media)), 403);
  const note = await fetch(`${stack.note.media}/images/${open.id}/meta.json`);
  const { status, ...rest } = (await note.json()) as Record<string, unknown>;
  assert.deepEqual([status, Object.keys(rest).sort()], ["moved", ["id", "move", "rev", "schema", "writeId"]]);
});
