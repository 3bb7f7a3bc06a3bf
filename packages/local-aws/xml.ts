/**
 * XML as S3's and SQS's few documents have it. The parser is strict and small: elements, text, CDATA, comments, the
 * five predefined entities and character references. No document type, so nothing to expand and nothing to fetch.
 */

export type XmlValue =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
const predefined: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** A document: arrays repeat their element, `undefined` leaves it out. */
export function render(root: string, value: XmlValue, namespace = ""): string {
  const attribute = namespace === "" ? "" : ` xmlns="${namespace}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${content(value)}</${root}>`;
}

/** A document in S3's namespace: everything but errors. */
export const renderS3 = (root: string, value: XmlValue): string => render(root, value, NAMESPACE);

function element(name: string, value: XmlValue): string {
  if (Array.isArray(value)) return value.map((one) => element(name, one)).join("");
  return value === undefined ? "" : `<${name}>${content(value)}</${name}>`;
}

function content(value: XmlValue): string {
  if (typeof value !== "object") return value === undefined ? "" : escapeXml(String(value));
  return Object.entries(value)
    .map(([name, child]) => element(name, child))
    .join("");
}

/** Control characters as references, which XML 1.0 forbids and S3 does all the same; `\r` would not survive bare. */
function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
  return text.replace(/[&<>"'\u0000-\u0008\u000b-\u001f]/g, (c) => {
    const name = Object.keys(predefined).find((key) => predefined[key] === c);
    return name ? `&${name};` : `&#x${c.charCodeAt(0).toString(16)};`;
  });
}

export interface XmlElement {
  /** Local name: prefixes are dropped, as S3 knows one namespace. */
  readonly name: string;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

/** Not well-formed, or a document type, which no document of S3 has. */
export class XmlError extends Error {
  override readonly name = "XmlError";
}

const MAX_DEPTH = 32;
const NAME = "[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?";
const openTag = new RegExp(`<(${NAME})((?:\\s+${NAME}\\s*=\\s*(?:"[^<"]*"|'[^<']*'))*)\\s*(/?)>`, "y");
const closeTag = new RegExp(`</(${NAME})\\s*>`, "y");
const declaration = /^\ufeff?(?:<\?xml\s[^?<>]*\?>)?/;
const localName = (name: string) => name.slice(name.indexOf(":") + 1);

/** The root element. @throws XmlError */
export function parseXml(source: string): XmlElement {
  const text = source.replace(/\r\n?/g, "\n");
  let at = declaration.exec(text)?.[0].length ?? 0;
  const roots: XmlElement[] = [];
  const open: { tag: string; children: XmlElement[]; text: string }[] = [];
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return found;
  };
  const upTo = (start: string, end: string): string | undefined => {
    if (!text.startsWith(start, at)) return undefined;
    const stop = text.indexOf(end, at + start.length);
    if (stop < 0) throw new XmlError(`${start} without ${end}`);
    const inner = text.slice(at + start.length, stop);
    at = stop + end.length;
    return inner;
  };
  const add = (parsed: XmlElement) => (open.at(-1)?.children ?? roots).push(parsed);
  const addText = (piece: string) => {
    const parent = open.at(-1);
    if (parent) parent.text += piece;
    else if (piece.trim() !== "") throw new XmlError("text outside the root element");
  };

  while (at < text.length) {
    if (text[at] !== "<") {
      const stop = text.indexOf("<", at);
      const piece = text.slice(at, stop < 0 ? undefined : stop);
      at += piece.length;
      addText(unescapeXml(piece));
      continue;
    }
    if (upTo("<!--", "-->") !== undefined) continue;
    const cdata = upTo("<![CDATA[", "]]>");
    if (cdata !== undefined) {
      addText(cdata);
      continue;
    }
    const closing = match(closeTag);
    if (closing) {
      const ended = open.pop();
      if (ended === undefined || ended.tag !== closing[1])
        throw new XmlError(`</${closing[1]}> closes nothing`);
      add({ name: localName(ended.tag), children: ended.children, text: ended.text });
      continue;
    }
    const opening = match(openTag);
    if (!opening?.[1]) throw new XmlError(`not markup of S3's documents at character ${at}`);
    if (open.length >= MAX_DEPTH) throw new XmlError("nested too deep");
    if (opening[3]) add({ name: localName(opening[1]), children: [], text: "" });
    else open.push({ tag: opening[1], children: [], text: "" });
  }
  const [root] = roots;
  if (open.length > 0 || roots.length !== 1 || !root)
    throw new XmlError("not exactly one whole root element");
  return root;
}

function unescapeXml(text: string): string {
  return text.replace(/&([^;&]{0,10};?)/g, (whole, body: string) => {
    const name = body.endsWith(";") ? body.slice(0, -1) : "";
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name) ?? [];
    const code = hex ? Number.parseInt(hex, 16) : decimal ? Number(decimal) : 0;
    if (code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code);
    const character = Object.hasOwn(predefined, name) ? predefined[name] : undefined;
    if (character === undefined) throw new XmlError(`unknown reference ${whole}`);
    return character;
  });
}

export const childrenOf = (parent: XmlElement, name: string): XmlElement[] =>
  parent.children.filter((c) => c.name === name);
export const childOf = (parent: XmlElement, name: string): XmlElement | undefined =>
  childrenOf(parent, name)[0];
/** Text of the first child with this name. */
export const textOf = (parent: XmlElement, name: string): string | undefined => childOf(parent, name)?.text;
/** Texts of all children with this name. */
export const textsOf = (parent: XmlElement, name: string): string[] =>
  childrenOf(parent, name).map((c) => c.text);
