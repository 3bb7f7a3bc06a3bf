/** `darkroom held`: what waits for somebody's judgement. */
import { Command } from "commander";
import type { ImageInTrouble } from "../core/job/list-attention.ts";
import { all, connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { minute, note, table } from "./terminal.ts";

export const command = new Command("held")
  .description("list images that nobody may see before somebody has released them")
  .action(async ({ json, ...options }: ApiOptions & { readonly json?: boolean }) => {
    const api = await connect(options, "admin");
    const images: ImageInTrouble[] = [];
    for await (const image of all<ImageInTrouble>(api, "/admin/images?status=held&limit=100", "images")) {
      if (json) console.log(JSON.stringify(image));
      else images.push(image);
    }
    if (json) return;
    if (images.length === 0) return console.log("Nothing waits.");
    console.log(table(["id", "preset", "since (UTC)"], images.map(row)));
    note("--json has a URL to look at for each, good for five minutes. Then: darkroom release ID, or reject");
  });
withJson(withApi(command));
withExamples(command, "held", "held --json");

const row = ({ id, preset, at }: ImageInTrouble) => [id, preset ?? "", minute(at)];
