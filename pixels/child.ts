/**
 * The pixel process: the side that hostile files meet. Started by `process.ts` with no secrets in its environment and
 * no way to write files, start processes or read anything but its own code; ends when the worker closes the socket.
 */
import { Socket } from "node:net";
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type FormatName, formats } from "../core/formats.ts";
import type { Plan } from "../core/plan.ts";
import { aimedFormats } from "../core/quality.ts";
import { openLoaders } from "./decoders/libvips.ts";
import { openSource } from "./decoders/open.ts";
import { cutOut, withMapFor } from "./develop.ts";
import { letGo } from "./let-go.ts";
import { lookAgain, Refused } from "./look/look.ts";
import type { Raster } from "./raster.ts";
import { makeVariants } from "./variants.ts";
import { receive, send, type ToChild } from "./wire.ts";

/** Pixels of all frames up to which nobody needs to hurry. */
const SMALL = 1_000_000;

/**
 * V8's second compiler would take 6 MB for JavaScript that nearly all waits for libvips, its generous heap 8 MB (with
 * `spawn.ts`, how young it may grow): the peak of a 12 MP photo falls from 222 to 208 MB, CPU stays the same, also of HEIC (WebAssembly has its own compilers) and
 * of pictures with alpha, whose pixels JavaScript looks at (measured). Not on the command line: what Node keeps compiled of
 * its own modules is of V8 as it usually is, and all of it would be compiled again (15 ms of the start).
 */
for (const flag of ["--optimize-for-size", "--no-opt", "--expose-gc"]) setFlagsFromString(flag);

let accepted: readonly FormatName[] = [];
const socket = new Socket({ fd: 3 });
socket.on("error", () => process.exit(0));
const inbox = receive(socket);
for (let message = await inbox.next(); !message.done; message = await inbox.next()) {
  const head = message.value.head as ToChild;
  if (head.kind === "open") {
    accepted = head.formats;
    openLoaders(accepted);
    send(socket, { kind: "ready" });
  }
  if (head.kind === "develop") await develop(head.format, message.value.bytes);
}
process.exit(0);

async function develop(format: FormatName, bytes: Uint8Array): Promise<void> {
  const decoded = await decode(format, bytes);
  if (!decoded) return;
  const { base, plan } = decoded;
  // What a decoder of our own holds goes by no other way, WebAssembly's memory above all: 350 MB after 48 MP. Of a small
  // picture it would be half of the CPU time for nothing: 10 ms.
  const { source, frames } = plan;
  if (formats[format].decoder !== "libvips" && source.width * source.height * frames > SMALL)
    runInNewContext("gc")();
  // Of files of our own alone: those that are looked at.
  openLoaders(aimedFormats);
  try {
    const placeholder = await makeVariants(base, plan, availableParallelism(), (at, encoded) =>
      send(socket, { kind: "variant", ...at }, encoded),
    );
    send(socket, { kind: "done", placeholder, rss: process.memoryUsage.rss() });
  } catch (error) {
    send(socket, { kind: "broken", reason: reasonOf(error) });
  } finally {
    openLoaders(accepted);
  }
}

/**
 * Header, plan, pixels; nothing when the file or the worker says no. A function of its own, so that nothing keeps the
 * decoder after it.
 */
async function decode(
  format: FormatName,
  bytes: Uint8Array,
): Promise<{ base: Raster; plan: Plan } | undefined> {
  try {
    const source = await openSource(bytes, format);
    const { format: _, ...header } = source.header;
    send(socket, { kind: "header", ...header });
    const answer = (await inbox.next()).value?.head as ToChild | undefined;
    if (answer?.kind !== "plan") return undefined;
    const whole = await withMapFor(await source.decode(answer.plan), answer.plan);
    letGo(bytes);
    const { cut } = answer.plan;
    const base = cut ? await cutOut(whole, cut) : whole;
    return { base, plan: answer.plan };
  } catch (error) {
    const refused = error instanceof Refused ? error : await refusalOf(format, bytes, error);
    send(socket, { kind: "rejected", ...refused.finding, reason: reasonOf(refused.cause ?? refused) });
    return undefined;
  }
}

/** What the file's structure says of an error that its decoder has. */
async function refusalOf(format: FormatName, bytes: Uint8Array, cause: unknown): Promise<Refused> {
  try {
    await lookAgain(format, bytes, cause);
  } catch (error) {
    if (error instanceof Refused) return error;
  }
  return new Refused({ check: "decoder", at: 0 }, { cause });
}

/** Decoders quote the file: what could not stand in a log line goes. */
function reasonOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .replaceAll(/[^ -~]+/g, " ")
    .slice(0, 300);
}
