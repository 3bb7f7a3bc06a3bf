/** A queue whose messages carry the chain of invocations that led to them, as X-Ray's header does on SQS. */
import { MemoryQueue } from "../../adapters/memory/memory-queue.ts";
import type { QueueMessage } from "../../core/ports.ts";

/** How often each function is in it. */
export type Chain = Readonly<Record<string, number>>;
export interface TracedMessage extends QueueMessage {
  readonly chain: Chain;
}

export class TracedQueue {
  readonly queue: MemoryQueue;
  readonly #chains = new Map<string, Chain>();
  #chain: Chain = {};

  constructor(options: NonNullable<ConstructorParameters<typeof MemoryQueue>[0]> & { newId: () => string }) {
    const newId = () => {
      const id = options.newId();
      if (Object.keys(this.#chain).length > 0) this.#chains.set(id, this.#chain);
      return id;
    };
    this.queue = new MemoryQueue({ ...options, newId });
  }

  /** Acts at once. */
  add(body: string, { chain = {}, ...options }: { delaySeconds?: number; chain?: Chain } = {}): void {
    this.#chain = chain;
    void this.queue.send(body, options);
    this.#chain = {};
  }

  async receive(max: number): Promise<TracedMessage[]> {
    const messages = await this.queue.receive({ max });
    return messages.map((message) => ({ ...message, chain: this.#chains.get(message.id) ?? {} }));
  }

  get isEmpty(): boolean {
    const { visible, inFlight, delayed } = this.queue.count();
    return visible + inFlight + delayed === 0;
  }
}
