/** `darkroom reject`: images that were held are never shown. */
import { Command } from "commander";
import { connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples } from "./options.ts";
import { printable } from "./terminal.ts";

export const command = new Command("reject")
  .description("reject images that were held")
  .argument("<id...>", "of darkroom held")
  .option("--reason <sentence>", "for whoever uploaded them; anybody may read it")
  .action(async (ids: string[], { reason, ...options }: ApiOptions & { readonly reason?: string }) => {
    const api = await connect(options, "admin");
    for (const id of ids) {
      await api.call("POST", `/images/${encodeURIComponent(id)}/reject`, reason ? { reason } : {});
      console.log(`${printable(id)} is rejected.`);
    }
  });
withApi(command);
withExamples(command, 'reject qbbfm3f3cr98440ngmn6a6rh3w --reason "A photo of yourself, please."');
