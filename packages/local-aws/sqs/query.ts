/**
 * SQS's older Query protocol: parameters as a form (`Attribute.1.Name=…`), results in XML. Both hold what the JSON
 * protocol holds under names of their own, so this only renames and restacks.
 */
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
  const fields = toXml(result, action);
  const body = fields === "" ? "" : `<${action}Result>${fields}</${action}Result>`;
  const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
  return `<?xml version="1.0"?><${action}Response xmlns="${NAMESPACE}">${body}${metadata}</${action}Response>`;
}

export function errorXml(error: { code: string; message: string; fault: string }, requestId: string): string {
  const { code, message, fault } = error;
  const fields = toXml({ Type: fault, Code: code, Message: message }, "");
  return `<?xml version="1.0"?><ErrorResponse xmlns="${NAMESPACE}"><Error>${fields}<Detail/></Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
}

function toXml(fields: object, action: string): string {
  return Object.entries(fields)
    .map(([name, value]) => {
      if (value === undefined) return "";
      if (typeof value !== "object") return element(name, escapeXml(String(value)));
      const [, query = Array.isArray(value) ? `${action}ResultEntry` : name, key] =
        RENAMED.find(([json]) => json === name) ?? [];
      if (key === undefined) return repeat(query, value);
      return Object.entries(value)
        .map(([k, v]) => element(query, element(key, escapeXml(k)) + toXml({ Value: v }, action)))
        .join("");
    })
    .join("");
}

const element = (name: string, content: string) => `<${name}>${content}</${name}>`;
const repeat = (name: string, values: unknown) =>
  (Array.isArray(values) ? values : [values])
    .map((value) => element(name, typeof value === "object" ? toXml(value, "") : escapeXml(String(value))))
    .join("");

/** A carriage return would become a line feed on its way through an XML parser. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
