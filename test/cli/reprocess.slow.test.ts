/** Operators at work: `reprocess`, `jobs` and `failures`, as processes of their own against a running stack. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import sharp from "sharp";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { readRevision } from "../../core/commit.ts";
import type { Progress } from "../../core/job/job-progress.ts";
import { attentionKey, metaKey, newId, variantKey } from "../../core/keys.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom as run } from "./darkroom.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
let stack: Stack;
let uploads: ObjectStore;
let media: ObjectStore;
/** Three that are ready, and one that is no image. */
let ready: string[];
let bad: string;

const darkroom = (args: readonly string[], input = "") => run(args, { env: { DARKROOM_DATA: data }, input });
const documentOf = async (id: string): Promise<Metadata> => {
  const { document } = await readRevision(media, id);
  assert.ok(document);
  return document;
};

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
  const s3 = s3Client({ forcePathStyle: true });
  uploads = s3Store(s3, stack.env["UPLOADS_BUCKET"] ?? "");
  media = s3Store(s3, stack.env["MEDIA_BUCKET"] ?? "");
  const files = await Promise.all(
    ["#246", "#624", "#462"].map(async (background, i) => {
      const file = join(data, `${i}.png`);
      await sharp({ create: { width: 80, height: 60, channels: 3, background } })
        .png()
        .toFile(file);
      return file;
    }),
  );
  const page = join(data, "page.jpg");
  writeFileSync(page, "<html>not an image</html>");
  const { out } = await darkroom(["upload", "--json", ...files, page]);
  const images: { id: string; status: string }[] = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  ready = images.filter(({ status }) => status === "ready").map(({ id }) => id);
  assert.equal(ready.length, 3, out);
  const { objects } = await uploads.list("failures/rejected/");
  bad = objects[0]?.key.slice(-31, -5) ?? "";
});
after(async () => {
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

/** As if other sizes had made it: one variant of today's is missing, one of yesterday's stands in its place. */
async function makeStale(id: string): Promise<{ kept: string[]; missing: string; old: string }> {
  const document = await documentOf(id);
  const [missing, ...kept] = document.variants;
  assert.ok(missing);
  const old = { ...missing, key: variantKey(id, "w48", "0123456789abcdef", "webp") };
  await media.put(old.key, Buffer.alloc(old.bytes), { type: "image/webp" });
  await media.delete(missing.key);
  const stale = { ...document, recipe: "fedcba9876543210", variants: [old, ...kept] };
  await media.put(metaKey(id), JSON.stringify(stale), { type: "application/json" });
  return { kept: kept.map(({ key }) => key), missing: missing.key, old: old.key };
}

test("what another recipe made is found, priced, and made anew: only what is missing", async () => {
  const [first = "", second = "", third = ""] = ready;
  const before = await makeStale(first);
  await makeStale(second);
  const marks = await Promise.all(before.kept.map((key) => media.put(key, "untouched")));
  const dry = await darkroom(["reprocess", "--status", "stale", "--dry-run"]);
  assert.equal(dry.status, 0, dry.err);
  assert.match(
    dry.out,
    /^2 images, 2 of them to change: 2 variants to make\n.*GB-seconds.*less than \$0\.01/,
  );
  assert.equal((await documentOf(first)).rev, 1, "a dry run does nothing");

  const { status, out, err } = await darkroom(["reprocess", "--status", "stale"]);
  assert.equal(status, 0, err);
  assert.match(out, /^[0-9]{13}[0-9a-z]{7} done: 2 done in \d+:\d\d, [\d.]+\/s\n$/);
  const after = await documentOf(first);
  assert.deepEqual(after.variants.map(({ key }) => key).sort(), [...before.kept, before.missing].sort());
  assert.deepEqual(
    after.superseded.map(({ key }) => key),
    [before.old],
  );
  for (const [i, key] of before.kept.entries()) {
    assert.equal((await media.head(key))?.etag, marks[i]?.etag, "carried over, not written");
  }
  assert.equal((await documentOf(third)).rev, 1);
  const again = await darkroom(["reprocess", "--status", "stale", "--json"]);
  const job: Progress = JSON.parse(again.out);
  assert.deepEqual([job.state, job.scanned, job.queued], ["done", 4, 0]);
});

test("a canary develops a share here, says how bytes and scores differ, shows pairs, and changes nothing", async () => {
  const photo = join(data, "photo.jpg");
  await sharp("docs/sample.jpg").resize(1000).jpeg().toFile(photo);
  const uploaded = await darkroom(["upload", "--json", photo]);
  const { id }: { id: string } = JSON.parse(uploaded.out);
  const before = await documentOf(id);
  const config = join(data, "coarser.ts");
  writeFileSync(
    config,
    `import shipped from ${JSON.stringify(new URL("../../core/shipped.ts", import.meta.url).href)};
    import { defineConfig } from ${JSON.stringify(new URL("../../core/preset.ts", import.meta.url).href)};
    const { photo } = Object.fromEntries(shipped.presets);
    const { name, recipe, ...rest } = photo;
    const ladder = { ...rest.ladder, upTo: { jpeg: 640 }, quality: { jpeg: 30 } };
    export default defineConfig({ defaultPreset: "photo", presets: { photo: { ...rest, ladder } } });`,
  );
  const folder = join(data, "canary");
  const args = ["reprocess", "--canary", "100%", "--canary-to", folder];
  const coarser = (...more: string[]) =>
    run([...args, ...more], { env: { DARKROOM_DATA: data, DARKROOM_CONFIG: config } });
  const { status, out, err } = await coarser(id, bad);
  assert.equal(status, 1, "nobody was there to say: go on");
  assert.match(out, /^1 image developed here: 1 differ, 0 cannot be made\.\n/);
  const [, change = "", was = "", is = ""] =
    /photo jpeg +\d.* (\S+) % +([\d.]+) \/ \S+ \/ \S+ +([\d.]+) \//.exec(out) ?? assert.fail(out);
  assert.ok(Number(change) < -20 && Number(is) < Number(was) - 5, out);
  assert.match(out, /Variants not made any more: 1 \([\d.]+ kB\); new: 0 /, "a JPEG of 960 pixels");
  assert.match(err, /Nothing has changed/);
  assert.deepEqual(await documentOf(id), before);
  const page = readFileSync(join(folder, "index.html"), "utf8");
  assert.equal(page.match(/<section>/g)?.length, 1);
  for (const [, file = ""] of page.matchAll(/src="([^"]+)"/g)) await sharp(join(folder, file)).stats();
  assert.match((await coarser(id)).err, /canary-to/, "nothing is written over");
});

test("a canary whose images cannot be made does not go on by itself, one that is as before does", async () => {
  const [first = ""] = ready;
  const none = join(data, "none.ts");
  writeFileSync(
    none,
    `import { defineConfig } from ${JSON.stringify(new URL("../../core/preset.ts", import.meta.url).href)};
    const ladder = { widths: [64], formats: ["webp"] };
    export default defineConfig({ defaultPreset: "photo", presets: { photo: { accept: ["jpeg"], ladder } } });`,
  );
  const canary = (name: string, env = {}, ...more: string[]) =>
    run(["reprocess", first, "--canary", "100%", "--canary-to", join(data, name), "--yes", ...more], {
      env: { DARKROOM_DATA: data, ...env },
    });
  const refused = await canary("refused", { DARKROOM_CONFIG: none });
  assert.equal(refused.status, 1);
  assert.match(refused.out, new RegExp(`1 cannot be made\\.\n  ${first}: unsupported-format\n$`));
  const same = await canary("same");
  assert.equal(same.status, 0, same.err);
  assert.match(same.out, /^1 image developed here: 0 differ, 0 cannot be made\.\n\w+ done: /);
  const asJson = await canary("json", {}, "--json");
  assert.equal(JSON.parse(asJson.out).state, "done", "JSON and nothing else");
  assert.match(asJson.err, /1 image developed here/);
  assert.equal((await darkroom(["reprocess", first, "--canary", "half"])).status, 2);
  const to = join(data, "nobodys");
  const nobodys = await darkroom(["reprocess", "--owner", "nobody", "--canary", "100%", "--canary-to", to]);
  assert.deepEqual([nobodys.status, nobodys.out], [1, ""]);
  assert.match(nobodys.err, /None of these images/);
});

test("images by id, from the command line and from standard input, also those that nobody knows", async () => {
  const [first = "", second = ""] = ready;
  const unknown = newId((count) => new Uint8Array(count).fill(7));
  const forced = await darkroom(["reprocess", "--force", "--json", "-", first], `${second}\n${unknown}\n`);
  assert.equal(forced.status, 0, forced.err);
  const job: Progress = JSON.parse(forced.out);
  assert.deepEqual([job.select, job.queued, job.done, job.skipped], [{ ids: 3 }, 3, 2, 1]);
  const wrong = await darkroom(["reprocess", "../../etc/passwd"]);
  assert.equal(wrong.status, 1);
  assert.match(wrong.err, /select\.ids\.0: not an image id/);
  assert.doesNotMatch(wrong.err, /passwd/);
});

test("failures are listed with their reasons, and go once the cause is gone", async () => {
  const [first = ""] = ready;
  const document = await documentOf(first);
  // A bug of ours, mended since.
  const error = { code: "corrupt", message: "The image is damaged and cannot be read." };
  const rejected = { ...document, status: "rejected", variants: [], error };
  await media.put(metaKey(first), JSON.stringify(rejected), { type: "application/json" });
  await uploads.put(attentionKey("rejected", first), "{}");
  const { out, err } = await darkroom(["failures"]);
  assert.match(out, new RegExp(`${first} +rejected +corrupt +photo +local +\\d{4}-.* +The image is damaged`));
  assert.match(out, new RegExp(`${bad} +rejected +unsupported-format`));
  assert.match(err, /darkroom reprocess --status failed/);

  const retried = await darkroom(["reprocess", "--status", "rejected"]);
  assert.equal(retried.status, 1, "one is still no image");
  assert.match(retried.out, /done: 1 done, 1 rejected/);
  assert.match(retried.err, /darkroom failures/);
  const left = await darkroom(["failures", "--status", "rejected", "--json"]);
  assert.deepEqual(
    left.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id),
    [bad],
  );
  assert.equal((await documentOf(first)).status, "ready");
  assert.match((await darkroom(["failures", "--status", "failed"])).out, /Nothing needs attention/);
});

test("jobs are listed, shown, cancelled and resumed", async () => {
  const started = await darkroom(["reprocess", "--owner", "nobody", "--no-wait", "--json"]);
  const { id }: Progress = JSON.parse(started.out);
  const watched = await darkroom(["jobs", "show", id, "--wait"]);
  assert.equal(watched.status, 0);
  assert.equal(watched.out, `${id} done: nothing to do: 0 looked at\n`);
  const shown = await darkroom(["jobs", "show", id]);
  assert.equal(shown.out, watched.out);
  const list = await darkroom(["jobs", "list"]);
  assert.match(
    list.out,
    new RegExp(`${id} +done +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +owner: nobody +0/0 +0`),
  );
  assert.match(list.out, /status: stale/);
  assert.match((await darkroom(["jobs", "cancel", id])).out, /done/, "too late");
  const over = await darkroom(["jobs", "resume", id]);
  assert.equal(over.status, 1);
  assert.match(over.err, /is done; start another/);
  assert.equal((await darkroom(["jobs", "show", "../x"])).status, 1);
});

test("mistakes are told in words", async () => {
  const nothing = await darkroom(["reprocess"]);
  assert.equal(nothing.status, 2);
  assert.match(nothing.err, /Say which images/);
  assert.equal((await darkroom(["reprocess", "--status", "ready"])).status, 2);
  const preset = await darkroom(["reprocess", "--preset", "poster"]);
  assert.equal(preset.status, 1);
  assert.match(preset.err, /there is no preset of this name/);
  const upload = await darkroom(["reprocess", "--status", "all", "--token", stack.uploadToken]);
  assert.equal(upload.status, 1);
  assert.match(upload.err, /scope admin/);
});
