/** `darkroom undelete`: takes deletes back, with the operator's own rights at AWS, as no function has them. */
import { randomBytes } from "node:crypto";
import { Command } from "commander";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { s3Versions } from "../adapters/aws/s3-versions.ts";
import { sqsClient, sqsQueue } from "../adapters/aws/sqs-queue.ts";
import { DarkroomError } from "../core/errors.ts";
import { type Undeleted, undeleteImage } from "../core/image/undelete-image.ts";
import { type AwsOptions, findDeployment, withAws } from "./deployment.ts";
import { CliError, exitCodes } from "./exit.ts";
import { withExamples, withJson } from "./options.ts";
import { idsFrom } from "./select.ts";
import { counted, minute, note, paint } from "./terminal.ts";

interface UndeleteOptions extends AwsOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const command = new Command("undelete")
  .description("take deletes back, as long as the buckets keep what was deleted (undoDays)")
  .argument("<ids...>", "of the images; - reads ids from standard input, one to a line")
  .option("-n, --dry-run", "only say what would come back")
  .action(async (given: string[], options: UndeleteOptions) => {
    process.exitCode = await run(await idsFrom(given), options);
  });
withJson(withAws(command));
withExamples(
  command,
  "undelete qbbfm3f3cr98440ngmn6a6rh3w",
  "undelete qbbfm3f3cr98440ngmn6a6rh3w --stack darkroom-prod --region eu-central-1 --dry-run",
);

async function run(
  ids: readonly string[],
  { dryRun = false, json, ...aws }: UndeleteOptions,
): Promise<number> {
  const { buckets, s3, sqs, eventsQueue } = await findDeployment(aws);
  if (!eventsQueue)
    throw new CliError("This stack does not say where its events go: deploy this version first.");
  const [client, queues] = [s3Client(s3), sqsClient(sqs)];
  const deps = {
    uploads: s3Store(client, buckets.uploads),
    media: s3Store(client, buckets.media),
    kept: { uploads: s3Versions(client, buckets.uploads), media: s3Versions(client, buckets.media) },
    events: sqsQueue(queues, eventsQueue),
    now: () => new Date(),
    random: (bytes: number): Uint8Array => randomBytes(bytes),
  };
  let status: number = exitCodes.done.status;
  try {
    for (const id of ids) {
      const back = await undeleteImage(deps, id, { dryRun }).catch((error: unknown) => {
        if (!(error instanceof DarkroomError)) throw error;
        return error;
      });
      if (back instanceof DarkroomError) status = exitCodes.failed.status;
      print(id, back, dryRun, json);
    }
  } finally {
    client.destroy();
    queues.destroy();
  }
  return status;
}

function print(id: string, back: Undeleted | DarkroomError, dryRun: boolean, json: boolean | undefined) {
  if (back instanceof DarkroomError) {
    if (json) console.log(JSON.stringify({ id, code: back.code, message: back.message }));
    else note(`${paint("red", "✗", process.stderr)} ${id}: ${back.message}`);
    return;
  }
  if (json) console.log(JSON.stringify(back));
  else console.log(`${paint("green", "✓")} ${id} ${told(back, dryRun)}`);
}

function told({ status, variants, original, already, deletedAt }: Undeleted, dryRun: boolean): string {
  const files = [counted(variants, "variant"), ...(original ? ["its original"] : [])].join(" and ");
  if (already) return variants > 0 || original ? `was back already; ${files} more` : "is back already";
  const when = deletedAt ? `, deleted ${minute(deletedAt)} (UTC)` : "";
  // What was deleted before it was developed, or has lost variants for good.
  const next = status === "failed" ? "; it is developed anew" : "";
  return `${dryRun ? "would be" : "is"} back with ${files}${when}${next}`;
}
