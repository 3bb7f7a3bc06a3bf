/** `darkroom sync`: publishes a site's static files beside its images, every deploy under URLs of its own. */
import { Command, InvalidArgumentError } from "commander";
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { onInterrupt } from "../adapters/interrupt.ts";
import { isStaticVersion, STATIC_LATEST } from "../core/keys.ts";
import { type AwsOptions, type Deployment, findDeployment, withAws } from "./deployment.ts";
import { CliError, exitCodes, messageOf } from "./exit.ts";
import { wholeNumber, withExamples, withJson } from "./options.ts";
import { Progress } from "./progress.ts";
import { Overtaken, type Revision, readLatest } from "./static/documents.ts";
import { type CacheRule, parseCacheRule } from "./static/headers.ts";
import { type PublishPlan, planPublish, publish, type StaticStore } from "./static/publish.ts";
import { abandoned, expired, retire } from "./static/retire.ts";
import { scan } from "./static/scan.ts";
import { copyInside } from "./static/store.ts";
import { bytes, note, paint, printable } from "./terminal.ts";

interface SyncOptions extends AwsOptions {
  readonly version?: string;
  readonly cacheControl: readonly CacheRule[];
  readonly grace: number;
  readonly concurrency: number;
  readonly hidden: boolean;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly bucket?: string;
  readonly cdn?: string;
}

export const command = new Command("sync")
  .description("publish a folder of static files to the CDN, under URLs that are new with every change")
  .argument("<folder>", "the site's static files: css, js, fonts, icons")
  .option("--version <name>", "what this version is called; a hash of the folder where absent", versionName)
  .option(
    "--cache-control <pattern=value>",
    "for paths like that, other than immutable; repeatable",
    cacheRules,
    [],
  )
  .option("--grace <days>", "how long old versions stay", days, 30)
  .option("-c, --concurrency <n>", "files at once", wholeNumber, 16)
  .option("--hidden", "also files and folders whose name begins with a dot", false)
  .option("-n, --dry-run", "say what would be done")
  .option("-w, --watch", "stay, and publish again whenever something changes")
  .option("--bucket <name>", "the media bucket, where it has no stack")
  .option("--cdn <url>", "where that bucket is served")
  .action(sync);
withJson(command, "one JSON document for each time it publishes");
withAws(command);
withExamples(
  command,
  "sync public/",
  "sync --dry-run public/",
  "sync --stack darkroom-prod --region eu-central-1 --version v41 public/",
  "sync --cache-control '*.html=public, max-age=60' --watch public/",
  "sync --bucket my-media --cdn https://cdn.example.com public/",
);

const DAY_MS = 86_400_000;

function versionName(text: string): string {
  if (isStaticVersion(text)) return text;
  throw new InvalidArgumentError("Up to 64 letters, digits, dots, dashes and underscores.");
}

function days(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 3650) return value;
  throw new InvalidArgumentError("A number of days.");
}

function cacheRules(text: string, before: readonly CacheRule[]): CacheRule[] {
  const rule = parseCacheRule(text);
  if (rule) return [...before, rule];
  throw new InvalidArgumentError("As in '*.html=public, max-age=60'.");
}

async function sync(folder: string, options: SyncOptions): Promise<void> {
  const { client, store, media } = await findTarget(options);
  const interrupt = new AbortController();
  const endListening = onInterrupt(() => interrupt.abort(), exitCodes.interrupted.status);
  const once = () => syncOnce(folder, options, { store, media, signal: interrupt.signal });
  try {
    if (!options.watch) return await once();
    const { watchFolder } = await import("./static/watch.ts");
    await watchFolder(folder, interrupt.signal, () =>
      once().catch((error: unknown) => note(paint("red", messageOf(error), process.stderr))),
    );
    process.exitCode = exitCodes.interrupted.status;
  } finally {
    endListening();
    client.destroy();
  }
}

async function findTarget(options: SyncOptions) {
  const { bucket, cdn, region, endpoint, stack } = options;
  if ((bucket === undefined) !== (cdn === undefined) || (bucket && stack))
    throw new CliError("Name a --stack, or a --bucket with its --cdn.", "usage");
  let place: Pick<Deployment, "s3" | "media"> & { bucket: string };
  if (bucket && cdn) {
    const s3 = { ...(region ? { region } : {}), ...(endpoint ? { endpoint, forcePathStyle: true } : {}) };
    place = { s3, bucket, media: cdn.replace(/\/+$/, "") };
  } else {
    const found = await findDeployment(options);
    place = { ...found, bucket: found.buckets.media };
  }
  const client = s3Client(place.s3);
  const store: StaticStore = { ...s3Store(client, place.bucket), copy: copyInside(client, place.bucket) };
  return { client, store, media: place.media };
}

interface Target {
  readonly store: StaticStore;
  readonly media: string;
  readonly signal: AbortSignal;
}

async function syncOnce(folder: string, options: SyncOptions, target: Target): Promise<void> {
  const { store } = target;
  const { cacheControl: rules, hidden, dryRun } = options;
  const [scanned, found] = await Promise.all([scan(folder, { hidden, rules }), readLatest(store)]);
  // A run that was interrupted while it deleted is finished first: the version published may be one of those.
  const over = dryRun ? found : await retire(store, found, found.latest?.retiring ?? []);
  const plan = await planPublish(store, over, scanned, options.version);
  const files = scanned.files.length;
  if (dryRun && plan) describe(plan, options);
  else if (plan) return clear(await send(plan, options, target), true, options, target);
  else
    tell(options, { version: over.latest?.version, published: false, files }, [
      `Nothing changed: ${over.latest?.version} is published, ${files} files.`,
    ]);
  return clear(over, false, options, target);
}

async function send(
  plan: PublishPlan,
  options: SyncOptions,
  { store, media, signal }: Target,
): Promise<Revision> {
  const { version, upload, copy, there, gone } = plan;
  const progress = new Progress({ unit: "files", total: upload.length + copy.length });
  let sent = 0;
  const onFile = (size: number) => {
    progress.done++;
    sent += size;
  };
  const { concurrency } = options;
  const revision = await publish(
    { store, now: () => new Date(), media, concurrency, onFile, signal },
    plan,
  ).finally(() => progress.end());
  const counts = { uploaded: upload.length, bytes: sent, copied: copy.length, there, gone: gone.length };
  tell(options, { version, published: true, ...counts }, [
    `Published ${version}: ${upload.length} uploaded (${bytes(sent)}), ${copy.length} copied, ${there} there already, ${gone.length} gone.`,
    `${media}/${STATIC_LATEST}`,
  ]);
  return revision;
}

/** Deletes what no page names any more. */
async function clear(
  over: Revision,
  thorough: boolean,
  options: SyncOptions,
  { store }: Target,
): Promise<void> {
  const now = new Date();
  const graceMs = options.grace * DAY_MS;
  const old = expired(over, now, graceMs);
  // What was begun and never published lies about for a day at least: somebody may be at it.
  if (thorough) old.push(...(await abandoned(store, over, now, Math.max(graceMs, DAY_MS))));
  if (old.length === 0) return;
  try {
    if (!options.dryRun) await retire(store, over, old, now);
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error;
    // This run has published what it should; old versions can wait.
    note("Somebody else published in the meantime: old versions are left to the next run.");
    return;
  }
  note(
    `${options.dryRun ? "Would delete" : "Deleted"} what no page should name any more: ${old.join(", ")}.`,
  );
}

function describe({ version, upload, copy, there, gone }: PublishPlan, options: SyncOptions): void {
  const paths = { upload: upload.map(({ path }) => path), copy: copy.map(({ file }) => file.path), gone };
  const lines = [
    ...upload.map(
      ({ path, size, type }) => `${paint("green", "+")} ${printable(path)}  ${bytes(size)}  ${type}`,
    ),
    ...gone.map((path) => `${paint("red", "-")} ${printable(path)}`),
    `Would publish ${version}: ${upload.length} to upload, ${copy.length} to copy, ${there} there already, ${gone.length} gone.`,
  ];
  tell(options, { version, published: false, there, ...paths }, lines);
}

function tell({ json }: SyncOptions, document: object, lines: readonly string[]): void {
  for (const line of json ? [JSON.stringify(document)] : lines) process.stdout.write(`${line}\n`);
}
