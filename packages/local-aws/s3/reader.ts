/** Reads a byte stream in the units of a format, holding no more than one chunk and one delimiter of it. */

/** The stream ended in the middle of something. */
export class UnexpectedEnd extends Error {
  override readonly name = "UnexpectedEnd";
}

/** A line or a rest was longer than the caller allows. */
export class TooLong extends Error {
  override readonly name = "TooLong";
}

export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done) return false;
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
    return true;
  }

  #take(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  /** Latin-1 text before the next CRLF. @throws UnexpectedEnd, TooLong */
  async line(limit: number): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf("\r\n");
      if (end > limit || (end < 0 && this.#buffer.length > limit + 1)) throw new TooLong();
      if (end >= 0) return this.#take(end + 2).toString("latin1", 0, end);
      if (!(await this.#more())) throw new UnexpectedEnd();
    }
  }

  /** The next `bytes` bytes, in pieces. @throws UnexpectedEnd */
  async *exactly(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      if (this.#buffer.length === 0 && !(await this.#more())) throw new UnexpectedEnd();
      const piece = this.#take(left);
      left -= piece.length;
      yield piece;
    }
  }

  /** Everything before `mark`, in pieces; the mark itself is consumed. @throws UnexpectedEnd */
  async *until(mark: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#buffer.indexOf(mark);
      if (at >= 0) {
        if (at > 0) yield this.#take(at);
        this.#take(mark.length);
        return;
      }
      // The mark may have begun at the very end.
      const safe = this.#buffer.length - (mark.length - 1);
      if (safe > 0) yield this.#take(safe);
      if (!(await this.#more())) throw new UnexpectedEnd();
    }
  }

  /** Reads over all that is left. */
  async drain(): Promise<void> {
    do this.#buffer = Buffer.alloc(0);
    while (await this.#more());
  }

  /** All that is left. @throws TooLong */
  async rest(limit: number): Promise<Buffer> {
    while (this.#buffer.length <= limit) {
      if (!(await this.#more())) return this.#take(this.#buffer.length);
    }
    throw new TooLong();
  }
}

/** All of a stream in memory. @throws TooLong */
export const collect = (source: AsyncIterable<Buffer>, limit: number): Promise<Buffer> =>
  new ByteReader(source).rest(limit);
