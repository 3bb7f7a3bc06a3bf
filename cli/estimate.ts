/** `darkroom estimate`: what a month on AWS costs, from a load and this repository's own figures. */
import { Command, InvalidArgumentError, Option } from "commander";
import config from "../adapters/presets.ts";
import { type Bill, type ColdClass, coldClasses, type Load, monthlyBill } from "../core/money/cost.ts";
import { CliError } from "./exit.ts";
import { withExamples, withJson } from "./options.ts";
import { bytes, table } from "./terminal.ts";

interface EstimateOptions {
  readonly uploadsPerMonth: number;
  readonly avgMb: number;
  readonly megapixels: number;
  readonly views: number;
  readonly months: number;
  readonly deletes: number;
  readonly colderAfter?: number;
  readonly colder: ColdClass;
  readonly originalsFor?: number;
  readonly developMs?: number;
  readonly preset: string;
  readonly json?: boolean;
}

export const command = new Command("estimate")
  .description("what a month on AWS costs, by service: an order of magnitude from list prices")
  .requiredOption("--uploads-per-month <n>", "uploads in a month", amount)
  .option("--avg-mb <n>", "megabytes of an original", amount, 4)
  .option("--megapixels <n>", "of an original", amount, 12)
  .option("--views <n>", "pictures shown in a month for each upload of that month", amount, 30)
  .option("--months <n>", "months that originals and variants have been kept", amount, 12)
  .option("--deletes <share>", "of a month's uploads that are deleted, 0 to 1", amount, 0.01)
  .option("--colder-after <months>", "months after which originals are moved to a colder class of S3", amount)
  .addOption(
    new Option("--colder <class>", "that class").choices(Object.keys(coldClasses)).default("STANDARD_IA"),
  )
  .option("--originals-for <months>", "months after which originals are let go; kept where absent", amount)
  .option("--develop-ms <n>", "of one image, as the dashboard shows it; estimated where absent", amount)
  .option("-p, --preset <name>", "preset of darkroom.config.ts", config.defaultPreset)
  .action((options: EstimateOptions) => {
    const preset = config.presets.get(options.preset);
    if (!preset) throw new CliError(`There is no preset called ${options.preset}.`, "usage");
    const load: Load = {
      uploads: options.uploadsPerMonth,
      megabytes: options.avgMb,
      megapixels: options.megapixels,
      views: options.views,
      months: options.months,
      deletes: options.deletes,
      colder:
        options.colderAfter === undefined
          ? undefined
          : { to: options.colder, afterMonths: options.colderAfter },
      originalsMonths: options.originalsFor,
      developMs: options.developMs,
    };
    const bill = monthlyBill(preset, load);
    console.log(options.json ? JSON.stringify({ ...load, preset: options.preset, ...bill }) : printed(bill));
  });
withJson(command, "the bill as one JSON document");
withExamples(
  command,
  "estimate --uploads-per-month 1000000",
  "estimate --uploads-per-month 1000000 --colder-after 3 --colder INTELLIGENT_TIERING",
  "estimate --uploads-per-month 50000 --avg-mb 2.5 --views 200 --preset avatar",
);

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1e12))
    throw new InvalidArgumentError("A number from 0.");
  return value;
}

function printed({ lines, dollars, perThousand, variants, developMs, variantBytes }: Bill): string {
  const money = (value: number) =>
    value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const share = (value: number) => `${Math.round((value / dollars) * 100)} %`;
  const rows = lines.map((line) => [line.service, line.what, money(line.dollars), share(line.dollars)]);
  const seconds = (developMs / 1000).toFixed(1);
  return [
    table(["service", "what", "US$ a month", "of all"], [...rows, ["", "together", money(dollars), "100 %"]]),
    `${money(perThousand)} US$ for a thousand uploads; ${variants} variants of ${bytes(variantBytes)} together and ${seconds} s for each.`,
    "List prices of eu-central-1 without free tiers; docs/cost.md says what is counted and what is not.",
  ].join("\n");
}
