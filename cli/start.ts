/** `darkroom start`: the whole system on this machine. */
import { Command } from "commander";
import { ENDING, fileOfOurs } from "../adapters/project.ts";
import { portNumber, withExamples } from "./options.ts";
import { become } from "./program.ts";

interface StartOptions {
  readonly port?: number;
  readonly data?: string;
}

export const command = new Command("start")
  .description("run everything on this machine, with your presets, until Ctrl-C (docs/local.md)")
  .option("-p, --port <n>", "of the page, the others follow; 0 picks free ones (PORT, or 3000)", portNumber)
  .option("--data <folder>", "what keeps everything across restarts (DARKROOM_DATA, or .darkroom)")
  .action(({ port, data }: StartOptions) =>
    // A process of its own: what it sets up for the functions is nothing that a command should meet.
    become({
      script: fileOfOurs(`laptop/start${ENDING}`),
      args: [],
      env: {
        ...(port === undefined ? {} : { PORT: String(port) }),
        ...(data === undefined ? {} : { DARKROOM_DATA: data }),
      },
    }),
  );
withExamples(command, "start", "start --port 8000");
