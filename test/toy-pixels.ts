/** Pixel work without pixels: the bytes of a "picture" say what would come of it. For tests of everything else. */
import { DarkroomError } from "../core/errors.ts";
import type { Header } from "../core/plan.ts";
import type { Pixels } from "../core/ports.ts";

/** A file that passes for a JPEG of 60 × 40 pixels, for a corrupt one, or for one over which the worker itself dies. */
export function toyPicture(kind: "good" | "corrupt" | "kills" | "stalls", salt = ""): Uint8Array {
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.from(`${kind} ${salt}`)]);
}

/** @param turn called before every step, so that a scheduler can come between; @param seen what else the header says */
export function toyPixels(turn: () => Promise<void> = async () => {}, seen: Partial<Header> = {}): Pixels {
  return {
    async develop(source, format, planFor, write) {
      await turn();
      if (Buffer.from(source).includes("corrupt")) throw new DarkroomError("corrupt");
      const header = { format, width: 60, height: 40, frames: 1, alpha: false, ...seen };
      const plan = await planFor(header);
      for (const { encodes } of plan.steps) {
        for (const variant of encodes) {
          await turn();
          await write({ variant, bytes: Buffer.from(`${variant.name}.${variant.format}`) });
        }
      }
      return { header, placeholder: { thumbhash: "", dataUrl: "", color: "#000000" }, durationMs: 1 };
    },
  };
}
