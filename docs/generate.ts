/**
 * Writes what documents repeat of the code: tables between `<!-- name -->` marks, and the metadata's JSON Schema; and a trial's
 * arithmetic as WebAssembly.
 * `npm run generate`; with `--check` it only says what is out of date (a test does).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { toJsonSchema } from "@valibot/to-json-schema";
import type { Command } from "commander";
import { parse } from "yaml";
import { type Setting, settings } from "../adapters/environment.ts";
import { parameters } from "../adapters/parameters.ts";
import { describe, load, verdictOn } from "../bench/report.ts";
import { commands } from "../cli/commands.ts";
import { exitCodes } from "../cli/exit.ts";
import { codesOf, type ErrorCode, errors } from "../core/errors.ts";
import { estimateOf, largestOf } from "../core/estimate.ts";
import { DEFAULT_MAX_PIXELS, formatNames, formats } from "../core/formats.ts";
import { MetadataSchema } from "../core/metadata.ts";
import { abuses } from "../core/money/abuse.ts";
import { type Bill, monthlyBill, WORKER_VCPUS } from "../core/money/cost.ts";
import { planOf, variantsOf } from "../core/plan.ts";
import { maxPixelsOf } from "../core/preset.ts";
import { aimOf } from "../core/quality.ts";
import config from "../core/shipped.ts";
import { MAX_FILES } from "../core/upload/issue-uploads.ts";
import { lossesModule } from "../deploy/wasm.ts";
import { reasons } from "./differences.ts";
import { openapi } from "./openapi.ts";
import { bytesAgainstQuality, cpuAgainstEffort, spreadOfQuality } from "./plots.ts";

const loaded = await Promise.all(Object.values(commands).map(async (load) => (await load()).command));
const root = new URL("../", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const row = (...cells: string[]) => `| ${cells.join(" | ")} |`;
const table = (head: string[], rows: string[][]) =>
  [row(...head), row(...head.map(() => "---")), ...rows.map((cells) => row(...cells))].join("\n");
const code = (text: string) => `\`${text}\``;
const written = (score: number | undefined, quality: number) =>
  score === undefined ? `quality ${quality}` : `score ${score}; drawings quality ${quality} at least`;

/** A benchmark's latest result: its table, and every promised figure with what was measured. */
function bench(name: string): string {
  const { on, date, machine, rows, figures = [] } = load(name);
  const head = [...new Set(rows.flatMap((entry) => Object.keys(entry)))];
  const cells = rows.map((entry) => head.map((column) => String(entry[column] ?? "")));
  const promises = figures.map((figure) => {
    const verdict = verdictOn(figure);
    return `- ${verdict === "holds" ? verdict : `**${verdict}**`}: ${describe(figure)}`;
  });
  return [
    `${on} ${date}, ${machine}.`,
    ...(rows.length > 0 ? [table(head, cells)] : []),
    ...(promises.length > 0 ? [promises.join("\n")] : []),
  ].join("\n\n");
}

/** A file of `examples/`, whole. */
const example = (file: string) => () => {
  const text = readFileSync(new URL(`../examples/${file}`, import.meta.url), "utf8");
  return `\`\`\`${file.split(".").at(-1)}\n${text.trimEnd()}\n\`\`\``;
};

const blocks: Record<string, () => string> = {
  plain: example("plain.html"),
  element: example("element.html"),
  react: example("react.tsx"),
  vue: example("vue.vue"),
  svelte: example("svelte.svelte"),
  worker: example("service-worker.js"),
  uppy6: example("uppy-6.js"),
  uppy5: example("uppy-5.js"),
  express: example("express.ts"),
  templates: () =>
    (
      [
        ["Django", "picture.django"],
        ["Rails", "picture.html.erb"],
        ["PHP, Laravel's views included", "picture.php"],
        ["Go", "picture.go"],
      ] as const
    )
      .map(([name, file]) => `${name}: [examples/${file}](../examples/${file})\n\n${example(file)()}`)
      .join("\n\n"),
  formats: () =>
    table(
      ["format", "upload as", "extensions", "written", "animated", "pixels at most"],
      formatNames.map((name) => {
        const { type, aliases = [], extensions, encode, animates } = formats[name];
        const limit = maxPixelsOf({ maxPixels: DEFAULT_MAX_PIXELS }, name) / 1_000_000;
        return [
          name,
          [type, ...aliases].map(code).join(", "),
          extensions.map((extension) => code(`.${extension}`)).join(" "),
          encode ? written(aimOf(name, "good", 0, "balanced")?.score, encode.balanced.quality) : "",
          animates && encode ? "yes" : "",
          `${limit} MP`,
        ];
      }),
    ),
  differences: () =>
    table(
      ["what", "why"],
      Object.values(reasons).map(({ what, why }) => [what, why]),
    ),
  largest: () => {
    const largest = [...config.presets.values()].flatMap((preset) =>
      preset.accept.flatMap((format) =>
        largestOf(preset, format).map((header) => {
          const plan = planOf(header, variantsOf(header, preset));
          return { preset, header, ...estimateOf(plan, preset.maxBytes, Math.ceil(WORKER_VCPUS)) };
        }),
      ),
    );
    return table(
      ["format", "hungriest source", "preset", "memory, MB", "CPU, s"],
      formatNames.flatMap((format) => {
        const [most] = largest
          .filter(({ header }) => header.format === format)
          .sort((a, b) => b.peakBytes - a.peakBytes);
        if (!most) return [];
        const { width, height, frames } = most.header;
        const size = `${width} × ${height}${frames > 1 ? `, ${frames} frames` : ""}`;
        const seconds = Math.max(most.cpuMs, most.graphicCpuMs, most.noiseCpuMs) / 1000;
        const memory = String(Math.round(most.peakBytes / 1e6));
        return [[format, size, code(most.preset.name), memory, seconds.toFixed(1)]];
      }),
    );
  },
  presets: () =>
    table(
      ["preset", "accepts", "bytes at most", "makes"],
      [...config.presets.values()].map(({ name, accept, maxBytes, ladder, named }) => [
        code(name),
        accept.join(", "),
        `${maxBytes / 1_000_000} MB`,
        [
          ...(ladder
            ? [
                `widths ${ladder.widths.join(", ")} in ${ladder.formats.map(reaching(ladder.upTo)).join(", ")}`,
              ]
            : []),
          ...Object.entries(named).map(([variant, { width, height, fit, format }]) => {
            const size = [width, height].filter(Boolean).join(" × ");
            return `${code(variant)} ${size}${fit === "cover" ? " cropped" : ""} in ${[format].flat().join(", ")}`;
          }),
        ].join("; "),
      ]),
    ),
  errors: () =>
    (["answer", "rejected", "failed", "retry"] as const)
      .map((outcome) => {
        const codes: ErrorCode[] = codesOf(outcome);
        const rows = codes.map((name) => [code(name), String(errors[name].status), errors[name].sentence]);
        return `### ${OUTCOMES[outcome]}\n\n${table(["code", "status", "sentence"], rows)}`;
      })
      .join("\n\n"),
  settings: () =>
    table(
      ["variable", "what it holds", "default", "read by"],
      Object.entries(settings as Readonly<Record<string, Setting>>).map(([name, setting]) => [
        code(name),
        setting.help,
        setting.optional ? "none" : setting.default === undefined ? "" : code(String(setting.default)),
        setting.for === undefined ? "whoever runs it" : [setting.for].flat().join(", "),
      ]),
    ),
  originals: () => {
    const preset = config.presets.get(config.defaultPreset);
    if (!preset) return "";
    const usual = { uploads: 1_000_000, megabytes: 4, megapixels: 12, views: 30, deletes: 0.01 };
    const ways: [string, Partial<Parameters<typeof monthlyBill>[1]>][] = [
      ["all in S3 Standard", {}],
      ...(["INTELLIGENT_TIERING", "STANDARD_IA", "GLACIER_IR"] as const).map((to): (typeof ways)[number] => [
        `${code(to)} after 3 months`,
        { colder: { to, afterMonths: 3 } },
      ]),
      ["let go after 6 months", { originalsMonths: 6 }],
    ];
    const rows = ways.map(([way, more]) => {
      const dollars = [12, 36].map((months) => {
        const { lines } = monthlyBill(preset, { ...usual, months, ...more });
        return lines.find(({ what }) => what === "originals kept")?.dollars ?? 0;
      });
      return [way, ...dollars.map((value) => Math.round(value).toLocaleString("en-US"))];
    });
    return table(["originals", "after a year, US$ a month", "after three years"], rows);
  },
  rungs: () => {
    const preset = config.presets.get(config.defaultPreset);
    if (!preset?.ladder) return "";
    const { ladder } = preset;
    const ways: [string, Partial<typeof ladder>][] = [
      ["as it ships", {}],
      ["JPEG at every width", { upTo: {} }],
      ["WebP up to 1280 too", { upTo: { webp: 1280, jpeg: 1280 } }],
      ["no WebP", { formats: ["avif", "jpeg"] }],
      ["no WebP, JPEG up to 640", { formats: ["avif", "jpeg"], upTo: { jpeg: 640 } }],
      ["widths 320, 640, 1280, 2560", { widths: [320, 640, 1280, 2560] }],
    ];
    const usual = { uploads: 1_000_000, megabytes: 4, megapixels: 12, views: 30, months: 12, deletes: 0.01 };
    const rows = ways.map(([way, change]) => {
      const bill = monthlyBill({ ...preset, ladder: { ...ladder, ...change } }, usual);
      const dollars = (what: string) => bill.lines.find((line) => line.what === what)?.dollars ?? 0;
      return [
        ...[way, String(bill.variants), `${Math.round(bill.variantBytes / 1000).toLocaleString("en-US")} kB`],
        ...[dollars("developing"), dollars("requests"), dollars("variants kept"), bill.dollars].map((value) =>
          Math.round(value).toLocaleString("en-US"),
        ),
      ];
    });
    const head = ["ladder of `photo`", "variants", "bytes", "developing", "S3's requests", "variants kept"];
    return table([...head, "together, US$ a month"], rows);
  },
  cost: () => {
    const preset = config.presets.get(config.defaultPreset);
    if (!preset) return "";
    const usual = { megabytes: 4, megapixels: 12, views: 30, months: 12, deletes: 0.01 };
    const bills = [10_000, 1_000_000, 100_000_000].map((uploads) =>
      monthlyBill(preset, { uploads, ...usual }),
    );
    const money = (value: number) =>
      value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
    const rows = (bills[0]?.lines ?? []).map(({ service, what }, i) => [
      service,
      what,
      ...bills.map(({ lines }) => money(lines[i]?.dollars ?? 0)),
    ]);
    const top = ({ lines, dollars }: Bill) =>
      [...lines]
        .sort((a, b) => b.dollars - a.dollars)
        .slice(0, 2)
        .map((line) => `${line.what} ${Math.round((line.dollars / dollars) * 100)} %`)
        .join(", ");
    const head = ["service", "what", "10 thousand", "1 million", "100 million"];
    return table(head, [
      ...rows,
      ["", "**together, US$ a month**", ...bills.map(({ dollars }) => `**${money(dollars)}**`)],
      ["", "for a thousand uploads", ...bills.map(({ perThousand }) => perThousand.toFixed(2))],
      ["", "what dominates", ...bills.map(top)],
    ]);
  },
  abuse: () => {
    const amount = (name: keyof typeof parameters) => Number(parameters[name].default);
    const bounds = {
      requestsPerSecond: amount("requestsPerSecond"),
      workers: amount("workers"),
      senders: sendersOf(readFileSync(new URL("serverless.yml", root), "utf8")),
      files: MAX_FILES,
      maxBytes: config.presets.get(config.defaultPreset)?.maxBytes ?? 0,
    };
    return table(
      ["who", "what they do", "US$ for a day", "what lowers it"],
      abuses(bounds).map(({ who, how, dollars, lowers }) => [
        who,
        how,
        dollars.toLocaleString("en-US", { maximumFractionDigits: 0 }),
        lowers,
      ]),
    );
  },
  commands: () => table(["command", "what it does"], commandRows(loaded)),
  exits: () =>
    table(
      ["status", "what it says"],
      Object.values(exitCodes).map(({ status, meaning }) => [String(status), meaning]),
    ),
  alarms: () => {
    const { Resources } = parse(readFileSync(new URL("deploy/infra/watch.yml", root), "utf8")) as {
      Resources: Record<string, { Type: string; Properties: { AlarmDescription: string } }>;
    };
    return table(
      ["alarm", "what it says"],
      Object.entries(Resources)
        .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm")
        .map(([name, { Properties }]) => [code(name.replace(/Alarm$/, "")), Properties.AlarmDescription]),
    );
  },
  parameters: () =>
    table(
      ["parameter", "what it says", "default"],
      Object.entries(parameters).map(([name, { help, default: value }]) => [
        code(name),
        help,
        value && code(value),
      ]),
    ),
};

const reaching =
  (upTo: Readonly<Record<string, number | undefined>> = {}) =>
  (format: string): string =>
    upTo[format] === undefined ? format : `${format} up to ${upTo[format]}`;

/** Invocations at once of the function that sends webhooks. */
function sendersOf(service: string): number {
  const { functions } = parse(service, { merge: true }) as {
    functions: { events: { events: { sqs?: { maximumConcurrency: number } }[] } };
  };
  return functions.events.events[0]?.sqs?.maximumConcurrency ?? 0;
}

/** One for each that does something: those that only hold others are left out. */
function commandRows(all: readonly Command[], before = ""): string[][] {
  return all.flatMap((command) => {
    const name = `${before}${command.name()}`;
    if (command.commands.length > 0) return commandRows(command.commands, `${name} `);
    const terms = command.registeredArguments.map((argument) => {
      const term = `${argument.name()}${argument.variadic ? "…" : ""}`;
      return argument.required ? term : `[${term}]`;
    });
    return [[code([name, ...terms].join(" ")), command.description()]];
  });
}

const OUTCOMES = {
  answer: "Answers of the API: the request's fault",
  rejected: "Rejected: the file's fault",
  failed: "Failed: ours, after every retry",
  retry: "Passing: try again",
};

const schema = () => {
  const json = toJsonSchema(MetadataSchema, { errorMode: "ignore" });
  return `${JSON.stringify({ title: "Darkroom metadata (meta.json)", ...json }, undefined, 2)}\n`;
};

const FILES = [
  "README.md",
  "docs/formats.md",
  "docs/presets.md",
  "docs/api.md",
  "docs/deploy.md",
  "docs/performance.md",
  "docs/front-end.md",
  "docs/back-end.md",
  "docs/cost.md",
  "docs/operations.md",
  "docs/scale.md",
  "docs/security.md",
];

/** Every generated file with its content as it should be. */
export async function generated(): Promise<{ file: string; content: string }[]> {
  const documents = FILES.map((file) => {
    const text = readFileSync(new URL(file, root), "utf8");
    const content = text.replaceAll(/(<!-- (\w+) -->\n)[\s\S]*?(<!-- \/\2 -->)/g, (_, open, name, close) => {
      const report = /^bench_(\w+)$/.exec(name)?.[1];
      const block = report === undefined ? blocks[name] : () => bench(report);
      if (!block) throw new Error(`${file}: there is no block called ${name}`);
      return `${open}${block()}\n${close}`;
    });
    return { file, content };
  });
  return [
    ...documents,
    { file: "docs/metadata.schema.json", content: schema() },
    { file: "docs/openapi.json", content: `${JSON.stringify(openapi(version), undefined, 2)}\n` },
    { file: "docs/bytes-quality.svg", content: bytesAgainstQuality() },
    { file: "docs/cpu-effort.svg", content: cpuAgainstEffort() },
    { file: "docs/quality-spread.svg", content: spreadOfQuality() },
    { file: "pixels/losses.wasm.ts", content: await lossesModule() },
  ];
}

if (import.meta.main)
  for (const { file, content } of await generated()) writeFileSync(new URL(file, root), content);
