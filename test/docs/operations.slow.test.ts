/** What docs/operations.md shows is what the commands print, on the same files, but for ids and times. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { after, before } from "node:test";
import { DeleteBucketCorsCommand } from "@aws-sdk/client-s3";
import { s3Client } from "../../adapters/s3-store.ts";
import { type Stack, startStack } from "../../local/stack.ts";

const root = mkdtempSync(join(tmpdir(), "darkroom-docs-"));
const data = join(root, "data");
let stack: Stack;
before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
});
after(async () => {
  await stack.close();
  rmSync(root, { recursive: true, force: true });
});

/** The sections of the page that are run, and what is there before. */
const sections: Record<string, () => Promise<void> | void> = {
  "Import what exists": () => {
    const site = join(root, "site");
    mkdirSync(site);
    copyFileSync("docs/sample.jpg", join(site, "lake.jpg"));
    copyFileSync("docs/sample.jpg", join(site, "lake-copy.jpg"));
    copyFileSync("test/images/valid/anim.gif", join(site, "anim.gif"));
    writeFileSync(join(site, "empty.jpg"), "");
    writeFileSync(join(site, "notes.txt"), "not an image");
    symlinkSync("nowhere", join(site, "broken.jpg"));
  },
  "Publish static files": () => {
    mkdirSync(join(root, "public", "css"), { recursive: true });
    mkdirSync(join(root, "public", "img"));
    writeFileSync(join(root, "public", "css", "app.css"), "body { background: url(../img/logo.svg) }\n");
    writeFileSync(join(root, "public", "img", "logo.svg"), '<svg xmlns="http://www.w3.org/2000/svg"/>\n');
  },
  "Is everything as it should be?": async () => {
    const client = s3Client({ forcePathStyle: true });
    await client.send(new DeleteBucketCorsCommand({ Bucket: stack.env["UPLOADS_BUCKET"] ?? "" }));
    client.destroy();
  },
};

/** As a terminal shows it: what went well or not first, then what is said about it. */
function run(args: readonly string[]): Promise<string> {
  const env = { ...process.env, DARKROOM_DATA: data, XDG_CACHE_HOME: join(root, "cache"), NO_COLOR: "1" };
  return new Promise((done) => {
    execFile(process.execPath, [resolve("cli/darkroom.ts"), ...args], { env, cwd: root }, (_, out, err) =>
      done(out + err),
    );
  });
}

/** What differs from run to run: ids, versions, times, ports, and the order of a folder's files. */
function same(text: string): string[] {
  return text
    .trim()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/\b(?=[a-z]*\d)[0-9a-z]{26}\b/g, "ID")
        .replaceAll(/\b(?=[a-z]*\d)[0-9a-z]{16}\b/g, "VERSION")
        .replaceAll(/\b\d+:\d\d\b/g, "TIME")
        .replaceAll(/localhost:\d+/g, "localhost"),
    )
    .sort();
}

test("operations.md shows what is printed", async () => {
  const page = readFileSync("docs/operations.md", "utf8");
  for (const [heading, prepare] of Object.entries(sections)) {
    const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
    const [, block] = /```console\n(.*?)```/s.exec(section ?? "") ?? [];
    assert.ok(block, `docs/operations.md has no example under ${heading}`);
    await prepare();
    for (const example of block.split(/^\$ darkroom /m).slice(1)) {
      const [command = "", ...shown] = example.split("\n");
      const printed = await run(command.split(" "));
      assert.deepEqual(same(printed), same(shown.join("\n")), `darkroom ${command}\n${printed}`);
    }
  }
});
