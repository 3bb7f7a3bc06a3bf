/** `darkroom release`: shows images that were held. */
import { Command } from "commander";
import { connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples } from "./options.ts";
import { printable } from "./terminal.ts";

export const command = new Command("release")
  .description("show images that were held to everybody")
  .argument("<id...>", "of darkroom held")
  .action(async (ids: string[], options: ApiOptions) => {
    const api = await connect(options, "admin");
    for (const id of ids) {
      await api.call("POST", `/images/${encodeURIComponent(id)}/release`);
      console.log(`${printable(id)} is shown.`);
    }
  });
withApi(command);
withExamples(command, "release qbbfm3f3cr98440ngmn6a6rh3w");
