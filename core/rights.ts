/**
 * Whose a picture is and how it came about, as far as a preset keeps it. Text of whoever made the file, for people to read: it
 * is bounded here, and has to be escaped wherever it is shown.
 */

/** What a preset may keep; the first three are text, the last one is a term of the IPTC's list of that name. */
export const rightNames = ["creator", "credit", "copyright", "digitalSourceType"] as const;
export type RightName = (typeof rightNames)[number];
export type Rights = { readonly [N in RightName]?: string | undefined };

/** Characters of one text. */
const LONGEST = 500;
export const SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/";

/** The text as it is kept: one line, without what controls how other text is shown. Undefined where nothing is left. */
export function cleanRight(name: RightName, text: string): string | undefined {
  if (name === "digitalSourceType") {
    const term = text.trim().replace(/^https?:\/\/cv\.iptc\.org\/newscodes\/digitalsourcetype\//, "");
    return /^[A-Za-z]{1,64}$/.test(term) ? SOURCE_TYPES + term : undefined;
  }
  const line = text
    .slice(0, 4 * LONGEST)
    .toWellFormed()
    .replaceAll(/\p{Bidi_Control}|[\ufffe\uffff]/gu, "")
    // Behind that, as what stood apart may compose now: what is clean stays as it is.
    .normalize("NFC")
    .replaceAll(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
  return [...line].slice(0, LONGEST).join("").trim() || undefined;
}

export const isRight = (name: RightName, text: string) => cleanRight(name, text) === text;

/** Those that are kept, in the order of their table; undefined where there are none. */
export function keptOf(rights: Rights | undefined, keep: readonly RightName[] = []): Rights | undefined {
  const kept = rightNames.flatMap((name) =>
    keep.includes(name) && rights?.[name] ? [[name, rights[name]]] : [],
  );
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}
