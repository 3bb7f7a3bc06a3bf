/** `darkroom deploy`: everything on AWS. */
import { Command } from "commander";
import { withExamples } from "./options.ts";
import { serverless } from "./serverless.ts";

export const command = new Command("deploy")
  .description("deploy to AWS, or update what is there (docs/deploy.md)")
  .argument("[args...]", "as `serverless deploy` takes them")
  .allowUnknownOption()
  .helpOption(false)
  .action((args: string[]) => serverless(["deploy", ...args]));
withExamples(command, "deploy --stage prod --region eu-central-1 --param origins=https://app.example.com");
