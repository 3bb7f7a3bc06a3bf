/**
 * The worker's side of the pixel work: one child process, used for one image at a time and for as many as it stays
 * healthy, killed at the wall-clock limit.
 */
import { checks } from "../core/checks.ts";
import { DarkroomError } from "../core/errors.ts";
import { type FormatName, formatNames } from "../core/formats.ts";
import type { Header, Plan } from "../core/plan.ts";
import type { Developed, Log, MadeVariant, Pixels } from "../core/ports.ts";
import { Child, ChildGone } from "./spawn.ts";
import type { FromChild } from "./wire.ts";

export interface PixelOptions {
  /** Formats whose loaders are opened; all others are `unsupported-format`. TIFF has to be asked for. */
  readonly accept?: readonly FormatName[];
  /** Wall-clock limits: to read the header, and from the plan to the last variant. */
  readonly headerSeconds?: number;
  readonly developSeconds?: number;
  /** A child that holds more bytes of memory than this after an image is replaced. */
  readonly maxRss?: number;
  /** One that has been started already, and nobody has opened. */
  readonly child?: Child | undefined;
  readonly log?: Log;
}

/** Pixel work in a child process that starts with the first image; `close` ends it. Images wait for each other. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: three functions around one child, whose turns are theirs alone.
export function pixelProcess(options: PixelOptions = {}): Pixels & { close(): Promise<void> } {
  const {
    accept = formatNames.filter((name) => name !== "tiff"),
    headerSeconds = 10,
    developSeconds = 60,
    // 120 to 200 MB are usual (measured over the corpus); what holds twice that is not coming back.
    maxRss = 400_000_000,
    log = () => {},
  } = options;
  let { child } = options;
  child?.open(accept);
  let closed = false;
  let turn: Promise<unknown> = Promise.resolve();

  /** Ends the child and starts another in advance, so that the next image need not wait for it. */
  function replace(): Child {
    child?.kill();
    if (closed) throw new Error("the pixel process is closed");
    child = new Child();
    child.open(accept);
    return child;
  }

  /** Everything the child does for one image; the writes it caused may still be under way. */
  async function developInChild(
    ...[source, format, planFor, write]: Parameters<Pixels["develop"]>
  ): Promise<Omit<Developed, "durationMs"> & { written: Promise<void> }> {
    const mine = child?.alive ? child : replace();
    const writes: Promise<void>[] = [];
    let failedWrite: { error: unknown } | undefined;
    let healthy = false;
    const allWritten = async () => {
      await Promise.all(writes);
      if (failedWrite) throw failedWrite.error;
    };
    mine.ref();
    try {
      await mine.ready;
      mine.send({ kind: "develop", format }, source);
      const opened = await mine.next(headerSeconds);
      healthy = opened.head.kind === "rejected" || opened.head.kind === "header";
      const header = headerOf(format, opened.head);
      let plan: Plan;
      try {
        plan = await planFor(header);
      } catch (error) {
        mine.send({ kind: "abort" });
        throw error;
      }
      healthy = false;
      mine.send({ kind: "plan", plan });
      const deadline = performance.now() + developSeconds * 1000;
      for (;;) {
        const { head, bytes } = await mine.next((deadline - performance.now()) / 1000);
        healthy = head.kind === "rejected" || (head.kind === "done" && head.rss <= maxRss);
        if (head.kind === "done") {
          const written = allWritten();
          // Whoever waits for it hears of a failure; until then it is not unhandled.
          written.catch(() => {});
          return { header, placeholder: head.placeholder, written };
        }
        const made = variantOf(plan, head, bytes);
        const done = write(made).catch((error: unknown) => {
          failedWrite ??= { error };
          // The child is in the midst of an image nobody wants: the next one gets another.
          if (!healthy) mine.kill();
        });
        writes.push(done);
      }
    } catch (error) {
      await allWritten();
      throw error;
    } finally {
      mine.unref();
      if (!healthy && !closed) replace();
    }
  }

  async function developTwice(...args: Parameters<Pixels["develop"]>) {
    const started = performance.now();
    const timed = async () => {
      const made = await developInChild(...args);
      return { ...made, durationMs: Math.round(performance.now() - started) };
    };
    const isOurs = (error: unknown): error is ChildGone | NotEncoded =>
      error instanceof ChildGone || error instanceof NotEncoded;
    try {
      return await timed();
    } catch (error) {
      if (!isOurs(error)) throw error;
      log("warn", "pixels.child-gone", { code: error.code });
    }
    // Once may be bad luck: memory ran out, or an image before this one left something behind.
    try {
      return await timed();
    } catch (error) {
      if (!isOurs(error)) throw error;
      throw new DarkroomError(error.code, undefined, { cause: error });
    }
  }

  return {
    develop(...args) {
      if (!accept.includes(args[1])) return Promise.reject(new DarkroomError("unsupported-format"));
      const mine = turn.then(() => developTwice(...args));
      // The next image starts when the child is free, not when the last variants of this one are written.
      turn = mine.catch(() => {});
      return mine.then(async ({ written, ...developed }) => {
        await written;
        return developed;
      });
    },
    async close() {
      closed = true;
      child?.ref();
      child?.kill();
      await child?.gone;
    },
  };
}

/** The pixels are there and a variant cannot be made of them. */
class NotEncoded extends Error {
  readonly code = "not-encoded";
  constructor(reason: string) {
    super(`the decoded pixels could not be encoded: ${reason}`);
  }
}

function headerOf(format: FormatName, head: FromChild): Header {
  if (head.kind !== "header") throw troubleOf(head);
  const { kind: _, ...rest } = head;
  return { format, ...rest };
}

function variantOf(plan: Plan, head: FromChild, bytes: Uint8Array): MadeVariant {
  const variant = head.kind === "variant" ? plan.steps[head.step]?.encodes[head.encode] : undefined;
  if (head.kind !== "variant" || !variant) throw troubleOf(head);
  return { variant, bytes };
}

/** What an answer means that is not the one hoped for. */
function troubleOf(head: FromChild): Error {
  if (head.kind === "rejected") {
    const { check, at, reason } = head;
    return new DarkroomError(checks[check].code, undefined, {
      finding: { check, at },
      cause: new Error(reason),
    });
  }
  if (head.kind === "broken") return new NotEncoded(head.reason);
  return new ChildGone("decoder-crashed", { cause: new Error(`an unexpected "${head.kind}"`) });
}
