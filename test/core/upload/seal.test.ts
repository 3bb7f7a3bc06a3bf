import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { DarkroomError } from "../../../core/errors.ts";
import { seal } from "../../../core/upload/seal.ts";

const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const NOW = Date.parse("2026-11-20T12:00:00Z");
const at = (time: number) => seal(SECRET, "ticket", () => new Date(time));
const tickets = at(NOW);
const isRefusal = (error: unknown) => error instanceof DarkroomError && error.code === "not-found";
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

test("what was sealed comes out again, and stands in a URL as it is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (content) => {
      const token = tickets.close(content, NOW);
      assert.match(token, /^[A-Za-z0-9_-]+$/);
      assert.deepEqual(tickets.open(token), JSON.parse(JSON.stringify(content)));
    }),
  );
});

test("nothing of the content can be read, and no two tokens are the same", () => {
  const [one, other] = [tickets.close("owner", NOW), tickets.close("owner", NOW)];
  assert.notEqual(one, other);
  assert.ok(!Buffer.from(one, "base64url").includes("owner"));
});

test("a token with any character changed, left out, added or moved is refused", () => {
  // Lengths of all remainders by 3: the last character of a token may have bits that carry nothing.
  for (const content of ["", "a", "ab", "abc"]) {
    const token = tickets.close(content, NOW);
    const other = fc.constantFrom(...BASE64URL, "=", "+", "/", " ", ".", "\n", "é");
    fc.assert(
      fc.property(fc.nat(token.length - 1), other, (position, character) => {
        const [head, tail] = [token.slice(0, position), token.slice(position + 1)];
        const changed = [head + character + tail, head + tail, head + character + token.slice(position)];
        for (const forged of changed) {
          if (forged !== token) assert.throws(() => tickets.open(forged), isRefusal, forged);
        }
      }),
      // Every place, not a sample: the last one above all.
      { examples: [...BASE64URL].map((character): [number, string] => [token.length - 1, character]) },
    );
    assert.equal(tickets.open(token), content);
  }
});

test("anything else is refused", () => {
  fc.assert(fc.property(fc.string(), (text) => assert.throws(() => tickets.open(text), isRefusal)));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      assert.throws(() => tickets.open(Buffer.from(bytes).toString("base64url")), isRefusal),
    ),
  );
});

test("a token of another purpose, or by another secret, is refused", () => {
  const token = tickets.close({}, NOW);
  const now = () => new Date(NOW);
  assert.throws(() => seal(SECRET, "multipart upload", now).open(token), isRefusal);
  assert.throws(() => seal(`${SECRET}!`, "ticket", now).open(token), isRefusal);
});

test("a token holds until its time is over, to the millisecond", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_400_000 }), (validity) => {
      const token = tickets.close("content", NOW + validity);
      assert.equal(at(NOW + validity).open(token), "content");
      assert.throws(() => at(NOW + validity + 1).open(token), isRefusal);
    }),
  );
});
