/**
 * From a scanned folder to a published version. Files first, `latest.json` last: a page that was given a URL by it
 * finds what it names, whatever is interrupted when.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { beyond, staticKey, staticPrefix } from "../../core/keys.ts";
import { inLanes } from "../../core/lanes.ts";
import { listed } from "../../core/listing.ts";
import type { ObjectStore } from "../../core/ports.ts";
import { CliError } from "../exit.ts";
import { claimVersion, commitLatest, type Manifest, type Revision, readManifest } from "./documents.ts";
import type { Scan, StaticFile } from "./scan.ts";

export interface StaticStore extends ObjectStore {
  /** Inside the bucket. False where there is no such object. */
  copy(from: string, to: string, headers: { type: string; cacheControl: string }): Promise<boolean>;
}

export interface PublishPlan {
  readonly version: string;
  readonly over: Revision;
  readonly manifest: Manifest;
  readonly upload: readonly StaticFile[];
  /** From the last version, under whatever path it was there. */
  readonly copy: readonly { readonly file: StaticFile; readonly from: string }[];
  /** There already: published before, or sent by a run that was interrupted. */
  readonly there: number;
  /** Paths that the last version has and this one does not. */
  readonly gone: readonly string[];
}

/**
 * What there is to do, or undefined where the folder is as published. Lists nothing unless an earlier run of the same
 * version was interrupted.
 * @throws CliError when the version's name is taken by other content, or was deleted a short while ago
 */
export async function planPublish(
  store: StaticStore,
  over: Revision,
  { files, tree }: Scan,
  named: string | undefined,
): Promise<PublishPlan | undefined> {
  const { latest } = over;
  if (latest?.tree === tree) return undefined;
  const [{ version, manifest }, current] = await Promise.all([
    named === undefined ? freeName(store, tree) : namedVersion(store, named),
    latest ? readManifest(store, latest.version) : undefined,
  ]);
  const last = latest?.version === version || current === "retired" ? undefined : current;
  if (manifest && manifest.tree !== tree)
    throw new CliError(
      `The version ${version} was published with other content: a name is for one content. Choose another.`,
    );

  const published = latest?.previous.some((previous) => previous.version === version) ?? false;
  const there = manifest && !published ? await pathsOf(store, version) : new Set<string>();
  const before = new Map(
    Object.entries(last?.files ?? {}).map(([path, { sha256 }]) => [sha256, path] as const),
  );
  const upload: StaticFile[] = [];
  const copy: { file: StaticFile; from: string }[] = [];
  for (const file of published ? [] : files) {
    if (there.has(file.path)) continue;
    const from = before.get(file.sha256);
    if (latest && from !== undefined) copy.push({ file, from: staticKey(latest.version, from) });
    else upload.push(file);
  }
  const paths = new Set(files.map(({ path }) => path));
  return {
    version,
    over,
    manifest: {
      schema: 1,
      version,
      tree,
      files: Object.fromEntries(
        files.map(({ path, sha256, size, type, cacheControl }) => [
          path,
          { sha256, size, type, cacheControl },
        ]),
      ),
    },
    upload,
    copy,
    there: files.length - upload.length - copy.length,
    gone: Object.keys(last?.files ?? {}).filter((path) => !paths.has(path)),
  };
}

async function namedVersion(store: ObjectStore, version: string) {
  const manifest = await readManifest(store, version);
  if (manifest === "retired")
    throw new CliError(
      `The version ${version} was deleted a short while ago, and another run may still be at it. Choose another name.`,
    );
  return { version, manifest };
}

/** The tree's own name; where that was deleted a short while ago, with a number. */
async function freeName(store: ObjectStore, tree: string) {
  for (let n = 1; ; n++) {
    const version = n === 1 ? tree : `${tree}-${n}`;
    const manifest = await readManifest(store, version);
    if (manifest !== "retired") return { version, manifest };
  }
}

async function pathsOf(store: ObjectStore, version: string): Promise<Set<string>> {
  const prefix = staticPrefix(version);
  const paths = new Set<string>();
  for await (const { key } of listed(store, prefix)) paths.add(beyond(prefix, key));
  return paths;
}

export interface PublishDeps {
  readonly store: StaticStore;
  readonly now: () => Date;
  /** Where the CDN serves the bucket. */
  readonly media: string;
  readonly concurrency: number;
  readonly onFile: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** @throws CliError when it is interrupted, a file changes meanwhile, or somebody else publishes */
export async function publish(
  { store, now, media, concurrency, onFile, signal }: PublishDeps,
  { version, over, manifest, upload, copy }: PublishPlan,
): Promise<Revision> {
  if (!(await claimVersion(store, manifest))) {
    const there = await readManifest(store, version);
    if (there === "retired" || there?.tree !== manifest.tree)
      throw new CliError(
        `Somebody else is publishing other content as ${version}, or has just deleted it. Run the same command again.`,
      );
  }
  const proceed = () => {
    if (signal.aborted)
      throw new CliError(
        "Stopped; nothing new is published. What was sent is there for the next run.",
        "interrupted",
      );
  };
  const send = async (file: StaticFile) => {
    proceed();
    const { type, cacheControl } = file;
    const bytes = await readFile(file.file);
    if (createHash("sha256").update(bytes).digest("hex") !== file.sha256)
      throw new CliError(`${file.path} was changed while it was being published; nothing new is published.`);
    await store.put(staticKey(version, file.path), bytes, { type, cacheControl });
    onFile(bytes.length);
  };
  await inLanes(upload, concurrency, send);
  await inLanes(copy, concurrency, async ({ file, from }) => {
    proceed();
    if (await store.copy(from, staticKey(version, file.path), file)) onFile(0);
    else await send(file);
  });
  proceed();
  const { latest } = over;
  const at = now().toISOString();
  return commitLatest(store, over, {
    schema: 1,
    version,
    tree: manifest.tree,
    publishedAt: at,
    files: Object.fromEntries(
      Object.keys(manifest.files).map((path) => [path, `${media}/${encodeKey(staticKey(version, path))}`]),
    ),
    previous: [
      ...(latest ? [{ version: latest.version, supersededAt: at }] : []),
      ...(latest?.previous ?? []).filter((previous) => previous.version !== version),
    ],
    retiring: latest?.retiring ?? [],
  });
}

const encodeKey = (key: string) => key.split("/").map(encodeURIComponent).join("/");
