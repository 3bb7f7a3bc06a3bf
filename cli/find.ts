/** `darkroom find`: anybody's images, by owner, reference, what became of them, preset or time. */
import { Command } from "commander";
import type { FoundImage } from "../core/job/find-images.ts";
import type { ImageInTrouble } from "../core/job/list-attention.ts";
import { connect } from "./api.ts";
import { CliError } from "./exit.ts";
import { wholeNumber, withApi, withExamples, withJson } from "./options.ts";
import { type SelectOptions, withFilters } from "./select.ts";
import { bytes, counted, minute, note, printable, table } from "./terminal.ts";

interface FindOptions extends SelectOptions {
  readonly ref?: string;
  readonly limit: number;
  readonly json?: boolean;
}

interface Page {
  readonly images: readonly (Partial<FoundImage & ImageInTrouble> & { readonly id: string })[];
  readonly looked?: number;
  readonly cursor?: string;
}

export const command = withFilters(
  new Command("find").description(
    "find anybody's images, by what they are and what your application calls them",
  ),
)
  .option("-r, --ref <text>", "what your application calls it: a token's ref, or the file's own")
  .option("-n, --limit <n>", "how many at most", wholeNumber, 100)
  .action(run);
withJson(withApi(command));
withExamples(
  command,
  "find --owner anna",
  "find --owner anna --ref order-1234",
  "find --preset avatar --after 2026-05-01 --json",
);

async function run({ limit, json, ...options }: FindOptions): Promise<void> {
  const api = await connect(options, "admin");
  const { owner, ref, status, preset, after, before } = options;
  const asked = Object.entries({ owner, ref, status, preset, after, before }).flatMap(
    ([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]),
  );
  if (asked.length === 0)
    throw new CliError("Say which: --owner, --ref, --status, --preset, --after or --before.", "usage");
  const query = new URLSearchParams(asked);
  const images: Page["images"][number][] = [];
  let [looked, cursor] = [0, undefined as string | undefined];
  do {
    query.set("limit", String(Math.min(100, limit - images.length)));
    if (cursor !== undefined) query.set("cursor", cursor);
    const page = await api.call<Page>("GET", `/admin/images?${query}`);
    if (json) for (const image of page.images) console.log(JSON.stringify(image));
    images.push(...page.images);
    looked += page.looked ?? page.images.length;
    ({ cursor } = page);
  } while (cursor !== undefined && images.length < limit);
  if (json) return;
  const more = cursor === undefined ? "" : ", and there may be more: --limit";
  if (images.length === 0) console.log(`Nothing fits: ${counted(looked, "image")} looked at.`);
  else {
    console.log(table(["id", "status", "preset", "uploaded (UTC)", "original", "name"], images.map(row)));
    note(`${counted(images.length, "image")}${more}`);
  }
}

const row = ({ id, status, code, preset, uploadedAt, bytes: size, context }: Page["images"][number]) => [
  id,
  code ? `${status}: ${code}` : (status ?? ""),
  preset ?? "",
  minute(uploadedAt),
  size === undefined ? "" : bytes(size),
  printable(context?.name ?? ""),
];
