/** `darkroom edit`: turns, crops and describes an image that is there. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { Edit } from "../client/image.ts";
import { connect } from "./api.ts";
import { CliError } from "./exit.ts";
import { type ApiOptions, withApi, withExamples } from "./options.ts";
import { printable } from "./terminal.ts";

interface EditOptions extends ApiOptions, Edit {
  readonly wait: boolean;
}

const NONE = "none";
/** How long it may take until it is shown. */
const SHOWN_SECONDS = 120;
/** As many shares as are asked for, with commas between; null for `none`. */
const shares = (count: number) => (text: string) => {
  if (text === NONE) return null;
  const all = text.split(",").map((one) => (one.trim() === "" ? Number.NaN : Number(one)));
  if (all.length !== count || !all.every((one) => one >= 0 && one <= 1))
    throw new InvalidArgumentError(`${count} numbers from 0 to 1 with commas between, or ${NONE}.`);
  return all;
};
function revOf(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("A whole number from 0.");
  return Number(text);
}
function focusOf(text: string): Edit["focus"] {
  const [x = 0, y = 0] = shares(2)(text) ?? [];
  return text === NONE ? null : { x, y };
}
function cropOf(text: string): Edit["crop"] {
  const [x = 0, y = 0, width = 0, height = 0] = shares(4)(text) ?? [];
  return text === NONE ? null : { x, y, width, height };
}

export const command = new Command("edit")
  .description("turn, crop or describe an image; the original stays as it is, and another edit undoes it")
  .argument("<id>", "of an image that is ready")
  .addOption(
    new Option("--turn <degrees>", "clockwise from how the original lies upright: 0, 90, 180, 270").argParser(
      (text) => {
        if (!["0", "90", "180", "270"].includes(text)) throw new InvalidArgumentError("0, 90, 180 or 270.");
        return Number(text);
      },
    ),
  )
  .option("--crop <x,y,width,height>", "shares, 0 to 1, of the turned picture, or none", cropOf)
  .option("--focus <x,y>", "what crops keep: shares of what is then left, or none", focusOf)
  .option("--alt <text>", "what the picture shows, for those who do not see it; everybody may read it")
  .option("--rev <number>", "only upon this edit, 0 for none", revOf)
  .option("--no-wait", "do not wait until it is shown")
  .action(async (id: string, { wait, api: url, token, ...changes }: EditOptions) => {
    if (Object.keys(changes).every((name) => name === "rev"))
      throw new CliError("Nothing to change: --turn, --crop, --focus or --alt.", "usage");
    const api = await connect({ ...(url && { api: url }), ...(token && { token }) }, "admin");
    const made = wait
      ? (await api.edit(id, changes, SHOWN_SECONDS)).edit
      : await api.call<{ rev: number }>("PATCH", `/images/${encodeURIComponent(id)}`, changes);
    console.log(`${printable(id)} ${wait ? "shows" : "will show"} edit ${made?.rev}.`);
  });
withApi(command);
withExamples(
  command,
  "edit qbbfm3f3cr98440ngmn6a6rh3w --turn 90 --alt 'A red boat'",
  "edit qbbfm3f3cr98440ngmn6a6rh3w --crop 0.25,0,0.5,1 --focus 0.5,0.3",
  "edit qbbfm3f3cr98440ngmn6a6rh3w --crop none",
);
