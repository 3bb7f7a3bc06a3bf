/**
 * A thread that node:test does not look into. It follows every promise of its own thread, which makes histories of hundreds of
 * thousands of them cost 2.4 times the CPU (measured over 20 rough ones).
 */
import { once } from "node:events";
import { isMainThread, MessageChannel, type MessagePort, parentPort, Worker } from "node:worker_threads";

interface Call {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly answer: MessagePort;
}

let worker: Worker | undefined;

/**
 * What the function comes to there, one call after the other where they are made so.
 * @param module where it is exported, under its own name
 * @param args what can be sent to another thread, as what it comes to
 */
export async function apart<A extends readonly unknown[], R>(
  module: URL,
  { name }: (...args: A) => Promise<R>,
  ...args: A
): Promise<R> {
  worker ??= new Worker(new URL(import.meta.url));
  // Whoever waits for an answer keeps the process.
  worker.unref();
  const { port1, port2 } = new MessageChannel();
  const call: Call = { module: module.href, name, args, answer: port2 };
  worker.postMessage(call, [port2]);
  const [{ error, result }] = (await once(port1, "message")) as [{ error?: unknown; result: R }];
  port1.close();
  if (error !== undefined) throw error;
  return result;
}

async function answer({ module, name, args, answer: port }: Call): Promise<void> {
  try {
    const functions = (await import(module)) as Record<string, (...args: readonly unknown[]) => unknown>;
    port.postMessage({ result: await functions[name]?.(...args) });
  } catch (error) {
    port.postMessage({ error });
  }
}

if (!isMainThread) parentPort?.on("message", (call: Call) => void answer(call));
