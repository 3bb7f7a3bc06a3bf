/** `darkroom show`: all that is known of one image. */
import { Command } from "commander";
import type { Metadata } from "../core/metadata.ts";
import type { Context } from "../core/upload-metadata.ts";
import { connect } from "./api.ts";
import { type ApiOptions, withApi, withExamples, withJson } from "./options.ts";
import { bytes, duration, note, paint, printable, table } from "./terminal.ts";

type Shown =
  | (Metadata & { readonly context?: Context })
  | { readonly id: string; readonly status: "processing"; readonly context?: Context };

export const command = new Command("show")
  .description("show one image: whose it is, what became of it, its variants")
  .argument("<id>", "the image's")
  .action(async (id: string, { json, ...options }: ApiOptions & { readonly json?: boolean }) => {
    const api = await connect(options, "admin");
    const image = await api.call<Shown>("GET", `/images/${encodeURIComponent(id)}`);
    console.log(json ? JSON.stringify(image) : told(image));
    if (!json && image.status === "processing") note("It is on its way: nothing has come of it yet.");
  });
withJson(withApi(command), "its document and context, as the API gives them");
withExamples(command, "show qbbfm3f3cr98440ngmn6a6rh3w", "show qbbfm3f3cr98440ngmn6a6rh3w --json");

const colours = { ready: "green", processing: "cyan", rejected: "yellow", failed: "red" } as const;

function told(image: Shown): string {
  const { id, status, context } = image;
  const colour = Object.hasOwn(colours, status) ? colours[status as keyof typeof colours] : "dim";
  return [
    `${id}  ${paint(colour, status)}`,
    ...facts(context),
    ...(status === "processing" ? [] : toldDocument(image)),
  ].join("\n");
}

const line = (name: string, value: string | undefined) =>
  value === undefined || value === "" ? [] : [`  ${name.padEnd(9)} ${printable(value)}`];
const facts = ({ owner, ref, clientRef, name }: Context = {}) => [
  ...line("owner", owner),
  ...line("ref", ref),
  ...line("file ref", clientRef),
  ...line("name", name),
];

function toldDocument({
  source,
  preset,
  uploadedAt,
  readyAt,
  rev,
  variants,
  error,
  lastError,
  ...rest
}: Metadata) {
  const { width, height, gone } = source ?? {};
  const sides = width && height ? `, ${width} × ${height}` : "";
  const problem = lastError ?? error;
  return [
    ...line("original", source && `${source.type ?? "of unknown type"}, ${bytes(source.bytes)}${sides}`),
    ...line("gone", gone && `the original, since ${gone}`),
    ...line("preset", preset),
    ...line("uploaded", uploadedAt),
    ...line("ready", readyAt),
    ...line(
      "rev",
      `${rev}${rest.durationMs === undefined ? "" : `, developed in ${duration(rest.durationMs)}`}`,
    ),
    ...line("waits", rest.pending.join(", ")),
    ...line("why", problem && `${problem.code}: ${problem.message}`),
    ...(variants.length === 0
      ? []
      : [
          table(
            ["variant", "format", "size", "bytes"],
            variants.map((one) => [one.name, one.format, `${one.width} × ${one.height}`, bytes(one.bytes)]),
          ),
        ]),
  ];
}
