/** What alarms and the dashboard look at, series by series, and whether anything emits it. */
import { isDeepStrictEqual } from "node:util";
import { metricTable, NAMESPACE } from "../../adapters/aws/metrics.ts";
import { awsMetrics } from "./aws-metrics.ts";
import { at, ofType, plain, type Template } from "./packaged.ts";

export interface Series {
  /** Of the alarm or widget. */
  readonly where: string;
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly region: string;
}
/** A search for series: `{Namespace,dimension,…}` and what they must say. */
interface Search {
  readonly where: string;
  readonly namespace: string;
  readonly dimensions: readonly string[];
  readonly terms: Readonly<Record<string, string>>;
}
interface Widget {
  readonly properties: { readonly title: string; readonly region: string; readonly metrics?: unknown[][] };
}

export const board = (template: Template) =>
  String(at(template, "Resources.Dashboard.Properties.DashboardBody.Fn::Sub"));

const widgets = (template: Template) =>
  (
    JSON.parse(String(plain({ "Fn::Sub": board(template) }, template))) as { widgets: Widget[] }
  ).widgets.flatMap(({ properties }) => (properties.metrics ? [properties] : []));

/** In full: `...` stands for all before the last value, `.` for what stands at its place, of the row above. */
function inFull(rows: readonly unknown[][]): { words: string[]; options: object }[] {
  let above: string[] = [];
  return rows.map((row) => {
    const options = row.filter((one) => typeof one === "object")[0] ?? {};
    const texts = row.filter((one) => typeof one === "string");
    const words = texts[0] === "..." ? [...above.slice(0, -(texts.length - 1)), ...texts.slice(1)] : texts;
    if (words.length > 0) above = words.map((word, i) => (word === "." ? (above[i] ?? word) : word));
    return { words: words.length > 0 ? above : [], options };
  });
}

function pairs(words: readonly string[]): Record<string, string> {
  const names = words.filter((_, i) => i % 2 === 0);
  return Object.fromEntries(names.map((name, i) => [name, words[2 * i + 1] ?? ""]));
}

function onBoard(template: Template): Series[] {
  return widgets(template).flatMap(({ title, region, metrics = [] }) =>
    inFull(metrics).flatMap(({ words: [namespace, name, ...rest] }) =>
      namespace && name ? [{ where: title, namespace, name, dimensions: pairs(rest), region }] : [],
    ),
  );
}

export function inAlarms(template: Template): Series[] {
  return ofType(template, "AWS::CloudWatch::Alarm").flatMap(([where, { Properties }]) => {
    const several = ((at(Properties, "Metrics") ?? []) as object[]).filter(Boolean);
    return [Properties, ...several.map((one) => at(one, "MetricStat.Metric"))].flatMap((metric) => {
      const name = at(metric, "MetricName");
      if (name === undefined) return [];
      const { Dimensions = [] } = plain(metric, template) as {
        Dimensions?: { Name: string; Value: string }[];
      };
      const dimensions = Object.fromEntries(
        Dimensions.filter(Boolean).map(({ Name, Value }) => [Name, Value]),
      );
      return [
        { where, namespace: String(at(metric, "Namespace")), name: String(name), dimensions, region: "" },
      ];
    });
  });
}

function searches(template: Template): (Search | string)[] {
  return widgets(template).flatMap(({ title, metrics = [] }) =>
    inFull(metrics).flatMap(({ options }): (Search | string)[] => {
      const expression = at(options, "expression");
      if (expression === undefined) return [];
      const [, namespace, names, text] =
        /^SEARCH\('\{([^,}]+),([^}]+)\} ([^']+)', '\w+', \d+\)$/.exec(String(expression)) ?? [];
      if (!namespace || !names || !text) return [`${title}: not understood: ${expression}`];
      return [{ where: title, namespace, dimensions: names.split(","), terms: termsOf(text) }];
    }),
  );
}

const termsOf = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );

/** What a dimension may say: the names of what is in the template. */
function valuesOf(dimension: string, template: Template): string[] {
  const ids = (type: string) => ofType(template, type).map(([id]) => id);
  if (dimension === "FunctionName") return ids("AWS::Lambda::Function");
  if (dimension === "QueueName") return ids("AWS::SQS::Queue").map((id) => `${id}.QueueName`);
  if (dimension === "ApiId") return ids("AWS::ApiGatewayV2::Api");
  if (dimension === "DistributionId") return ids("AWS::CloudFront::Distribution");
  if (dimension === "Region") return ["Global"];
  return dimension === "service" ? ["darkroom-dev"] : [];
}

/** Names and sets of dimensions of a namespace. */
function emittedIn(namespace: string, name: string): readonly (readonly string[])[] {
  if (namespace !== NAMESPACE) {
    const known = awsMetrics[namespace];
    return known?.metrics.includes(name) ? known.dimensions : [];
  }
  const row: { by?: string } | undefined = (metricTable as Record<string, { by?: string }>)[name];
  return row ? [["service"], ...(row.by ? [["service", row.by]] : [])] : [];
}

/** What nothing emits, a sentence each. */
export function silent(template: Template): string[] {
  const series = [...inAlarms(template), ...onBoard(template)].flatMap(
    ({ where, namespace, name, dimensions, region }) => {
      const sets = emittedIn(namespace, name).map((set) => [...set].sort());
      const strangers = Object.entries(dimensions).filter(
        ([dimension, value]) => !valuesOf(dimension, template).includes(value),
      );
      const home = awsMetrics[namespace]?.region;
      const condition = at(template, `Resources.${where}.Condition`);
      return [
        ...(sets.some((set) => isDeepStrictEqual(set, Object.keys(dimensions).sort()))
          ? []
          : [`${where}: nothing emits ${namespace} ${name} by ${Object.keys(dimensions)}`]),
        ...strangers.map(([dimension, value]) => `${where}: there is no ${dimension} ${value}`),
        ...(home === undefined || region === home || condition === "InVirginia"
          ? []
          : [`${where}: ${namespace} is in ${home} alone`]),
      ];
    },
  );
  const found = searches(template).flatMap((search) => {
    if (typeof search === "string") return [search];
    const names = Object.keys(namespaceMetrics(search.namespace)).filter(
      (name) => search.terms["MetricName"] === undefined || search.terms["MetricName"] === name,
    );
    const comes = names.some((name) =>
      emittedIn(search.namespace, name).some((set) => isDeepStrictEqual([...set], [...search.dimensions])),
    );
    const values = Object.entries(search.terms).filter(([name]) => name !== "MetricName");
    return values.length > 0 &&
      comes &&
      values.every(([name, value]) => valuesOf(name, template).includes(value))
      ? []
      : [`${search.where}: the search finds nothing`];
  });
  return [...series, ...found];
}

const namespaceMetrics = (namespace: string): Readonly<Record<string, unknown>> =>
  namespace === NAMESPACE
    ? metricTable
    : Object.fromEntries((awsMetrics[namespace]?.metrics ?? []).map((name) => [name, true]));

/** Functions that a metric is shown for. */
export const shown = (template: Template, name: string) =>
  new Set(
    onBoard(template)
      .filter((one) => one.name === name)
      .map(({ dimensions }) => dimensions["FunctionName"]),
  );
