/** `darkroom attach`: keeps images whose token said `attachWithin`. */
import { Argument, Command } from "commander";
import { connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples } from "./options.ts";
import { printable } from "./terminal.ts";

export const command = new Command("attach")
  .description("keep images that go unless they are attached in time, as their tokens said (attachWithin)")
  .addArgument(new Argument("<id...>", "images, also those that are still on their way"))
  .action(async (ids: string[], options: ApiOptions) => {
    const api = await connect(options, "admin");
    for (const id of ids) {
      await api.call("POST", `/images/${encodeURIComponent(id)}/attach`);
      console.log(`${printable(id)} is attached.`);
    }
  });
withApi(command);
withExamples(command, "attach qbbfm3f3cr98440ngmn6a6rh3w");
