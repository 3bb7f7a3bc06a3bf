/** `darkroom sweep`: where the sweep stands; letting it go on after it has stopped itself, or begin at once. */
import { Command } from "commander";
import type { AskSweep, SweepState } from "../core/sweep/ask-sweep.ts";
import { type Api, connect } from "./api.ts";
import { CliError, exitCodes } from "./exit.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { agreed, counted, isAttended, minute, note } from "./terminal.ts";

interface SweepOptions extends ApiOptions {
  readonly now?: boolean;
  /** True without an id. */
  readonly confirm?: string | true;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Images that are shown of a stop; `--json` has the first thousand. */
const SHOWN = 5;

export const command = new Command("sweep")
  .description("show where the sweep stands; let it go on after it has stopped itself, or begin at once")
  .option("--now", "the next round at the next turn of the schedule, without the rest before it")
  .option(
    "--confirm [id]",
    "let it go on from this stop; without an id from the one it stands at, once you agree",
  )
  .option("-n, --dry-run", "only say what a round would delete, or whether --now or --confirm would be taken")
  .option("-y, --yes", "do not ask")
  .action(async (options: SweepOptions) => {
    if (options.now && options.confirm) throw new CliError("Either --now or --confirm.", "usage");
    process.exitCode = await run(await connect(options, "admin"), options);
  });
withJson(withApi(command), "where it stands, as JSON");
withExamples(
  command,
  "sweep",
  "sweep --dry-run",
  "sweep --now",
  "sweep --confirm qbbfm3f3cr98440ngmn6a6rh3w --dry-run",
  "sweep --confirm qbbfm3f3cr98440ngmn6a6rh3w",
);

async function run(api: Api, { now, confirm, dryRun = false, yes, json }: SweepOptions): Promise<number> {
  const ask = (body: Partial<AskSweep>) => api.call<SweepState>("POST", "/admin/sweep", { ...body, dryRun });
  const print = (state: SweepState) => {
    const lines = [told(state), ...(dryRun ? toldDue(state) : [])];
    console.log(json ? JSON.stringify(state) : lines.join("\n"));
    return state.state === "stopped" ? exitCodes.failed.status : exitCodes.done.status;
  };
  if (now) return print(await ask({ now }));
  if (typeof confirm === "string") return print(await ask({ confirm }));
  const state = await api.call<SweepState>("GET", "/admin/sweep");
  const { stopped } = state;
  if (!confirm || !stopped) return print(state);
  if (!yes && !dryRun) {
    if (!isAttended())
      throw new CliError(`Nobody is there to ask. Once you have looked: ${confirming(stopped.id)}`, "usage");
    note(told(state));
    if (!(await agreed("Let it go on?"))) return exitCodes.failed.status;
  }
  return print(await ask({ confirm: stopped.id }));
}

const confirming = (id: string) => `darkroom sweep --confirm ${id}`;
const inUtc = (time?: string) => `${minute(time)} (UTC)`;

function told({ state, startedAt, finishedAt, images = 0, wanted, stopped, confirmed }: SweepState): string {
  if (state === "new") return "There was no round yet; the first begins at the next turn of the schedule.";
  if (stopped) return toldStop(stopped);
  const seen = counted(images, "image");
  if (state === "resting") {
    const next = wanted ? "The next begins at the next turn of the schedule." : "It rests.";
    return `The last round ended ${inUtc(finishedAt)}; it saw ${seen}. ${next}`;
  }
  const may = confirmed
    ? ` Until ${inUtc(confirmed.until)} it may delete ${counted(confirmed.objects, "object")}.`
    : "";
  return `A round runs since ${inUtc(startedAt)}, ${seen} so far. It goes on at the next turn of the schedule.${may}`;
}

function toldDue({ due = { count: 0, images: [] } }: SweepState): string[] {
  const { count, images } = due;
  const rest = "Anything else it would have to find first, and another round a day later.";
  if (count === 0) return [`A round that begins now deletes nothing. ${rest}`];
  const leftovers = counted(count, "leftover");
  return [
    `A round that begins now deletes ${leftovers}, where it finds that still so. ${rest}`,
    ...named(images, images.length === 1000),
  ];
}

const named = (images: readonly string[], isCut: boolean): string[] => [
  ...images.slice(0, SHOWN).map((image) => `  of ${image}`),
  ...(images.length > SHOWN ? [`  and of ${images.length - SHOWN}${isCut ? " or more" : ""} others`] : []),
];

function toldStop({
  id,
  at,
  why,
  prefix,
  full,
  seen,
  objects = 0,
  images = [],
}: NonNullable<SweepState["stopped"]>) {
  const reason =
    why === "emptied"
      ? `${prefix} is empty, where there were ${counted(full ?? 0, "object")}.`
      : `it would delete ${objects} of ${counted(seen ?? 0, "object")}.`;
  return [
    `The sweep has stopped itself, ${inUtc(at)}: ${why ? reason : "why is not to be read."}`,
    ...named(images, images.length === 1000),
    `Where that is a mistake, mend it first. Then: ${confirming(id)}`,
  ].join("\n");
}
