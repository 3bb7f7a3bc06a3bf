/** Bits of a JPEG's entropy-coded data (ITU-T T.81, F.2.2.5) and its Huffman tables, for a walk that wants no pixels. */

/** By the next 16 bits: the length of the code they begin with, and its symbol in the lower 8 bits; 0 for no code. */
export type HuffmanTable = Uint16Array;

/** @param lengths how many codes there are of 1, 2, … 16 bits; @param symbols in the order of their codes */
export function huffmanTable(lengths: Uint8Array, symbols: Uint8Array): HuffmanTable {
  const table = new Uint16Array(65_536);
  let from = 0;
  let symbol = 0;
  for (const [index, count] of lengths.entries()) {
    const width = 65_536 >> (index + 1);
    for (let i = 0; i < count; i++, symbol++, from += width) {
      table.fill(((index + 1) << 8) | (symbols[symbol] ?? 0), from, from + width);
    }
  }
  return table;
}

/** Data that end, or mean nothing. Caught by the walk, which knows where it is. */
export class BadBits extends Error {
  readonly check: "blocks-missing" | "bad-code" | "too-many-coefficients";
  constructor(check: BadBits["check"]) {
    super(check);
    this.check = check;
  }
}

/** Reads up to the next marker, over stuffed zeros. */
export class Bits {
  /** The first byte not taken yet; where a marker was met, its 0xFF. */
  at: number;
  readonly #bytes: Uint8Array;
  #buffer = 0;
  #count = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Goes on at another byte; what was left of this one goes. */
  restart(at: number): void {
    this.at = at;
    this.#buffer = 0;
    this.#count = 0;
  }

  /** The symbol of the next code. */
  symbol(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill();
    // Zeros behind the last bit, as the decoder of libjpeg puts there.
    const next = this.#count < 16 ? this.#buffer << (16 - this.#count) : this.#buffer >>> (this.#count - 16);
    const found = table[next & 0xffff] ?? 0;
    const length = found >> 8;
    if (length > this.#count) throw new BadBits("blocks-missing");
    if (length === 0) throw new BadBits(this.#count < 16 ? "blocks-missing" : "bad-code");
    this.#count -= length;
    return found & 0xff;
  }

  /** The symbol of the next code, over as many bits after it as its lower four bits say: a coefficient's value. */
  coefficient(table: HuffmanTable): number {
    const symbol = this.symbol(table);
    const size = symbol & 15;
    if (size <= this.#count) this.#count -= size;
    else this.take(size);
    return symbol;
  }

  /** @param count at most 16 */
  take(count: number): number {
    if (this.#count < count) this.#fill();
    if (this.#count < count) throw new BadBits("blocks-missing");
    this.#count -= count;
    return (this.#buffer >>> this.#count) & ((1 << count) - 1);
  }

  #fill(): void {
    const bytes = this.#bytes;
    while (this.#count <= 16) {
      const byte = bytes[this.at];
      if (byte === undefined) return;
      if (byte === 0xff) {
        let next = this.at + 1;
        while (bytes[next] === 0xff) next++;
        if (bytes[next] !== 0) return;
        this.at = next;
      }
      this.at++;
      this.#buffer = (this.#buffer << 8) | byte;
      this.#count += 8;
    }
  }
}
