/** Damages files as networks, disks and attackers do: bytes, and whole parts of their structure. */
import type { FormatName } from "../../core/formats.ts";
import type { Random } from "../simulation/random.ts";
import { mendOf, splitOf } from "./parts.ts";

export interface Seed {
  readonly name: string;
  readonly format: FormatName;
  readonly bytes: Buffer;
}

const pick = <T>(random: Random, from: readonly T[]): T => {
  const picked = from[random.below(from.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
};

/** What counts, lengths and sizes break on. */
const NUMBERS = [0, 1, 2, 3, 7, 8, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];

/** Of one part, which may become another length. */
const changes: readonly ((random: Random, part: Buffer) => Buffer)[] = [
  (random, part) => {
    const changed = Buffer.from(part);
    for (let left = 1 + random.below(4); left > 0 && changed.length > 0; left--)
      changed[random.below(changed.length)] = random.chance(0.5) ? pick(random, NUMBERS) : random.below(256);
    return changed;
  },
  (random, part) => {
    const changed = Buffer.from(part);
    if (changed.length === 0) return changed;
    const at = random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    return changed;
  },
  // A number of two or four bytes.
  (random, part) => {
    const changed = Buffer.from(part);
    const size = random.chance(0.5) ? 2 : 4;
    if (changed.length < size) return changed;
    changed.fill(pick(random, NUMBERS), 0, size);
    const at = random.below(changed.length - size + 1);
    changed.copy(changed, at, 0, size);
    return changed;
  },
  (random, part) => part.subarray(0, random.below(part.length + 1)),
  (random, part) => Buffer.concat([part, random.bytes(random.below(64))]),
];

/** A file like `seed`, with a few things wrong. @param others of the same format, for parts of theirs */
export function mutated(random: Random, seed: Seed, others: readonly Seed[]): Buffer {
  let parts = splitOf(seed.format, seed.bytes);
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(parts.length);
    const part = parts[at];
    if (!part) break;
    const how = random();
    if (how < 0.6) parts = parts.with(at, pick(random, changes)(random, part));
    else if (how < 0.7) parts = parts.toSpliced(at, 1);
    else if (how < 0.8) parts = parts.toSpliced(random.below(parts.length + 1), 0, part);
    else if (how < 0.9) {
      const other = pick(random, others);
      parts = parts.toSpliced(at, random.below(2), pick(random, splitOf(other.format, other.bytes)));
    } else parts = parts.slice(0, at + 1);
  }
  return Buffer.concat(random.chance(0.6) ? mendOf(seed.format, parts) : parts);
}
