import assert from "node:assert/strict";
import test from "node:test";
import { bundle } from "../../deploy/bundle.ts";
import { zip } from "../../deploy/zip.ts";

const ROOT = new URL("../../", import.meta.url);

test("presign stays small: signers and no clients", async () => {
  const { files, sizes, packages } = await bundle("presign", ROOT);
  assert.deepEqual([...files.keys()], ["index.mjs"]);
  assert.ok(zip(files).length <= 80_000, `${zip(files).length} bytes`);
  assert.deepEqual(
    sizes.map(([owner]) => owner).filter((owner) => /^@aws-sdk\/|sharp|libheif/.test(owner)),
    [],
  );
  assert.deepEqual(packages, []);
});

test("the worker carries its child along, with all of sharp but native code", async () => {
  const { files, sourceMaps, packages } = await bundle("worker", ROOT);
  const names = ["child.mjs", "chunk.mjs", "heic.mjs", "index.mjs"];
  assert.deepEqual([...files.keys()].sort(), names);
  assert.deepEqual(
    [...sourceMaps.keys()].sort(),
    names.map((name) => `${name}.map`),
  );
  const child = (files.get("child.mjs")?.length ?? 0) + (files.get("chunk.mjs")?.length ?? 0);
  assert(child > 0 && child < 300_000, `${child} bytes: 2 MB of WebAssembly wait in heic.mjs`);
  assert.deepEqual(packages, ["sharp"]);
});

test("what Lambda loads asks Node for what it uses alone, and for no credentials but the environment's", async () => {
  const { files, sizes } = await bundle("worker", ROOT);
  for (const [name, bytes] of files)
    assert.doesNotMatch(Buffer.from(bytes).toString(), /\bfrom"(node:|sharp)|\bimport"node:/, name);
  assert.deepEqual(
    sizes.map(([owner]) => owner).filter((owner) => /nested-clients|provider-(?!env|node)/.test(owner)),
    [],
  );
});

test("the same sources give the same bytes", async () => {
  const [one, other] = await Promise.all([bundle("failures", ROOT), bundle("failures", ROOT)]);
  assert.deepEqual(zip(one.files), zip(other.files));
});
