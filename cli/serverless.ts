/** `darkroom serverless`: the Serverless CLI with our service and the user's presets and parameters. */
import { copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { fileOfOurs, installed, PROJECT } from "../adapters/project.ts";
import { withExamples } from "./options.ts";
import { become } from "./program.ts";

export const command = new Command("serverless")
  .description("any command of the Serverless CLI for this stack: package, info, logs, remove …")
  .argument("<args...>", "as Serverless takes them")
  .allowUnknownOption()
  .helpOption(false)
  .action((args: string[]) => serverless(args));
withExamples(command, "serverless package --stage prod", "serverless remove --stage prod");

/** Runs it; what it makes is under `.serverless/` of the service's folder. */
export function serverless(args: readonly string[]): Promise<void> {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("serverless/package.json");
  const { bin } = require(manifest) as { bin: Readonly<Record<string, string>> };
  return become({
    script: join(dirname(manifest), bin["serverless"] ?? ""),
    args,
    cwd: installed ? serviceFolder() : fileOfOurs(""),
  });
}

/** The CLI works in the folder of `serverless.yml`, and leaves things there: not in somebody's `node_modules`. */
function serviceFolder(): string {
  const folder = fileURLToPath(new URL(".darkroom/service/", PROJECT));
  mkdirSync(folder, { recursive: true });
  copyFileSync(fileOfOurs("serverless.yml"), join(folder, "serverless.yml"));
  for (const name of ["deploy", "functions", "events"]) {
    rmSync(join(folder, name), { force: true });
    // A junction needs no rights on Windows.
    symlinkSync(fileOfOurs(name), join(folder, name), "junction");
  }
  return folder;
}
