/** The local stack in a process of its own, to be killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, watch } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { type Api, apiAt } from "../cli/api.ts";
import { type Note, noteFile } from "../host/note.ts";

/** `npm start` as a user has it, on a free port. */
export async function startProcess(data: string): Promise<{ child: ChildProcess; api: Api; note: Note }> {
  rmSync(noteFile(data), { force: true });
  const noted = new Promise<void>((resolve) => {
    const watcher = watch(data, () => {
      if (!existsSync(noteFile(data))) return;
      watcher.close();
      resolve();
    });
  });
  const child = spawn(process.execPath, ["laptop/start.ts"], {
    env: { ...process.env, PORT: "0", DARKROOM_DATA: data, LOG_LEVEL: "error" },
    stdio: "inherit",
  });
  await noted;
  // The note is written last of all, in one go; reading it may still come a moment too early.
  for (;;) {
    const text = readFileSync(noteFile(data), "utf8");
    if (text.endsWith("}")) {
      const note = JSON.parse(text) as Note;
      return { child, note, api: apiAt(note.api, note.uploadToken) };
    }
    await setTimeout(5);
  }
}
