/** Private images are renewed before their URLs end, and for no longer than they are shown. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Image } from "../../client/image.ts";
import { renewing } from "../../client/renew.ts";

test("an image is renewed a minute before its URLs end, until it is shown no more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.UTC(2026, 10, 20) });
  const { timers } = t.mock;
  const image = (minutes: number): Image => ({
    ...{ id: "i", status: "ready", variants: [], pending: [], processedAt: "", access: "private" },
    signedUntil: new Date(Date.now() + minutes * 60_000).toISOString(),
  });
  let asked = 0;
  const shown: Image[] = [];
  const darkroom = {
    waitUntilReady: async () => {
      asked++;
      if (asked === 3) throw new Error("gone");
      return image(60);
    },
  };
  const settle = () => new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));
  const end = renewing(darkroom, image(30), (next) => shown.push(next));
  timers.tick(29 * 60_000 - 1);
  assert.equal(asked, 0);
  timers.tick(1);
  await settle();
  assert.deepEqual([asked, shown.length], [1, 1]);
  timers.tick(59 * 60_000);
  await settle();
  assert.deepEqual([asked, shown.length], [2, 2]);
  // Deleted: nobody asks again.
  timers.tick(59 * 60_000);
  await settle();
  timers.tick(600 * 60_000);
  assert.deepEqual([asked, shown.length], [3, 2]);
  end();
  // A clock that is wrong makes no storm; whoever leaves is not called, and what is public is not asked for.
  renewing(darkroom, image(-500), () => {})();
  renewing(darkroom, { ...image(1), signedUntil: undefined }, () => {});
  timers.tick(600 * 60_000);
  assert.equal(asked, 3);
});
