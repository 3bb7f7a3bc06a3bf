import assert from "node:assert/strict";
import test from "node:test";
import { rateLimit } from "../../../core/upload/rate-limit.ts";

const DAY = 86_400_000;

test("a clock that jumps a day either way keeps nobody waiting for longer than a minute, and gives a minute's worth at most", () => {
  for (const jump of [DAY, -DAY]) {
    let now = Date.parse("2026-11-20T12:00:00Z");
    const take = rateLimit(() => new Date(now));
    const me = { owner: "me", scopes: new Set(["upload"] as const), maxUploadsPerMinute: 2 };
    const refused = { code: "rate-limited" };
    take(me, 2);
    assert.throws(() => take(me, 1), refused);
    now += jump;
    if (jump > 0) take(me, 2);
    assert.throws(() => take(me, 1), refused);
    now += 60_000;
    take(me, 2);
    assert.throws(() => take(me, 1), refused);
  }
});
