/**
 * What the use cases need from the world. Each port has one contract, run by one suite against every
 * implementation (`test/contracts/`): memory, the embedded servers, and AWS's SDK in front of them.
 */
import type { Header, Plan, PlannedVariant } from "./plan.ts";

/** What a store knows of an object. ETags are without quotes. */
export interface StoredHead {
  readonly etag: string;
  readonly size: number;
  /** Seconds are exact, as in HTTP. */
  readonly lastModified: Date;
  readonly type: string | undefined;
  readonly cacheControl: string | undefined;
  /** `x-amz-meta-*`, names in lower case without the prefix. */
  readonly metadata: Readonly<Record<string, string>>;
  /** It has to be restored from a storage class that takes hours for it; absent where it can be read. */
  readonly archived?: true;
}

export interface StoredObject extends StoredHead {
  /** Ends in an error when the connection breaks before `size` bytes. Must be read or cancelled (`return()`). */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface ListedObject {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
  readonly lastModified: Date;
}

/**
 * One bucket, with S3's semantics: strongly consistent, one key at a time, last writer wins unless conditions are
 * given. A condition that does not hold is DarkroomError `precondition-failed`, whether the server says 412, 409
 * (a racing delete) or, for `ifMatch` on a missing key, 404. Every other error is the client's own and transient.
 */
export interface ObjectStore {
  /** Undefined when there is no such object. */
  head(key: string, condition?: { ifMatch?: string | undefined }): Promise<StoredHead | undefined>;
  get(key: string, condition?: { ifMatch?: string | undefined }): Promise<StoredObject | undefined>;
  put(
    key: string,
    body: Uint8Array | string,
    options?: {
      type?: string;
      cacheControl?: string;
      metadata?: Record<string, string>;
      /** Only over this version. */
      ifMatch?: string | undefined;
      /** Only where nothing is. */
      ifNoneMatch?: "*" | undefined;
    },
  ): Promise<{ etag: string }>;
  /** No error when there is no such object, with a condition either. */
  delete(key: string, condition?: { ifMatch?: string | undefined }): Promise<void>;
  /** Keys with the prefix in the order of their UTF-8 bytes, after `after`; `next` is there when more follow. */
  list(
    prefix: string,
    options?: { after?: string | undefined; limit?: number },
  ): Promise<{ objects: ListedObject[]; next: string | undefined }>;
}

/** An upload in parts that nobody has completed yet: it costs money, and could still become an original. */
export interface OpenUpload {
  readonly key: string;
  /** S3's own. */
  readonly uploadId: string;
  readonly startedAt: Date;
}

/** The uploads in parts that are open in one bucket. */
export interface OpenUploads {
  /** In the order of their keys, of those after `after`: after its key where it names no upload. */
  list(
    prefix: string,
    after?: { readonly key: string; readonly uploadId?: string | undefined },
  ): Promise<{
    uploads: OpenUpload[];
    next: { readonly key: string; readonly uploadId: string } | undefined;
  }>;
  /** No error when it is over already. */
  abort(upload: Pick<OpenUpload, "key" | "uploadId">): Promise<void>;
}

/** What a bucket keeps of an object that was deleted, or written over; or the marker that a delete has left. */
export interface KeptVersion {
  readonly key: string;
  readonly versionId: string;
  readonly marker: boolean;
  readonly at: Date;
  readonly etag: string;
  readonly size: number;
}

/** The versions of one bucket; of one that keeps none there is what is there now. */
export interface Versions {
  /** Of keys with the prefix; the versions of a key newest first. */
  list(prefix: string): AsyncIterable<KeptVersion>;
  /** As text. */
  read(version: Pick<KeptVersion, "key" | "versionId">): Promise<string>;
  /** Writes it anew, with its metadata, as what is there now. */
  restore(version: Pick<KeptVersion, "key" | "versionId">): Promise<void>;
}

export interface QueueMessage {
  readonly id: string;
  readonly body: string;
  /** Of this receive: what `delete` and `retryIn` take. */
  readonly receipt: string;
  /** How often it has been received, this time included. */
  readonly receives: number;
  readonly sentAt: Date;
  /** AWS's trace header, with the chain of invocations that led to the message, where its sender gave one. */
  readonly trace?: string | undefined;
}

/**
 * One queue with the semantics of a standard SQS queue: at least once, unordered, invisible for a while after each
 * receive, dead-lettered after too many.
 */
export interface Queue {
  /** @param options.group messages of one group do not keep those of others waiting, where the server knows that */
  send(body: string, options?: { delaySeconds?: number; group?: string }): Promise<void>;
  /** Any number of messages, several requests at once. When it throws, some of them may have been sent. */
  sendMany(bodies: readonly string[]): Promise<void>;
  /** How many messages wait to be received, delayed ones left out. SQS says so approximately. */
  backlog(): Promise<number>;
  receive(options: {
    max: number;
    /** Long poll: waits for a message up to this long. */
    waitSeconds?: number;
    /** Of the messages returned; the queue's own where absent. */
    visibilitySeconds?: number;
    /** Aborted, it ends with no messages. */
    signal?: AbortSignal;
  }): Promise<QueueMessage[]>;
  /** No error when it is gone already. */
  delete(receipt: string): Promise<void>;
  /**
   * Makes a received message visible again after `seconds` (ChangeMessageVisibility); 0 at once. No error when it is
   * gone, or was received again since.
   */
  retryIn(receipt: string, seconds: number): Promise<void>;
}

/** A variant as it came out of the encoder. */
export interface MadeVariant {
  readonly variant: PlannedVariant;
  /** The encoded file; its pixels are as `variant.shape` says. */
  readonly bytes: Uint8Array;
}

export interface Developed {
  readonly header: Header;
  readonly placeholder: { readonly thumbhash: string; readonly dataUrl: string; readonly color: string };
  /** Wall-clock, without waiting for other images. */
  readonly durationMs: number;
}

/** The pixel work, done where a hostile file can do no harm. */
export interface Pixels {
  /**
   * Reads the header, asks `planFor` what to do (it may throw a rejection), does it, and hands every variant to
   * `write` as soon as it is encoded; ends when all writes have. After a crash of the decoder all of it happens
   * once more, so `planFor` and `write` may be called again for the same variant.
   * @throws DarkroomError rejected: `corrupt`, `truncated`, `unsupported-format`, `timeout`, `decoder-crashed`
   */
  develop(
    source: Uint8Array,
    format: Header["format"],
    planFor: (header: Header) => Promise<Plan>,
    write: (made: MadeVariant) => Promise<void>,
  ): Promise<Developed>;
}

/** One structured line. `fields` hold ids, codes and numbers: never secrets, signed URLs or user text. */
export type Log = (
  level: "debug" | "info" | "warn" | "error",
  event: string,
  fields?: Record<string, unknown>,
) => void;
