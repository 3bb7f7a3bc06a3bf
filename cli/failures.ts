/** `darkroom failures`: what needs attention, and why. */
import { Command, Option } from "commander";
import type { ImageInTrouble } from "../core/job/list-attention.ts";
import { ATTENTION, type Attention } from "../core/keys.ts";
import { all, connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { minute, note, printable, table } from "./terminal.ts";

/** What waits is no trouble (`darkroom held`), and what was let go after its days is as it should be. */
const TROUBLES = ATTENTION.filter((status) => status !== "held" && status !== "original-expired");

interface FailuresOptions extends ApiOptions {
  readonly status?: Attention;
  readonly json?: boolean;
}

export const command = new Command("failures")
  .description("list images that failed, were rejected or have lost their original, with the reasons")
  .addOption(new Option("-s, --status <status>", "only these; all where absent").choices(TROUBLES))
  .action(async ({ status, json, ...options }: FailuresOptions) => {
    const api = await connect(options, "admin");
    const images: ImageInTrouble[] = [];
    for (const one of status ? [status] : TROUBLES) {
      const path = `/admin/images?status=${one}&limit=100`;
      for await (const image of all<ImageInTrouble>(api, path, "images")) {
        if (json) console.log(JSON.stringify(image));
        else images.push(image);
      }
    }
    if (json) return;
    if (images.length === 0) console.log("Nothing needs attention.");
    else {
      console.log(
        table(["id", "status", "code", "preset", "owner", "reference", "when (UTC)", "why"], images.map(row)),
      );
      note("Once the cause is gone: darkroom reprocess --status failed (or rejected)");
    }
  });
withJson(withApi(command));
withExamples(command, "failures", "failures --status failed --json");

/** What is still shown as before its last re-process is marked. */
const row = ({ id, status, code, preset, at, message, ready, context }: ImageInTrouble) => [
  id,
  ready ? `${status}, still ready` : status,
  code,
  preset ?? "",
  context?.owner ?? "",
  printable(context?.ref ?? context?.clientRef ?? ""),
  minute(at),
  printable(message),
];
