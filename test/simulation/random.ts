/** Seeded randomness: the same seed gives the same run. */
export interface Random {
  /** 0 (inclusive) to 1 (exclusive). */
  (): number;
  below(limit: number): number;
  chance(probability: number): boolean;
  bytes(count: number): Uint8Array;
}

/** mulberry32: 32 bits of state are plenty for a few thousand decisions. */
export function seeded(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return Object.assign(next, {
    below: (limit: number) => Math.floor(next() * limit),
    chance: (probability: number) => next() < probability,
    bytes: (count: number) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)),
  });
}
