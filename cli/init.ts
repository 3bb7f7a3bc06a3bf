/** `darkroom init`: begins the files that are the user's own, which no version of ours ever touches. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Command } from "commander";
import { parameters } from "../adapters/parameters.ts";
import { fileOfOurs, typed } from "../adapters/project.ts";
import { withExamples } from "./options.ts";
import { note } from "./terminal.ts";

export const command = new Command("init")
  .description(
    "begin the files that are yours: darkroom.config.ts (presets), darkroom.deploy.yml (parameters)",
  )
  .action(() => {
    for (const [file, textOf] of Object.entries(files)) {
      const there = existsSync(file);
      if (!there) writeFileSync(file, textOf(), { flag: "wx" });
      console.log(`${file.padEnd(19)}  ${there ? "is there already, and stays as it is" : "written"}`);
    }
    note(`
Next:  edit darkroom.config.ts (docs/presets.md has every option), and start again: ${typed("start")}
       give your stage a block in darkroom.deploy.yml before you deploy it (docs/deploy.md)
       commit both: they are yours, and an update never touches them`);
  });
withExamples(command, "init");

const files: Readonly<Record<string, () => string>> = {
  /** What is in force without the file, to begin with. */
  "darkroom.config.ts": () =>
    readFileSync(fileOfOurs("core/shipped.ts"), "utf8")
      .replace(
        /^.*\n/,
        "/** What images become. Yours: no update touches it. docs/presets.md lists every option. */\n",
      )
      .replace('"./preset.ts"', '"darkroom/config"'),
  "darkroom.deploy.yml": () => {
    const rows = Object.entries(parameters).flatMap(([name, { help, default: value }]) => [
      `  # ${help}`,
      `  # ${name}: ${JSON.stringify(value)}`,
    ]);
    return [
      "# What your deployments are told, a block for each stage. Yours: no update touches it.",
      "# What a block does not say is as shown; `--param NAME=value` wins over it. docs/deploy.md says more.",
      "prod:",
      ...rows,
      "",
    ].join("\n");
  },
};
