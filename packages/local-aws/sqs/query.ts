/**
 * SQS's older Query protocol: parameters as a form (`Attribute.1.Name=…`), results in XML. Both hold what the JSON
 * protocol holds under names of their own, so this only renames and restacks.
 */
import { render, type XmlValue } from "../xml.ts";
import type { Input } from "./input.ts";

const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";

/** [JSON's plural, Query's singular, the field with the key where JSON has an object]. */
const RENAMED: readonly (readonly [json: string, query: string, key?: string])[] = [
  ["Attributes", "Attribute", "Name"],
  ["MessageAttributes", "MessageAttribute", "Name"],
  ["MessageSystemAttributes", "MessageSystemAttribute", "Name"],
  ["Tags", "Tag", "Key"],
  ["AttributeNames", "AttributeName"],
  ["MessageAttributeNames", "MessageAttributeName"],
  ["MessageSystemAttributeNames", "MessageSystemAttributeName"],
  ["TagKeys", "TagKey"],
  ["QueueUrls", "QueueUrl"],
  ["queueUrls", "QueueUrl"],
  ["Messages", "Message"],
  ["Failed", "BatchResultErrorEntry"],
];

interface Tree {
  [name: string]: Tree | string;
}

/** `Entry.1.Id=a` as `{ Entry: { 1: { Id: "a" } } }`. */
function stack(form: URLSearchParams): Tree {
  const root: Tree = Object.create(null);
  for (const [path, value] of form) {
    let node = root;
    const names = path.split(".");
    const last = names.pop() ?? "";
    for (const name of names) {
      const next = node[name];
      const child: Tree = typeof next === "object" ? next : Object.create(null);
      node[name] = child;
      node = child;
    }
    node[last] = value;
  }
  return root;
}

const numbered = (tree: Tree) =>
  Object.entries(tree)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, value]) => value);

/** The parameters as the JSON protocol has them. `path` names the queue where no parameter does. */
export function readForm(form: URLSearchParams, path: string): { action: string; input: Input } {
  const action = form.get("Action") ?? "";
  const input = toInput(stack(form), action);
  return { action, input: path === "/" ? input : { QueueUrl: path, ...input } };
}

function toInput(tree: Tree, action: string): Input {
  const fields = Object.entries(tree).map(([name, value]): [string, unknown] => {
    if (typeof value === "string") return [name, value];
    if (name === `${action}RequestEntry`) {
      return [
        "Entries",
        numbered(value).map((entry) => (typeof entry === "string" ? entry : toInput(entry, ""))),
      ];
    }
    const [json = name, , key] = RENAMED.find(([, query]) => query === name) ?? [];
    if (key === undefined) return [json, numbered(value)];
    const pairs = numbered(value).flatMap((entry) =>
      typeof entry === "string" ? [] : [[String(entry[key] ?? ""), entry["Value"]] as const],
    );
    return [json, Object.fromEntries(pairs)];
  });
  return Object.fromEntries(fields);
}

export function resultXml(action: string, result: object, requestId: string): string {
  const fields = renamed(result, action);
  const answer = Object.keys(fields).length > 0 ? { [`${action}Result`]: fields } : {};
  return render(`${action}Response`, { ...answer, ResponseMetadata: { RequestId: requestId } }, NAMESPACE);
}

export function errorXml(error: { code: string; message: string; fault: string }, requestId: string): string {
  const { code: Code, message: Message, fault: Type } = error;
  const fields = { Error: { Type, Code, Message, Detail: "" }, RequestId: requestId };
  return render("ErrorResponse", fields, NAMESPACE);
}

/** The JSON protocol's fields under the names that the Query protocol has for them. */
function renamed(fields: object, action: string): { [name: string]: XmlValue } {
  const entries = Object.entries(fields).map(([name, value]): [string, XmlValue] => {
    if (typeof value !== "object") return [name, value];
    const [, query = Array.isArray(value) ? `${action}ResultEntry` : name, key] =
      RENAMED.find(([json]) => json === name) ?? [];
    if (key !== undefined)
      return [query, Object.entries(value).map(([k, v]) => ({ [key]: k, ...renamed({ Value: v }, action) }))];
    const child = (one: unknown) => (typeof one === "object" ? renamed(Object(one), "") : String(one));
    return [query, Array.isArray(value) ? value.map(child) : child(value)];
  });
  return Object.fromEntries(entries);
}
