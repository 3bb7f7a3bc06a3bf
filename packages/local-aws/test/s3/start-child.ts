import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { KEYS, REGION } from "./fixture.ts";

export interface Child {
  readonly url: string;
  readonly port: number;
  /** Most bytes of memory that the process has held. */
  maxRss(): Promise<number>;
  /** Without a chance to tidy up. */
  kill(): Promise<void>;
}

/** @param fileBlocks most 512-byte blocks that any file may have: the nearest thing to a full disk without one */
export async function startChild(data: string, fileBlocks?: number): Promise<Child> {
  const limit = fileBlocks === undefined ? "" : `ulimit -f ${fileBlocks};`;
  const script = fileURLToPath(new URL("./child.ts", import.meta.url));
  const child: ChildProcess = spawn(
    "sh",
    [
      "-c",
      `${limit} exec "$0" "$@"`,
      process.execPath,
      script,
      data,
      KEYS.accessKeyId,
      KEYS.secretAccessKey,
      REGION,
    ],
    { stdio: ["ignore", "inherit", "inherit", "ipc"] },
  );
  const [{ url }] = await once(child, "message");
  return {
    url,
    port: Number(new URL(url).port),
    async maxRss() {
      child.send("memory");
      const [{ maxRss }] = await once(child, "message");
      return maxRss;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
