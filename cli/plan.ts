/** `darkroom plan`: what the worker would do with a file, from its header alone. */
import { readFile } from "node:fs/promises";
import { Command } from "commander";
import config from "../adapters/presets.ts";
import { encodeMs, estimateOf, stepMs } from "../core/estimate.ts";
import { detectFormat, formatNames } from "../core/formats.ts";
import { WORKER_VCPUS } from "../core/money/cost.ts";
import { gate, type Header, type Plan, planOf, variantsOf } from "../core/plan.ts";
import type { Preset } from "../core/preset.ts";
import { pixelProcess } from "../pixels/process.ts";
import { CliError, exitCodes, messageOf } from "./exit.ts";
import { withExamples, withJson } from "./options.ts";
import { bytes, note, paint, printable, table } from "./terminal.ts";

interface PlanOptions {
  readonly preset?: string;
  readonly json?: boolean;
}

export const command = new Command("plan")
  .description(
    "show how a file would be developed, without decoding it: sizes, order, estimated CPU and memory",
  )
  .argument("<files...>", "images")
  .option("-p, --preset <name>", "preset of darkroom.config.ts; its default where absent")
  .action(async (files: string[], options: PlanOptions) => {
    const name = options.preset ?? config.defaultPreset;
    const preset = config.presets.get(name);
    if (!preset) {
      throw new CliError(
        `There is no preset called ${name}; there are ${[...config.presets.keys()].join(", ")}.`,
        "usage",
      );
    }
    for (const file of files) {
      try {
        const source = await readFile(file);
        const header = await headerOf(source);
        gate(header, preset);
        const plan = planOf(header, variantsOf(header, preset));
        console.log(
          options.json
            ? JSON.stringify({ path: file, preset: name, ...described(plan, source.length) })
            : printed(file, preset, plan, source.length),
        );
      } catch (error) {
        const message = messageOf(error);
        process.exitCode = exitCodes.failed.status;
        if (options.json) console.log(JSON.stringify({ path: file, error: { message } }));
        else note(`${paint("red", "✗", process.stderr)} ${printable(file)}: ${message}`);
      }
    }
  });
withJson(command, "the plan as one JSON document per file");
withExamples(command, "plan photo.jpg", "plan --preset avatar me.png --json");

async function headerOf(source: Uint8Array): Promise<Header> {
  const format = detectFormat(source.subarray(0, 4096));
  if (!format) throw new CliError("This is not an image of a format we know.");
  const pixels = pixelProcess({ accept: formatNames });
  let header: Header | undefined;
  const enough = new Error("the header is all we came for");
  try {
    await pixels.develop(
      source,
      format,
      (found) => {
        header = found;
        return Promise.reject(enough);
      },
      async () => {},
    );
  } catch (error) {
    if (error !== enough) throw error;
  } finally {
    await pixels.close();
  }
  if (!header) throw new CliError("Its header cannot be read.");
  return header;
}

/** A step is named after the first variant that shows its pixels. */
const nameOf = (plan: Plan, step: number): string => plan.steps[step]?.encodes[0]?.name ?? "decoded";

function described(plan: Plan, size: number) {
  const { format, source, frames, base } = plan;
  return {
    format,
    source,
    frames,
    decodeTo: base,
    steps: plan.steps.map((step) => ({
      width: step.shape.width,
      height: step.shape.height,
      from: nameOf(plan, step.from),
      resizeMs: Math.round(stepMs(plan, step)),
      encodes: step.encodes.map((variant) => ({
        name: variant.name,
        format: variant.format,
        settings: variant.encode,
        ...(variant.aim && { score: variant.aim.score }),
        cpuMs: Math.round(encodeMs(variant)),
      })),
    })),
    estimate: estimateOf(plan, size, Math.ceil(WORKER_VCPUS)),
  };
}

function printed(file: string, preset: Preset, plan: Plan, size: number): string {
  const { source, frames, decodeTo, steps, estimate } = described(plan, size);
  const by = ({ width, height }: { width: number; height: number }) => `${width} × ${height}`;
  const animated = frames > 1 ? `, ${frames} frames` : "";
  const rows = steps.flatMap(({ width, height, from, encodes }) =>
    encodes.map(({ name, format, settings, score, cpuMs }, i) => [
      name,
      i === 0 ? by({ width, height }) : "",
      i === 0 ? from : "",
      format,
      `${score === undefined ? `quality ${settings.quality}` : `score ${score}`}${settings.effort === undefined ? "" : `, effort ${settings.effort}`}`,
      String(cpuMs),
    ]),
  );
  const lines = [
    `${paint("bold", printable(file))}  ${plan.format} ${by(source)}${animated}, ${bytes(size)}, preset ${preset.name} (${preset.profile})`,
    `  decoded to ${by(decodeTo)}, then, largest first:`,
    table(["variant", "pixels", "from", "format", "settings", "CPU ms"], rows),
    `  about ${Math.round(estimate.cpuMs)} ms of CPU and ${bytes(estimate.peakBytes)} of memory at the peak`,
  ];
  return lines.join("\n");
}
