/** `darkroom explain`: why a file is refused, in words, and the mend where there is one. For support staff. */
import { readFile, writeFile } from "node:fs/promises";
import { Command } from "commander";
import config from "../adapters/presets.ts";
import { checks, type Finding } from "../core/checks.ts";
import { DarkroomError } from "../core/errors.ts";
import { detectFormat, type FormatName, formatNames } from "../core/formats.ts";
import { gate, type Header, planOf } from "../core/plan.ts";
import type { Pixels } from "../core/ports.ts";
import type { Preset } from "../core/preset.ts";
import { type Mend, mendsOf } from "../pixels/mend.ts";
import { pixelProcess } from "../pixels/process.ts";
import { CliError, exitCodes, messageOf } from "./exit.ts";
import { withExamples, withJson } from "./options.ts";
import { paint, printable } from "./terminal.ts";

interface ExplainOptions {
  readonly preset?: string;
  readonly mend?: string;
  readonly json?: boolean;
}

export const command = new Command("explain")
  .description("say why a file is refused: which check failed, at which byte, and how it can be mended")
  .argument("<file>", "an image")
  .option("-p, --preset <name>", "preset of darkroom.config.ts; its default where absent")
  .option("--mend <out>", "write a mended copy, where there is one")
  .action(async (file: string, options: ExplainOptions) => {
    const name = options.preset ?? config.defaultPreset;
    const preset = config.presets.get(name);
    if (!preset)
      throw new CliError(
        `There is no preset called ${name}; there are ${[...config.presets.keys()].join(", ")}.`,
        "usage",
      );
    const pixels = pixelProcess({ accept: formatNames });
    try {
      const bytes = await readFile(file).catch((error: unknown) => {
        throw new CliError(messageOf(error));
      });
      const end = await endOf(pixels, bytes, preset);
      const mend = end.error ? await firstOf(pixels, mendsOf(bytes, end.error.finding), preset) : undefined;
      if (mend && options.mend !== undefined) await writeFile(options.mend, mend.bytes, { flag: "wx" });
      if (end.error) process.exitCode = exitCodes.failed.status;
      if (options.json) console.log(JSON.stringify({ path: file, ...described(end), mend: mend?.what }));
      else print(file, end, mend, options.mend);
    } finally {
      await pixels.close();
    }
  });
withJson(command, "as one JSON document");
withExamples(command, "explain broken.jpg", "explain broken.png --mend mended.png");

interface End {
  /** Of a file that is refused for its format. */
  readonly kind?: string;
  readonly format: FormatName | undefined;
  readonly header?: Header;
  readonly error?: DarkroomError;
}

/** Everything that the worker would do but for the variants: all pixels are decoded. */
async function endOf(pixels: Pixels, bytes: Buffer, preset: Preset): Promise<End> {
  const format = detectFormat(bytes.subarray(0, 4096));
  try {
    if (bytes.length === 0) throw new DarkroomError("empty");
    if (bytes.length > preset.maxBytes) throw new DarkroomError("too-large");
    if (!format || !preset.accept.includes(format)) throw new DarkroomError("unsupported-format");
    const { header } = await pixels.develop(
      bytes,
      format,
      async (header) => {
        gate(header, preset);
        return planOf(header, []);
      },
      async () => {},
    );
    return { format, header };
  } catch (error) {
    if (error instanceof DarkroomError)
      return { format, error, ...(error.code === "unsupported-format" && { kind: kindOf(bytes, format) }) };
    throw error;
  }
}

/** How files begin that are no image we know, some after four bytes, for whoever has to tell their sender what they are. */
const BEGINNINGS: readonly (readonly [beginnings: readonly string[], kind: string, at?: number])[] = [
  [["\xff\x0a", "\0\0\0\x0cJXL "], "a JPEG XL"],
  [["\0\0\0\x0cjP  "], "a JPEG 2000"],
  [["ftypcrx "], "a camera's raw file", 4],
  [["ftyp"], "a video, or a picture in a codec other than HEVC and AV1", 4],
  [["FUJIFILMCCD-RAW", "FOVb", "\0MRM"], "a camera's raw file"],
  [["BM"], "a BMP"],
  [["\0\0\x01\0", "\0\0\x02\0"], "an icon or a cursor"],
  [["8BPS"], "a Photoshop document"],
  [["%PDF"], "a PDF"],
  [["PK\x03\x04"], "a ZIP archive, as office documents are"],
  [["\x7fELF", "MZ"], "a program"],
  [["<svg", "<?xml"], "an SVG or other XML, which may hold programs"],
  [["<!DOCTYPE", "<!doctype", "<html", "<HTML"], "a web page, perhaps an error's"],
];

/** What a file of no format that is accepted is. */
function kindOf(bytes: Buffer, format: FormatName | undefined): string {
  if (format) return `a ${format.toUpperCase()}, which this preset does not accept`;
  // Without a byte order mark.
  const head = bytes.toString("latin1", 0, 64).replace("\xef\xbb\xbf", "").trimStart();
  const known = BEGINNINGS.find(([all, , at]) => all.some((beginning) => head.startsWith(beginning, at)));
  if (known) return known[1];
  if (/^[\t\n\r -~]*$/.test(head)) return "text";
  const hex = bytes
    .subarray(0, 8)
    .toString("hex")
    .replaceAll(/..(?=.)/g, "$& ");
  return `of a kind that Darkroom does not know: it begins with the bytes ${hex}`;
}

async function firstOf(pixels: Pixels, mends: Iterable<Mend>, preset: Preset): Promise<Mend | undefined> {
  for (const mend of mends) if (!(await endOf(pixels, mend.bytes, preset)).error) return mend;
  return undefined;
}

const place = ({ at }: Finding) => `byte ${at} (0x${at.toString(16)})`;

function described({ format, header, error, kind }: End) {
  const { finding } = error ?? {};
  return {
    accepted: !error,
    format,
    ...(header && { width: header.width, height: header.height, frames: header.frames }),
    ...(error && { code: error.code, message: error.message }),
    ...(kind && { kind }),
    ...(finding && { ...finding, says: checks[finding.check].says }),
  };
}

function print(
  file: string,
  { format, header, error, kind }: End,
  mend: Mend | undefined,
  out: string | undefined,
): void {
  if (header) {
    console.log(`${printable(file)} is accepted: ${format}, ${header.width} × ${header.height}.`);
    return;
  }
  if (!error) return;
  console.log(`${paint("red", "✗")} ${printable(file)}: ${error.code}. ${error.message}`);
  const { finding } = error;
  if (kind) console.log(`  It is ${kind}.`);
  if (finding) console.log(`  At ${place(finding)}: ${checks[finding.check].says} (${finding.check}).`);
  if (mend) {
    console.log(`  It can be mended: ${mend.what}.`);
    console.log(out === undefined ? "  --mend OUT writes it." : `  Written to ${printable(out)}.`);
  } else if (finding)
    console.log("  It cannot be mended without making up a part of the picture: ask for the file again.");
}
