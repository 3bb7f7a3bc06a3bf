/** The web outside, from which images are imported: it answers, hangs, lies and changes its mind. */
import { DarkroomError } from "../../core/errors.ts";
import { toyPicture } from "../toy-pixels.ts";
import type { Random } from "./random.ts";

interface Outside {
  readonly random: Random;
  readonly calm: boolean;
  readonly sleep: (ms: number) => Promise<void>;
}

/** By the first part of a URL's path. What has no picture throws, or gives what is none. */
const web: Readonly<Record<string, (url: string, outside: Outside) => Uint8Array | Promise<Uint8Array>>> = {
  picture: (url) => toyPicture("good", url),
  damaged: (url) => toyPicture("corrupt", url),
  moody(url, { calm, random }) {
    if (!calm && random.chance(0.6)) throw new DarkroomError("unavailable", "The server answers 503.");
    return toyPicture("good", url);
  },
  async hangs(_, { sleep }) {
    await sleep(100_000);
    throw new DarkroomError("unavailable", "It takes too long.");
  },
  missing() {
    throw new DarkroomError("download-failed", "The server answers 404.");
  },
  endless() {
    throw new DarkroomError("too-large");
  },
  page: () => Buffer.from("<html>Sign in</html>"),
  nothing: () => Buffer.alloc(0),
};

const kindOf = (url: string) => new URL(url).pathname.split("/")[1] ?? "";
/** Whether there is ever a file of an image's type. */
export const hasImage = (url: string) => ["picture", "damaged", "moody"].includes(kindOf(url));

export const browse = (url: string, outside: Outside) => web[kindOf(url)]?.(url, outside) ?? Buffer.alloc(0);

export function someUrls(random: Random): string[] {
  const kinds = Object.keys(web);
  return Array.from(
    { length: 1 + random.below(5) },
    (_, n) => `https://web.example/${kinds[random.below(kinds.length)]}/${n}.jpg`,
  );
}
