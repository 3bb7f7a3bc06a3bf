/** `darkroom webhooks`: what no receiver took, and sending again. */
import { Command, InvalidArgumentError } from "commander";
import type { FailedWebhook, ReplayRequest } from "../core/tell/replay.ts";
import { EVENT_TYPES } from "../core/tell/tell.ts";
import { connect } from "./api.ts";
import { CliError } from "./exit.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { Progress } from "./progress.ts";
import { note, table } from "./terminal.ts";

interface FailedOptions extends ApiOptions {
  readonly json?: boolean;
}
interface ReplayOptions extends FailedOptions {
  readonly since?: string;
  readonly until?: string;
  readonly id?: string;
  readonly type?: ReplayRequest["types"];
  readonly failed?: boolean;
}

const failed = new Command("failed")
  .description("list what receivers have not taken, and when it is tried next")
  .action(list);
withJson(failed);
withApi(failed);
withExamples(failed, "webhooks failed", "webhooks failed --json");

const replay = new Command("replay")
  .description("send again what was told, or what no receiver took")
  .option("--since <time>", "from then on: 2026-11-20, 2026-11-20T12:00:00Z, 90m, 12h, 3d", timeOf)
  .option("--until <time>", "before then", timeOf)
  .option("--id <image>", "of one image")
  .option(
    "--type <kinds>",
    `only ${EVENT_TYPES.map((type) => type.replace("image.", "")).join(", ")}`,
    typesOf,
  )
  .option("--failed", "what `webhooks failed` lists, with all its tries before it again")
  .action(again);
withJson(replay);
withApi(replay);
withExamples(
  replay,
  "webhooks replay --since 12h",
  "webhooks replay --since 2026-11-20T12:00:00Z --until 2026-11-20T13:00:00Z --type ready,deleted",
  "webhooks replay --id qbbfm3f3cr98440ngmn6a6rh3w",
  "webhooks replay --failed",
);

export const command = new Command("webhooks")
  .description("what receivers of webhooks did not take, and sending again")
  .addCommand(failed)
  .addCommand(replay);
withExamples(command, "webhooks failed", "webhooks replay --since 12h", "webhooks replay --failed");

async function list(options: FailedOptions): Promise<void> {
  const api = await connect(options, "admin");
  const { webhooks, more } = await api.call<{ webhooks: FailedWebhook[]; more: boolean }>(
    "GET",
    "/admin/webhooks/failed",
  );
  if (options.json) {
    for (const webhook of webhooks) console.log(JSON.stringify(webhook));
    return;
  }
  if (webhooks.length === 0) return void note("Every webhook was taken, or is still being tried.");
  const rows = webhooks.map(({ id, type, host = "", what, sentAt = "", due = "" }) => [
    id,
    type,
    what === "deliver" ? host : what === "forget" ? "(the CDN)" : "(not handed on)",
    sentAt,
    due,
  ]);
  console.log(table(["image", "event", "to", "since", "next try"], rows));
  if (more) note("There are more.");
  note("darkroom webhooks replay --failed sends them again.");
}

async function again({ since, until, id, type, failed, ...options }: ReplayOptions): Promise<void> {
  if (failed && (since || until || id || type))
    throw new CliError("--failed sends all of them; it goes with no other choice.", "usage");
  if (!failed && !since && !id) throw new CliError("Say which: --since, --id or --failed.", "usage");
  const api = await connect(options, "admin");
  let sent = 0;
  const progress = new Progress({ unit: "events" });
  try {
    for (let more: boolean | string | undefined = true; more; ) {
      const page: { sent: number; more?: boolean; cursor?: string } = failed
        ? await api.call("POST", "/admin/webhooks/failed")
        : await api.call("POST", "/admin/webhooks/replay", {
            since,
            until,
            id,
            types: type,
            ...(typeof more === "string" ? { cursor: more } : {}),
          });
      sent += page.sent;
      progress.done = sent;
      more = page.more || page.cursor;
    }
  } finally {
    progress.end();
  }
  console.log(options.json ? JSON.stringify({ sent }) : `${sent} sent again.`);
}

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** ISO 8601 in UTC, of that or of so long ago. */
function timeOf(text: string): string {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const time = count
    ? new Date(Date.now() - Number(count) * UNITS[unit as keyof typeof UNITS])
    : new Date(/^\d{4}-\d\d-\d\d/.test(text) ? text : Number.NaN);
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError("A time such as 2026-11-20T12:00:00Z, or 12h for so long ago.");
  return time.toISOString();
}

function typesOf(text: string): ReplayRequest["types"] {
  return text.split(",").map((kind) => {
    const type = EVENT_TYPES.find((one) => one === `image.${kind.trim().replace("image.", "")}`);
    if (!type) throw new InvalidArgumentError(`One or more of ${EVENT_TYPES.join(", ")}.`);
    return type;
  });
}
