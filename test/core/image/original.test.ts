/** Originals come back, to those who may have them. What Chromium makes of the names: `test/client/original.slow.test.ts`. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import fc from "fast-check";
import { memoryStore } from "../../../adapters/memory/memory-store.ts";
import type { Scope } from "../../../core/caller.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { attachment, originalUrl } from "../../../core/image/original.ts";
import { newId, originalKey } from "../../../core/keys.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { tries } from "../../thorough.ts";

const id = newId(randomBytes);
const callerOf = (owner: string, ...scopes: Scope[]) => ({ owner, scopes: new Set(scopes) });
const sign = async (key: string, disposition: string) => ({
  url: `${key} ${disposition}`,
  expiresAt: "soon",
});

test("an original that is archived is said to be, before anybody waits for it", async () => {
  const uploads = memoryStore({ now: () => new Date() });
  const media = memoryStore({ now: () => new Date() });
  const metadata = writeUploadMetadata({ owner: "me", preset: "photo", filename: "ä.jpg" });
  await uploads.put(originalKey(id), "x", { metadata });
  const { url, name } = await originalUrl({ uploads, media }, sign, callerOf("me", "original"), id);
  assert.deepEqual([url, name], [`${originalKey(id)} ${attachment("ä.jpg")}`, "ä.jpg"]);
  const deep: typeof uploads = {
    ...uploads,
    head: async (key, ...rest) => {
      const found = await uploads.head(key, ...rest);
      return found && { ...found, archived: true };
    },
  };
  await assert.rejects(
    originalUrl({ uploads: deep, media }, sign, callerOf("", "admin"), id),
    (error) => error instanceof DarkroomError && error.code === "archived",
  );
});

test("any name makes a header of ASCII that says the name again", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      const header = attachment(name);
      // RFC 6266 4.1 and RFC 8187 3.2.1.
      const [, quoted = "", encoded = ""] =
        /^attachment; filename="([ !#-$&-[\]-~]*)"; filename\*=UTF-8''((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})*)$/.exec(
          header,
        ) ?? assert.fail(header);
      const clean = name.toWellFormed().replaceAll(/\p{Cc}/gu, "");
      assert.equal(decodeURIComponent(encoded), clean);
      assert.equal(quoted.length, [...clean].length);
    }),
    { numRuns: tries(25, 200) },
  );
  assert.equal(
    attachment(`a"b\\c%41'(é)\r\nx.jpg`),
    `attachment; filename="a_b_c_41'(_)x.jpg"; filename*=UTF-8''a%22b%5Cc%2541%27%28%C3%A9%29x.jpg`,
  );
});
