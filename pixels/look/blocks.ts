/** Walks through one block of 64 coefficients after the other (ITU-T T.81, F.2.2 and G.1.2), without their values. */
import { BadBits, type Bits, type HuffmanTable } from "./bits.ts";

/** One component of a scan. */
export interface Part {
  readonly dc: HuffmanTable;
  readonly ac: HuffmanTable;
  /** Which coefficients of each block are not 0 so far, in two times 32 bits; empty where that does not matter. */
  readonly nonzero: Uint32Array;
}

/** The coefficients of a scan, and how many of their lowest bits were to come before it. */
export interface Spectrum {
  readonly progressive: boolean;
  readonly from: number;
  readonly to: number;
  readonly high: number;
}

/** A function that walks the block with this number, of this component. Throws BadBits. */
export type Walker = (part: Part, block: number) => void;

/**
 * @returns the walker, what it has to be told of a restart, and whether the block it broke off in has its colour, lacking
 * nothing but what makes it finer
 */
export function blockWalker(
  bits: Bits,
  { progressive, from, to, high }: Spectrum,
): { walk: Walker; restart(): void; isColoured(): boolean } {
  /** Blocks still to come that have nothing more in this scan. */
  let ended = 0;
  let coloured = false;
  const walkers: Record<"sequential" | "dcFirst" | "dcMore" | "acFirst" | "acMore", Walker> = {
    sequential({ dc, ac }) {
      coloured = false;
      skipDc(dc);
      coloured = true;
      for (let k = 1; k < 64; k++) {
        const symbol = bits.coefficient(ac);
        if ((symbol & 15) === 0 && symbol !== 0xf0) return;
        // Zeros before it; 0xf0 is sixteen of them and no value.
        k += symbol >> 4;
        if (k > 63 && symbol !== 0xf0) throw new BadBits("too-many-coefficients");
      }
    },
    dcFirst: ({ dc }) => skipDc(dc),
    dcMore: () => void bits.take(1),
    acFirst({ ac, nonzero }, block) {
      if (ended > 0) return void ended--;
      for (let k = from; k <= to; k++) {
        const symbol = bits.symbol(ac);
        const run = symbol >> 4;
        const size = symbol & 15;
        if (size === 0) {
          if (run < 15) return endBlocks(run);
          k += 15;
          continue;
        }
        k += run;
        if (k > 63) throw new BadBits("too-many-coefficients");
        bits.take(size);
        mark(nonzero, block, k);
      }
    },
    acMore({ ac, nonzero }, block) {
      let k = from;
      while (ended === 0 && k <= to) {
        const symbol = bits.symbol(ac);
        let run = symbol >> 4;
        const isNew = (symbol & 15) !== 0;
        // A coefficient that is new in a refinement is 1 or -1.
        if ((symbol & 15) > 1) throw new BadBits("bad-code");
        if (isNew) bits.take(1);
        else if (run < 15) {
          endBlocks(run);
          // This block is not over: what it has already gets its bits.
          ended++;
          break;
        }
        // Over `run` coefficients that are still 0; those that are not get a bit each.
        for (; k <= to; k++) {
          if (isMarked(nonzero, block, k)) bits.take(1);
          else if (run-- === 0) break;
        }
        if (isNew) {
          if (k > 63) throw new BadBits("too-many-coefficients");
          mark(nonzero, block, k);
        }
        k++;
      }
      if (ended === 0) return;
      for (; k <= to; k++) if (isMarked(nonzero, block, k)) bits.take(1);
      ended--;
    },
  };
  const first = high === 0;
  const walk = progressive
    ? walkers[from === 0 ? (first ? "dcFirst" : "dcMore") : first ? "acFirst" : "acMore"]
    : walkers.sequential;
  return {
    walk,
    restart() {
      ended = 0;
    },
    isColoured: () => coloured,
  };

  function skipDc(table: HuffmanTable): void {
    const size = bits.symbol(table);
    if (size > 15) throw new BadBits("bad-code");
    bits.take(size);
  }

  /** This block has nothing more, and neither have 2^run - 1 and a number of them after it. */
  function endBlocks(run: number): void {
    ended = (1 << run) - 1 + (run > 0 ? bits.take(run) : 0);
  }
}

function mark(nonzero: Uint32Array, block: number, k: number): void {
  const at = 2 * block + (k >> 5);
  nonzero[at] = (nonzero[at] ?? 0) | (1 << (k & 31));
}

const isMarked = (nonzero: Uint32Array, block: number, k: number) =>
  (((nonzero[2 * block + (k >> 5)] ?? 0) >>> (k & 31)) & 1) === 1;
