/** The command as a user runs it: a process of its own against a running stack. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import sharp from "sharp";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { darkroom as run } from "./darkroom.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
const photos = join(data, "photos");
let stack: Stack;

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
  mkdirSync(join(photos, "inner"), { recursive: true });
  const blank = sharp({ create: { width: 80, height: 60, channels: 3, background: "#246" } });
  await blank.clone().png().toFile(join(photos, "one.png"));
  await blank
    .clone()
    .webp()
    .toFile(join(photos, "inner", "two.webp"));
  // Its name lies: the content counts.
  await blank.clone().jpeg().toFile(join(photos, "three.gif"));
  writeFileSync(join(photos, "notes.txt"), "not an image");
  symlinkSync("one.png", join(photos, "again.png"));
  symlinkSync("nowhere", join(photos, "broken.png"));
  symlinkSync("..", join(photos, "inner", "up"));
  writeFileSync(join(photos, ".hidden.png"), "");
  writeFileSync(join(data, "page.jpg"), "<html>not an image either</html>");
  writeFileSync(join(data, "empty.jpg"), "");
});
after(async () => {
  await stack.close();
  rmSync(data, { recursive: true, force: true });
});

const darkroom = (...args: string[]) => run(args, { env: { DARKROOM_DATA: data } });

test("a file comes back as a table of variants", async () => {
  const { status, out, err } = await darkroom("upload", join(photos, "one.png"));
  assert.equal(status, 0, err);
  const [title, head, ...rows] = out.trim().split("\n");
  assert.match(title ?? "", /✓ .*one\.png {2}[0-9a-z]{26} {2}80 × 60, .*developed in \d+ ms/);
  assert.deepEqual(head?.trim().split(/ {2,}/), [
    "variant",
    "format",
    "pixels",
    "bytes",
    "smaller by",
    "URL",
  ]);
  const avif = rows.find((row) => row.includes("w80") && row.includes("avif"));
  assert.match(avif ?? "", /w80 +avif +80 × 60 +\d+ B +-?\d+ % +http:\/\/localhost:\d+\/images\/.*\.avif$/);
});

test("a folder is searched through, and one bad file spoils only itself", async () => {
  const { status, out, err } = await darkroom(
    "upload",
    photos,
    join(data, "page.jpg"),
    join(data, "empty.jpg"),
  );
  assert.equal(status, 1);
  for (const name of ["one.png", "two.webp", "three.gif", "again.png"])
    assert.match(out, new RegExp(`✓ .*${name}`));
  assert.match(out, /✗ .*page\.jpg {2}unsupported-format: This is not an image/);
  assert.match(out, /✗ .*empty\.jpg {2}file-empty: The file is empty/);
  assert.doesNotMatch(out, /notes|hidden/);
  assert.match(out, /✗ .*broken\.png {2}link-broken: The link leads to nowhere, which is not there\./);
  assert.match(out, /✗ .*up {2}link-loop: /);
  assert.match(err, /4 ready, 4 not/);
});

test("--json gives a document per image", async () => {
  const { status, out } = await darkroom("upload", "--json", "--preset", "avatar", join(photos, "one.png"));
  assert.equal(status, 0);
  const image = JSON.parse(out);
  assert.equal(image.preset, "avatar");
  assert.equal(image.status, "ready");
});

test("mistakes are told in words, with a status of their own", async () => {
  const missing = await darkroom("upload", join(data, "missing.jpg"));
  assert.equal(missing.status, 2);
  assert.match(missing.err, /no such file/);
  const wrong = await darkroom("upload", "--concurrency", "many", "x.jpg");
  assert.equal(wrong.status, 2);
  assert.match(wrong.err, /A whole number/);
  const unknown = await darkroom("upload", "--token", "not-a-token", join(photos, "one.png"));
  assert.match(unknown.out, /The token is not valid here/);
});
