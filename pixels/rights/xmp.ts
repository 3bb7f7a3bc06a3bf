/**
 * What we take from XMP (ISO 16684-1), and how we write it. A reader for this one purpose: tags, attributes and text in one pass
 * without looking back, no document types and so no entities but XML's own five, and only what stands at the top of the packet,
 * not the rights of the pictures it was made from.
 */
import type { RightName, Rights } from "../../core/rights.ts";
import type { Found } from "./text.ts";

const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const DC = "http://purl.org/dc/elements/1.1/";
const PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/";
const IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";

const NAMES: Readonly<Record<string, RightName>> = {
  [`${DC}creator`]: "creator",
  [`${PHOTOSHOP}Credit`]: "credit",
  [`${DC}rights`]: "copyright",
  [`${IPTC_EXT}DigitalSourceType`]: "digitalSourceType",
};
const nameOf = (name: string) => (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined);

/** A packet in a JPEG has at most 64 KB. In other files Photoshop writes the strokes of its brushes, which are none of ours. */
const MAX_BYTES = 1_000_000;
const MAX_DEPTH = 64;
/** Characters of one text that are read. */
const LONGEST = 4000;

/** Prefixes of an element; those of the elements around it are its parent's, as a copy for each could grow without bound. */
interface Scope {
  readonly own: ReadonlyMap<string, string>;
  readonly parent: Scope | undefined;
}

interface Element {
  /** Namespace and local name. */
  readonly name: string;
  readonly scope: Scope | undefined;
  /** The element's own text, of what is listened to. */
  text: string;
  readonly lang: string | undefined;
}

const TAG = /<(\/?)([^\s<>/=]+)((?:\s+[^\s<>/=]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;
const ATTRIBUTE = /([^\s<>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
/** What is passed over, by how it begins and ends. */
const PASSED = [
  ["<!--", "-->"],
  ["<?", "?>"],
] as const;

/** Nothing where it is not XML, or more than ours to read. */
export function rightsInXmp(xmp: Uint8Array | undefined): Found {
  if (!xmp || xmp.length > MAX_BYTES) return {};
  const text = new TextDecoder().decode(xmp);
  const reader = new Reader();
  for (let at = text.indexOf("<"); at >= 0 && at < text.length; ) {
    const passed = PASSED.find(([start]) => text.startsWith(start, at));
    if (passed) {
      const end = text.indexOf(passed[1], at);
      if (end < 0) break;
      at = end + passed[1].length;
    } else if (text.startsWith("<![CDATA[", at)) {
      const end = text.indexOf("]]>", at);
      if (end < 0) break;
      reader.text(text.slice(at + 9, Math.min(end, at + 9 + LONGEST)));
      at = end + 3;
    } else if (text[at] === "<") {
      TAG.lastIndex = at;
      const [whole, slash, name = "", attributes = "", empty] = TAG.exec(text) ?? [];
      // A document type, or no XML at all.
      if (!whole || name.startsWith("!")) break;
      if (slash) reader.close();
      else if (!reader.open(name, attributes, empty !== "")) break;
      at += whole.length;
    } else {
      const next = text.indexOf("<", at);
      const end = next < 0 ? text.length : next;
      reader.text(unescaped(text.slice(at, Math.min(end, at + LONGEST))));
      at = end;
    }
  }
  return reader.found;
}

class Reader {
  readonly found: Found = {};
  readonly #open: Element[] = [];
  /** Of the property that is open: what its list has so far. */
  #list: Element[] = [];

  /** False where it is too deep to be any program's. */
  open(tag: string, text: string, isEmpty: boolean): boolean {
    if (this.#open.length >= MAX_DEPTH) return false;
    const written = [...text.matchAll(ATTRIBUTE)].map(([, name = "", one, other]) => ({
      name,
      value: unescaped((one ?? other ?? "").slice(0, LONGEST)),
    }));
    const own = new Map(
      written.flatMap(({ name, value }) => (name.startsWith("xmlns:") ? [[name.slice(6), value]] : [])),
    );
    const parent = this.#open.at(-1)?.scope;
    const scope = own.size > 0 ? { own, parent } : parent;
    const element: Element = {
      name: qualified(tag, scope),
      scope,
      text: "",
      lang: written.find(({ name }) => name === "xml:lang")?.value,
    };
    this.#open.push(element);
    const [above, here] = this.#open.slice(-2);
    const depth = this.#open.findIndex(({ name }) => name === `${RDF}RDF`);
    if (here?.name === `${RDF}Description` && depth === this.#open.length - 2)
      for (const { name, value } of written) this.#keep(qualified(name, scope), value);
    if (above?.name === `${RDF}Description` && depth === this.#open.length - 3) {
      this.#list = [];
      for (const { name, value } of written)
        if (qualified(name, scope) === `${RDF}resource`) element.text = value;
    }
    if (isEmpty) this.close();
    return true;
  }

  close(): void {
    const element = this.#open.pop();
    if (!element) return;
    const depth = this.#open.findIndex(({ name }) => name === `${RDF}RDF`);
    const inside = depth < 0 ? -1 : this.#open.length - depth;
    // RDF, Description, property, list, entry.
    if (inside === 4 && element.name === `${RDF}li`) this.#list.push(element);
    if (inside !== 2 || this.#open.at(-1)?.name !== `${RDF}Description`) return;
    const name = nameOf(element.name);
    if (!name) return;
    const usual = this.#list.find(({ lang }) => lang === "x-default") ?? this.#list[0] ?? element;
    const all = name === "creator" && this.#list.length > 0 ? this.#list : [usual];
    this.#keep(element.name, all.map(({ text }) => text.trim()).join(", "));
  }

  text(text: string): void {
    const element = this.#open.at(-1);
    if (element && element.text.length < LONGEST) element.text += text.slice(0, LONGEST);
  }

  /** The first that says it counts. */
  #keep(qualified: string, text: string): void {
    const name = nameOf(qualified);
    if (name && text.trim()) this.found[name] ??= text.slice(0, LONGEST);
  }
}

function qualified(name: string, scope: Scope | undefined): string {
  const [prefix = "", local] = name.split(":", 2);
  if (local === undefined) return name;
  for (let one = scope; one; one = one.parent) {
    const namespace = one.own.get(prefix);
    if (namespace !== undefined) return namespace + local;
  }
  return name;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const unescaped = (text: string) =>
  text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi,
    (whole, hex, decimal, name) => {
      if (name) return ENTITIES[name] ?? whole;
      const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
      return code > 0x10ffff ? "" : String.fromCodePoint(code);
    },
  );

/** As attributes and elements of an `rdf:Description` whose `rdf` is known. */
export function described(rights: Rights): { readonly attributes: string; readonly elements: string } {
  if (Object.keys(rights).length === 0) return { attributes: "", elements: "" };
  const { creator, credit, copyright, digitalSourceType } = rights;
  const list = (name: string, kind: string, text: string | undefined, lang = "") =>
    text === undefined
      ? ""
      : `<${name}><rdf:${kind}><rdf:li${lang}>${escaped(text)}</rdf:li></rdf:${kind}></${name}>`;
  const attribute = (name: string, text: string | undefined) =>
    text === undefined ? "" : ` ${name}="${escaped(text)}"`;
  return {
    attributes: [
      ` xmlns:dc="${DC}" xmlns:photoshop="${PHOTOSHOP}" xmlns:Iptc4xmpExt="${IPTC_EXT}"`,
      attribute("photoshop:Credit", credit),
      attribute("Iptc4xmpExt:DigitalSourceType", digitalSourceType),
    ].join(""),
    elements: [
      list("dc:creator", "Seq", creator),
      list("dc:rights", "Alt", copyright, ' xml:lang="x-default"'),
    ].join(""),
  };
}

/** A packet that says these and nothing else. */
export function packetIn(rights: Rights): string {
  const { attributes, elements } = described(rights);
  return packetOf(attributes, elements);
}

/** A packet's content. */
export const packetOf = (attributes: string, elements: string) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${RDF}"><rdf:Description rdf:about=""${attributes}>${elements}</rdf:Description></rdf:RDF></x:xmpmeta>`;

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => text.replaceAll(/[&<>"]/g, (character) => ESCAPES[character] ?? "");
