/** Another program of ours, or that we wrap, in place of this one. */
import { spawn } from "node:child_process";

interface Program {
  /** A file that Node runs. */
  readonly script: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs it on this terminal until it ends, and ends as it did. */
export async function become({ script, args, cwd, env }: Program): Promise<void> {
  const child = spawn(process.execPath, [script, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: "inherit",
  });
  // A terminal tells both of us of Ctrl-C; whoever sends a signal means the program.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}
