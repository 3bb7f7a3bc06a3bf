/** `npm run darkroom -- …`: one command, its sub-commands a file each. */
import { Command, type CommanderError } from "commander";
import { uploadCommand } from "./upload.ts";

const program = new Command("darkroom")
  .description("Upload images and look after them.")
  .addHelpText("after", "\nExit status: 0 when all went well, 1 when something did not, 2 for wrong options.")
  .addCommand(uploadCommand());

for (const command of [program, ...program.commands]) {
  command.showHelpAfterError("(add --help for the options)").exitOverride((error: CommanderError) => {
    // Commander's own status for a wrong option is 1, which here means that an image was refused.
    process.exit(error.exitCode === 0 ? 0 : 2);
  });
}
await program.parseAsync();
