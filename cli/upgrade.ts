/** `darkroom upgrade --check`: what an update, or an edit of the presets, would mean for the images that are there. */
import { randomBytes } from "node:crypto";
import { Command } from "commander";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import config from "../adapters/presets.ts";
import { installed } from "../adapters/project.ts";
import { dryRunJob } from "../core/job/dry-run.ts";
import { type AwsOptions, findDeployment, withAws } from "./deployment.ts";
import { CliError } from "./exit.ts";
import { withExamples, withJson } from "./options.ts";
import { goneAdvice, told } from "./reprocess.ts";
import { counted, note } from "./terminal.ts";

const UPDATE = installed
  ? "`npm install darkroom@latest` and `npx darkroom deploy`"
  : "`git pull`, `npm ci` and `npx serverless deploy`";

interface UpgradeOptions extends AwsOptions {
  readonly check?: boolean;
  readonly json?: boolean;
}

export const command = new Command("upgrade")
  .description("say what this version, with your presets, would make anew of the images that are there")
  .option("--check", "look, and change nothing")
  .action(async (options: UpgradeOptions) => {
    if (!options.check)
      throw new CliError(
        `An update is ${UPDATE} (docs/deploy.md). Say --check to see what it would mean.`,
        "usage",
      );
    await check(options);
  });
withJson(command, "for each preset what a job over its stale images would do, as one JSON document");
withAws(command);
withExamples(command, "upgrade --check", "upgrade --check --stack darkroom-prod --region eu-central-1");

/**
 * The recipes that made the images stand in their documents. What is deployed knows its own recipes only, so today's are
 * compared here, by the estimate that the API makes.
 */
async function check(options: UpgradeOptions): Promise<void> {
  const deployment = await findDeployment(options);
  const { uploads, media } = deployment.buckets;
  const client = s3Client(deployment.s3);
  const stores = { uploads: s3Store(client, uploads), media: s3Store(client, media) };
  const deps = { ...stores, config, now: () => new Date(), random: randomBytes };
  let changed = 0;
  try {
    for (const preset of config.presets.keys()) {
      const found = await dryRunJob(deps, { status: "stale", preset }, false);
      changed += found.changed;
      if (options.json) console.log(JSON.stringify({ preset, ...found }));
      else if (found.images === 0) console.log(`${preset}: its images are as this version makes them`);
      else console.log(`${preset}: made otherwise today. ${told(found)}`);
    }
    const { gone } = await dryRunJob(deps, { status: "stale" }, false);
    if (options.json) console.log(JSON.stringify({ gone }));
    else
      for (const [name, images] of Object.entries(gone))
        console.log(`${name}: gone, and has ${counted(images, "image")}: ${goneAdvice(name)}`);
  } finally {
    client.destroy();
  }
  note(
    changed === 0
      ? "Deploy whenever you like."
      : "They stay as they are until you deploy, and then say: darkroom reprocess --status stale",
  );
}
