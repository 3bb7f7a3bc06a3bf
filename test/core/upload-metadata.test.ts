import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  contextOf,
  encodeFilename,
  isRef,
  readUploadMetadata,
  writeUploadMetadata,
} from "../../core/upload-metadata.ts";
import { tries } from "../thorough.ts";

test("any file name becomes ASCII of at most 1,024 bytes, cut between characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), (name) => {
      const encoded = encodeFilename(name);
      assert.match(encoded, /^[A-Za-z0-9%._~-]*$/);
      assert.ok(encoded.length <= 1024);
      // Decodes, so no character was cut in two; and is the beginning of what was given.
      const clean = name
        .toWellFormed()
        .normalize("NFC")
        .replaceAll(/\p{Cc}/gu, "");
      assert.ok(clean.startsWith(decodeURIComponent(encoded)));
    }),
    { numRuns: tries(20, 200) },
  );
  assert.equal(encodeFilename("日".repeat(500)).length, 1017);
  assert.equal(encodeFilename("x\r\nSet-Cookie: a=b.jpg"), "xSet-Cookie%3A%20a%3Db.jpg");
});

test("what is written is read again", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, (x, y) => {
      const upload = {
        owner: "me",
        preset: "photo",
        filename: "a b.jpg",
        focus: { x: Math.abs(x), y: Math.abs(y) },
        sha256: "abc=",
      };
      assert.deepEqual(readUploadMetadata(writeUploadMetadata(upload)), upload);
    }),
  );
});

test("references of any characters travel, within S3's 2 KB, and a file's name takes what is left", () => {
  const ref = fc.string({ unit: "binary", minLength: 1, maxLength: 256 }).filter(isRef);
  fc.assert(
    fc.property(ref, ref, fc.string({ unit: "binary", maxLength: 600 }), (ref, clientRef, filename) => {
      const written = writeUploadMetadata({
        owner: "o".repeat(128),
        preset: "p".repeat(32),
        ref,
        clientRef,
        filename,
      });
      assert.ok(Object.entries(written).flat().join("").length <= 2048);
      assert.ok(Object.values(written).every((value) => /^[\x21-\x7e]*$/.test(value)));
      const read = contextOf(written);
      assert.deepEqual([read.ref, read.clientRef], [ref, clientRef]);
    }),
  );
  for (const ref of ["user 1/avatar", "\0", "\u202eعربي", "👩‍👩‍👧‍👦".repeat(20)]) assert.ok(isRef(ref), ref);
  for (const ref of ["", "x".repeat(257), "日".repeat(171), "\ud800", "r".repeat(10_000)])
    assert.ok(!isRef(ref));
  assert.equal(contextOf({ ref: "n%t base64" }).ref, undefined);
});

test("an object that somebody else wrote holds anything, and harms nothing", () => {
  assert.deepEqual(readUploadMetadata({}), {});
  assert.deepEqual(readUploadMetadata({ owner: "../..", focus: "2,NaN", filename: "%zz" }), {
    filename: "%zz",
  });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (metadata) => void readUploadMetadata(metadata)),
  );
});
