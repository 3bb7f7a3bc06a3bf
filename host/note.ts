/** `local.json` in the data folder: what a running stack says of itself, for programs on the same machine. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What `GET /local.json` answers, with tokens for an hour. */
export interface LocalJson {
  readonly api: string;
  readonly media: string;
  readonly s3: string;
  readonly sqs: string;
  readonly uploadToken: string;
  readonly adminToken: string;
}

/** Its tokens are good for half a day. */
export interface Note extends LocalJson {
  readonly page: string;
  readonly region: string;
  readonly buckets: { readonly uploads: string; readonly media: string };
  readonly imagesQueue: string;
  /** Of the functions, by their names. */
  readonly settings: Readonly<Record<string, string>>;
  /** Of the embedded servers; those of the user's own stay where they are. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export const noteFile = (data = process.env["DARKROOM_DATA"] || ".darkroom") => join(data, "local.json");

/** Undefined where no stack runs on that data. */
export async function readNote(data?: string): Promise<Note | undefined> {
  const text = await readFile(noteFile(data), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Note);
}
