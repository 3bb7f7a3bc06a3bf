/** What AV1 data says of its own colours: the sequence header (AV1 bitstream specification, 5.5), with whose code points. */

export interface SequenceHeader {
  readonly monochrome: boolean;
  /** CICP code points; 2 where the data does not say. */
  readonly primaries: number;
  readonly transfer: number;
  readonly matrix: number;
  readonly fullRange: boolean;
  /** The bit of the file that says so; none where it goes without saying. */
  readonly rangeBit: number | undefined;
}

class Bits {
  readonly #bytes: Uint8Array;
  at: number;
  constructor(bytes: Uint8Array, byte: number) {
    this.#bytes = bytes;
    this.at = 8 * byte;
  }
  /** @throws RangeError past the end */
  take(count: number): number {
    let value = 0;
    for (; count > 0; count--, this.at++) {
      const byte = this.#bytes[this.at >> 3];
      if (byte === undefined) throw new RangeError("the sequence header ends early");
      value = value * 2 + ((byte >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }
  flag(): boolean {
    return this.take(1) === 1;
  }
  uvlc(): void {
    let zeros = 0;
    while (zeros < 32 && !this.flag()) zeros++;
    this.take(zeros);
  }
  leb128(): number {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const byte = this.take(8);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) break;
    }
    return value;
  }
}

const SEQUENCE_HEADER = 1;

/** The first sequence header among the OBUs between two places. @throws RangeError where it ends early */
export function sequenceHeaderOf(bytes: Uint8Array, from: number, to: number): SequenceHeader | undefined {
  for (let at = from; at < to; ) {
    const bits = new Bits(bytes, at);
    bits.take(1);
    const type = bits.take(4);
    const hasExtension = bits.flag();
    const hasSize = bits.flag();
    bits.take(hasExtension ? 9 : 1);
    const size = hasSize ? bits.leb128() : to - (bits.at >> 3);
    if (type === SEQUENCE_HEADER) return read(bits);
    at = (bits.at >> 3) + size;
  }
  return undefined;
}

function read(bits: Bits): SequenceHeader {
  const profile = bits.take(3);
  bits.take(1);
  const reduced = bits.flag();
  if (reduced) bits.take(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits.take(4) + 1, bits.take(4) + 1];
  bits.take(widthBits + heightBits);
  if (!reduced && bits.flag()) bits.take(7);
  bits.take(3);
  if (!reduced) skipTools(bits);
  bits.take(3);
  return colourConfig(bits, profile);
}

function skipOperatingPoints(bits: Bits): void {
  let delayBits = 0;
  let hasDecoderModel = false;
  if (bits.flag()) {
    bits.take(64);
    if (bits.flag()) bits.uvlc();
    hasDecoderModel = bits.flag();
    if (hasDecoderModel) {
      delayBits = bits.take(5) + 1;
      bits.take(42);
    }
  }
  const hasDisplayDelay = bits.flag();
  for (let points = bits.take(5) + 1; points > 0; points--) {
    bits.take(12);
    if (bits.take(5) > 7) bits.take(1);
    if (hasDecoderModel && bits.flag()) bits.take(2 * delayBits + 1);
    if (hasDisplayDelay && bits.flag()) bits.take(4);
  }
}

function skipTools(bits: Bits): void {
  bits.take(4);
  const hasOrderHint = bits.flag();
  if (hasOrderHint) bits.take(2);
  const forcesScreenContent = bits.flag() || bits.flag();
  if (forcesScreenContent && !bits.flag()) bits.take(1);
  if (hasOrderHint) bits.take(3);
}

const [SRGB, IDENTITY] = [13, 0];

function colourConfig(bits: Bits, profile: number): SequenceHeader {
  const isDeep = bits.flag();
  if (profile === 2 && isDeep) bits.take(1);
  const monochrome = profile !== 1 && bits.flag();
  const [primaries, transfer, matrix] = bits.flag() ? [bits.take(8), bits.take(8), bits.take(8)] : [2, 2, 2];
  if (!monochrome && primaries === 1 && transfer === SRGB && matrix === IDENTITY) {
    return { monochrome, primaries, transfer, matrix, fullRange: true, rangeBit: undefined };
  }
  const rangeBit = bits.at;
  return { monochrome, primaries, transfer, matrix, fullRange: bits.flag(), rangeBit };
}
