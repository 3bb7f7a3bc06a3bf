/** The command as a user runs it: a process of its own. */
import { execFile } from "node:child_process";

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Ends with the process; `env` is added to this process's own, `undefined` takes away. */
export function darkroom(
  args: readonly string[],
  { env = {}, input = "" }: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["cli/darkroom.ts", ...args],
      { env: { ...process.env, NO_COLOR: "1", ...env } },
      (error, out, err) => resolve({ status: error ? Number(error.code) : 0, out, err }),
    );
    child.stdin?.end(input);
  });
}
