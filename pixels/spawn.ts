/** Starts the pixel process with as few rights as the system lets us take away, and speaks to it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, realpathSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { FormatName } from "../core/formats.ts";
import { type FromChild, parseFromChild, receive, send, type ToChild } from "./wire.ts";

/** The child is gone: killed at the limit, crashed, out of memory, or it said what no child of ours says. */
export class ChildGone extends Error {
  readonly code: "timeout" | "decoder-crashed";
  constructor(code: ChildGone["code"], options?: { cause: unknown }) {
    super(`the pixel process is gone: ${code}`, options);
    this.code = code;
  }
}

/** A bundle on Lambda: one file a side. Else the folders are as in the repository, compiled or not. */
const bundled = import.meta.url.endsWith(".mjs");
const entry = new URL(`./child${extname(import.meta.url)}`, import.meta.url);
/** Slow enough for a cold start on a small Lambda, where 0.2 s of CPU time take seconds. */
const START_SECONDS = 30;

export class Child {
  readonly pid: number | undefined;
  /** Rejects when the child does not come up, which is no image's fault. */
  ready: Promise<void> | undefined;
  readonly gone: Promise<unknown>;
  alive = true;
  readonly #process;
  readonly #socket: Socket;
  readonly #inbox;
  #said = "";

  constructor() {
    this.#process = spawn(process.execPath, [...flags(), fileURLToPath(entry)], {
      env: environment(),
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    const { stderr, stdio, pid } = this.#process;
    const socket = stdio[3];
    if (!(socket instanceof Socket) || !(stderr instanceof Socket))
      throw new Error("no pipes to the pixel process");
    this.pid = pid;
    this.#socket = socket;
    this.#inbox = receive(socket);
    this.gone = once(this.#process, "exit").catch(() => {});
    void this.gone.then(() => {
      this.alive = false;
    });
    // What breaks shows when the next message is awaited.
    socket.on("error", () => {});
    // libvips warns here about what stands in files: kept for a failed start, never logged otherwise.
    stderr.on("data", (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-2000);
    });
    stderr.unref();
    // When memory runs out the kernel shall take the child, not the worker. Elsewhere than on Linux: no such file.
    writeFile(`/proc/${pid}/oom_score_adj`, "1000").catch(() => {});
    this.unref();
  }

  /** Opens the loaders of these formats. To be called once, before anything else. */
  open(formats: readonly FormatName[]): void {
    this.send({ kind: "open", formats });
    this.ready = this.next(START_SECONDS).then(
      ({ head }) => {
        if (head.kind !== "ready") throw new Error("the pixel process began with something else");
      },
      (cause) => {
        throw new Error(`the pixel process did not start: ${this.#said.trim()}`, { cause });
      },
    );
    this.ready.catch(() => {});
  }

  send(head: ToChild, bytes?: Uint8Array): void {
    send(this.#socket, head, bytes);
  }

  /** The next message. @throws ChildGone when none comes within `seconds`, after killing the child */
  async next(seconds: number): Promise<{ head: FromChild; bytes: Uint8Array }> {
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      this.kill();
    }, seconds * 1000).unref();
    try {
      const message = await this.#inbox.next();
      if (!message.done) return { head: parseFromChild(message.value.head), bytes: message.value.bytes };
    } catch (cause) {
      throw new ChildGone(late ? "timeout" : "decoder-crashed", { cause });
    } finally {
      clearTimeout(limit);
    }
    throw new ChildGone(late ? "timeout" : "decoder-crashed");
  }

  kill(): void {
    this.alive = false;
    this.#process.kill("SIGKILL");
  }

  /** While an image is being developed the child keeps the worker from ending; idle it does not. */
  ref(): void {
    this.#process.ref();
    this.#socket.ref();
  }
  unref(): void {
    this.#process.unref();
    this.#socket.unref();
  }
}

/**
 * glibc's arenas, one per thread, keep what was freed: with one for all, the peak of a 48 MP photo falls from 255 to
 * 243 MB against two, and several encoders at work still lose no CPU to it. Buffers over 4 MB go back at once; from
 * 1 MB on it would save little more, for 4 % more CPU (measured).
 */
export const allocator = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "4194304",
  MALLOC_TRIM_THRESHOLD_: "4194304",
} as const;

/** Everything the child may know of ours: no credentials, no endpoints. */
function environment(): NodeJS.ProcessEnv {
  const passed = ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"] as const;
  return {
    ...Object.fromEntries(passed.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    ...allocator,
    // sharp's work runs on libuv's threads, four by default.
    UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())),
  };
}

/**
 * Node's permission model where this Node has it (24): no writing, no processes, no workers, and nothing to read but
 * code. It binds JavaScript and WebAssembly, not a libvips that a file has taken over.
 */
function flags(): string[] {
  // Those of V8 that Node's own code is not compiled anew for: the others are set by the child (child.ts).
  const bounded = ["--max-old-space-size=256", "--max-semi-space-size=1", "--no-warnings"];
  if (!process.allowedNodeEnvironmentFlags.has("--permission")) return bounded;
  return [
    "--permission",
    "--allow-addons",
    ...readable().map((path) => `--allow-fs-read=${path}`),
    ...bounded,
  ];
}

/** The child's own folder, our `core/` where it is not bundled, and what Node looks up on the way to the root. */
function readable(): string[] {
  const own = [new URL("./", entry), ...(bundled ? [] : [new URL("../core/", entry)])];
  const above: URL[] = [];
  for (let folder = new URL("./", entry); ; folder = new URL("../", folder)) {
    above.push(new URL("node_modules/", folder), new URL("package.json", folder));
    if (folder.pathname === new URL("../", folder).pathname) break;
  }
  // Where a folder is a link, Node asks for what it leads to.
  return [...own, ...above].flatMap((url) => {
    const path = fileURLToPath(url);
    if (!existsSync(path)) return [path];
    const real = realpathSync(path);
    return path.endsWith("/") ? [path, `${real}/`] : [path, real];
  });
}
