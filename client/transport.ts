/** What differs between a page (`browser.ts`) and a program: sending bytes with progress, and waiting. */

export interface Transport {
  /** One PUT. Resolves when it is over, however it ended; without an answer the status is 0. */
  readonly send: (outgoing: Outgoing) => Promise<Arrival>;
  readonly pause: Pause;
}

export interface Outgoing {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: Blob;
  /** Called with the bytes sent so far. */
  readonly onProgress?: ((sent: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Arrival {
  readonly status: number;
  readonly text: string;
  readonly header: (name: "etag" | "retry-after") => string | null;
  /** Why there was no answer. */
  readonly cause?: unknown;
}

/** Waits for milliseconds; rejects with the signal's reason as soon as that aborts. */
export type Pause = (ms: number, signal?: AbortSignal | undefined) => Promise<void>;
