/**
 * What a queue message says: S3 notifications, job messages, S3's test event, or something foreign. Parses only
 * what is used and never throws: what is none of ours and cannot be understood today cannot be tomorrow either.
 */
import { isJobId, parsePageLabel } from "./job-keys.ts";
import { isId, parseOriginalKey } from "./keys.ts";

/** One thing to do. */
export type Task =
  | CreatedTask
  | { readonly kind: "removed"; readonly id: string; readonly sequencer?: string }
  | DevelopTask
  | DeleteTask
  | ScanTask
  | OrderTask
  | FetchTask
  /** Has our mark, and is of a later release: left to that one, as while an update goes on or after going back. */
  | { readonly kind: "later" }
  /** Acknowledged, counted, never retried. `reason` holds no user text. */
  | { readonly kind: "ignored"; readonly reason: string };

/** An original that was written. */
export interface CreatedTask {
  readonly kind: "created";
  readonly id: string;
  readonly etag?: string;
  readonly sequencer?: string;
}

/** One image to develop again. */
export interface DevelopTask {
  readonly kind: "develop";
  readonly id: string;
  /** Makes everything anew that is there already. */
  readonly force: boolean;
  /** Tries again also what was rejected, or left unchanged by a later try that went wrong. */
  readonly retry: boolean;
  /** The edit that asks for it: where that, or a later one, has been made, nothing is to do. */
  readonly edit?: number;
  /** Where the result is counted; absent for a message of nobody's job. */
  readonly counted?: { readonly job: string; readonly label: string };
}

/** One image to delete, for a job whose order says so. */
export interface DeleteTask {
  readonly kind: "delete";
  readonly id: string;
  readonly counted: { readonly job: string; readonly label: string };
}

/** A job's URLs to fetch: each that has no result yet gets a message of its own. */
export interface OrderTask {
  readonly kind: "order";
  readonly job: string;
}

/** One of them, by the id of the image that it is to become; its order says where it is. */
export interface FetchTask {
  readonly kind: "fetch";
  readonly id: string;
  readonly counted: DeleteTask["counted"];
}

/** One page of a job's images to choose from. */
export interface ScanTask {
  readonly kind: "scan";
  readonly job: string;
  /** From 0. */
  readonly page: number;
  /** The page before's `next`. */
  readonly after?: string | undefined;
  /** Sums over the pages before. */
  readonly scanned: number;
  readonly queued: number;
  /** Only what has no result yet of a page that was chosen before: its messages were lost. */
  readonly lost?: boolean | undefined;
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const child = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** The images that a message speaks of, for logs. */
export function imagesIn(body: string, bucket: string): string[] {
  return parseMessage(body, bucket).flatMap((task) => ("id" in task ? task.id : []));
}

/**
 * The tasks in a message body that concern `bucket`, in the order they stand. Ours are
 * `{ "darkroom": "develop", "id", "force"?, "retry"?, "edit"?, "job"?, "page"? }`, `{ "darkroom": "delete", "id", "job", "page" }`,
 * `{ "darkroom": "scan", "job", "page", "after"?, "scanned", "queued", "lost"? }`, `{ "darkroom": "order", "job" }` and
 * `{ "darkroom": "fetch", "id", "job", "page" }`.
 */
export function parseMessage(body: string, bucket: string): Task[] {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return [{ kind: "ignored", reason: "not JSON" }];
  }
  if (child(json, "darkroom") === "develop") {
    const id = child(json, "id");
    if (!isId(id)) return [{ kind: "ignored", reason: "job message without an image id" }];
    const counted = countedIn(json);
    const [force, retry] = [child(json, "force") === true, child(json, "retry") === true];
    const edit = child(json, "edit");
    const asked = isCount(edit) ? { edit } : {};
    return [{ kind: "develop", id, force, retry, ...asked, ...(counted ? { counted } : {}) }];
  }
  const word = child(json, "darkroom");
  if (word === "delete" || word === "fetch") {
    const [id, counted] = [child(json, "id"), countedIn(json)];
    if (!isId(id) || !counted) return [{ kind: "ignored", reason: `a ${word} of no image or no job` }];
    return [{ kind: word, id, counted }];
  }
  if (word === "order") {
    const job = child(json, "job");
    return [isJobId(job) ? { kind: "order", job } : { kind: "ignored", reason: "an order of no job" }];
  }
  if (child(json, "darkroom") === "scan") return [parseScan(json)];
  if (text(child(json, "darkroom"))) return [{ kind: "later" }];
  // Sent when notifications are configured; understood, and nothing to do.
  if (child(json, "Event") === "s3:TestEvent") return [];
  const records = child(json, "Records");
  if (!Array.isArray(records)) return [{ kind: "ignored", reason: "neither records nor a job" }];
  return records.map((record) => parseRecord(record, bucket));
}

function countedIn(json: unknown): DeleteTask["counted"] | undefined {
  const [job, label] = [child(json, "job"), text(child(json, "page"))];
  return isJobId(job) && label && parsePageLabel(label) ? { job, label } : undefined;
}

function parseScan(json: unknown): Task {
  const [job, page, scanned, queued] = ["job", "page", "scanned", "queued"].map((name) => child(json, name));
  if (!isJobId(job) || !isCount(page) || !isCount(scanned) || !isCount(queued)) {
    return { kind: "ignored", reason: "a malformed scan" };
  }
  const after = text(child(json, "after"));
  const lost = child(json, "lost") === true ? { lost: true } : {};
  return { kind: "scan", job, page, scanned, queued, ...(after ? { after } : {}), ...lost };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** The messages' bodies, as `parseMessage` reads them. */
export function developBody({ id, force, retry, edit, counted }: Omit<DevelopTask, "kind">): string {
  const page = counted ? { job: counted.job, page: counted.label } : {};
  return JSON.stringify({
    darkroom: "develop",
    id,
    ...(force ? { force } : {}),
    ...(retry ? { retry } : {}),
    ...(edit === undefined ? {} : { edit }),
    ...page,
  });
}
export const countedBody = ({ kind, id, counted: { job, label } }: DeleteTask | FetchTask): string =>
  JSON.stringify({ darkroom: kind, id, job, page: label });
export const orderBody = (job: string): string => JSON.stringify({ darkroom: "order", job });
export function scanBody({ kind: _, ...task }: ScanTask): string {
  return JSON.stringify({ darkroom: "scan", ...task });
}

function parseRecord(record: unknown, bucket: string): Task {
  const s3 = child(record, "s3");
  const object = child(s3, "object");
  if (child(child(s3, "bucket"), "name") !== bucket) return { kind: "ignored", reason: "another bucket" };
  const key = decodeKey(text(child(object, "key")) ?? "");
  const id = key === undefined ? undefined : parseOriginalKey(key);
  if (id === undefined) return { kind: "ignored", reason: "not a key of ours" };
  const event = text(child(record, "eventName")) ?? "";
  const sequencer = text(child(object, "sequencer"));
  const etag = text(child(object, "eTag"))?.replaceAll('"', "");
  // Both go on into requests and documents.
  if (!/^[0-9A-Fa-f]{0,64}$/.test(sequencer ?? "") || !/^[\x21-\x7e]{0,128}$/.test(etag ?? "")) {
    return { kind: "ignored", reason: "a malformed event" };
  }
  const sequence = sequencer ? { sequencer } : {};
  if (event.startsWith("ObjectCreated:")) {
    return { kind: "created", id, ...sequence, ...(etag ? { etag } : {}) };
  }
  if (event.startsWith("ObjectRemoved:") || event.startsWith("LifecycleExpiration:"))
    return { kind: "removed", id, ...sequence };
  return { kind: "ignored", reason: "an event we did not ask for" };
}

/** S3 encodes keys in events like form fields: `red flower.jpg` arrives as `red+flower.jpg`. Undefined if malformed. */
export function decodeKey(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

/**
 * Order of two notifications of one key: negative, zero or positive. Right-padded with zeros and compared as text (S3's
 * "Event message structure"; older texts say left-padded, which orders wrongly). None sorts lowest.
 */
export function compareSequencers(a: string | undefined, b: string | undefined): number {
  const length = Math.max(a?.length ?? 0, b?.length ?? 0);
  const left = a === undefined ? "" : a.toUpperCase().padEnd(length, "0");
  const right = b === undefined ? "" : b.toUpperCase().padEnd(length, "0");
  return left < right ? -1 : left > right ? 1 : 0;
}
