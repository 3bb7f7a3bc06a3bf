/**
 * What a look at a file's structure can find, one row each: what it says to support staff, and whether the file is a
 * broken one or a part of a good one. A finding names bytes, never text of the file.
 */
const table = {
  "no-picture": { code: "corrupt", says: "no header of a picture can be read" },
  "ends-early": {
    code: "truncated",
    says: "the file ends inside the segment, chunk, box or frame that begins here",
  },
  "scans-missing": {
    code: "truncated",
    says: "the file ends before the last scans of a progressive picture",
  },
  "blocks-missing": {
    code: "corrupt",
    says: "the data of a scan end before its last block: a part of the picture is grey",
  },
  "restart-lost": { code: "corrupt", says: "an interval between two restart markers is missing" },
  "rows-missing": { code: "corrupt", says: "the compressed data that begin here end before the last row" },
  "bad-code": {
    code: "corrupt",
    says: "the compressed data are damaged: they hold a code that does not exist",
  },
  "bad-checksum": {
    code: "corrupt",
    says: "the checksum of the chunk that begins here is wrong, and the picture depends on its every bit",
  },
  "too-many-coefficients": {
    code: "corrupt",
    says: "the compressed data are damaged: a block has more than 64 coefficients",
  },
  decoder: { code: "corrupt", says: "the structure looks whole, but the decoder cannot read it" },
} as const;

export type Check = keyof typeof table;
export const checks: Readonly<
  Record<Check, { readonly code: "corrupt" | "truncated"; readonly says: string }>
> = table;
export const checkNames = Object.keys(table) as Check[];

/** The first thing that is wrong with a file. */
export interface Finding {
  readonly check: Check;
  /** The byte, from the start of the file, that the check's sentence is about. */
  readonly at: number;
}
