/** `npm run darkroom -- …`, or `npx darkroom …` of the package: one command, its sub-commands a file each. */
import { readFileSync } from "node:fs";
import { Command, type CommanderError } from "commander";
import { fileOfOurs } from "../adapters/project.ts";
import { commands } from "./commands.ts";
import { CliError, exitCodes, messageOf } from "./exit.ts";
import { note, paint } from "./terminal.ts";

const { version } = JSON.parse(readFileSync(fileOfOurs("package.json"), "utf8")) as { version: string };
const program = new Command("darkroom")
  .description("Upload images and look after them.")
  .version(version)
  // `sync --version NAME` is the command's own.
  .enablePositionalOptions()
  .addHelpText("after", "\ndarkroom COMMAND --help has the options and examples of each.");

const wanted = process.argv[2] ?? "";
for (const load of Object.hasOwn(commands, wanted) ? [commands[wanted]] : Object.values(commands)) {
  if (load) program.addCommand((await load()).command);
}

const statuses = Object.values(exitCodes).map(
  ({ status, meaning }) => `  ${String(status).padStart(3)}  ${meaning}`,
);
(function finish(command: Command) {
  command
    .addHelpText("after", `\nExit status:\n${statuses.join("\n")}`)
    .showHelpAfterError("(add --help for the options)")
    .exitOverride((error: CommanderError) => {
      // Commander's own status for a wrong option is 1, which here means that something was tried and failed.
      process.exit(error.exitCode === 0 ? 0 : exitCodes.usage.status);
    });
  for (const inner of command.commands) finish(inner);
})(program);

// Whoever reads our output may stop, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.failed.status);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  note(paint("red", messageOf(error), process.stderr));
  process.exitCode = error instanceof CliError ? error.status : exitCodes.failed.status;
  if (!(error instanceof CliError) && process.env["DEBUG"])
    note(error instanceof Error ? (error.stack ?? "") : "");
}
