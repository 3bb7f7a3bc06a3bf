/**
 * Edits an image that is ready: what is wished is written to `edits/{id}.json` under a condition, and a message has a worker do
 * it, who takes the newest there is. So of a thousand edits in a second the last one is what is shown, and few are made.
 */
import type { Caller } from "../caller.ts";
import { putOver, readText } from "../commit.ts";
import { type Changes, changed, type Edit, hasPixels, parseEdit, type StandingEdit } from "../edit.ts";
import { DarkroomError } from "../errors.ts";
import { editKey } from "../keys.ts";
import { developBody } from "../message.ts";
import { editOf, type Metadata } from "../metadata.ts";
import type { ObjectStore, Queue } from "../ports.ts";
import { find, type ImageDeps } from "./images.ts";

export interface EditDeps extends ImageDeps {
  /** Of new originals: somebody looks at this image. */
  readonly images: Pick<Queue, "send">;
  readonly now: () => Date;
}

/**
 * The newest edit, and the ETag that a write over it names. What cannot be read is none. Of an image whose delete was taken back
 * the document alone says it.
 */
export async function readEdit(
  uploads: Pick<ObjectStore, "get">,
  id: string,
  document: Metadata | undefined,
): Promise<{ readonly edit: StandingEdit | undefined; readonly over: string | undefined }> {
  const stored = await uploads.get(editKey(id));
  const read = stored && parseEdit(await readText(stored.body));
  if (read) return { edit: { ...read, etag: stored.etag }, over: stored.etag };
  const { edit: shown, alt, processedAt: at = "" } = document ?? {};
  const edit = shown && { schema: 1 as const, at, ...shown, ...(alt && { alt }) };
  return { edit, over: stored?.etag };
}

/** Lost races in a row after which whoever asks had better come back later. */
const MAX_TRIES = 10;

/**
 * @param isSeen whether the caller has seen this revision of the document, where they said which one: then no edit may be on its way
 * @returns the edit that stands; the document says `edit.rev` once it is made
 * @throws DarkroomError `not-found`, `gone`, `not-ready`, `original-gone`, `edited-since`, `bad-request`
 */
export async function editImage(
  deps: EditDeps,
  caller: Caller,
  id: string,
  changes: Changes,
  isSeen?: (etag: string) => boolean,
): Promise<Edit> {
  const { document, etag = "" } = await find(deps, caller, id);
  if (document?.status === "deleted") throw new DarkroomError("gone");
  if (document?.status !== "ready") throw new DarkroomError("not-ready");
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const { edit: standing, over } = await readEdit(deps.uploads, id, document);
    const rev = standing?.rev ?? 0;
    const isLate = isSeen && !(isSeen(etag) && rev === editOf(document));
    if (isLate || (changes.rev ?? rev) !== rev) throw new DarkroomError("edited-since");
    const next = changed(standing, changes, deps.now());
    if (next) check(next, standing, document);
    const type = "application/json";
    if (next && !(await putOver(deps.uploads, editKey(id), JSON.stringify(next), over, { type }))) continue;
    const edit = next ?? standing;
    // Also of one that changes nothing: the one before may have died before it was queued.
    if (edit) await deps.images.send(developBody({ id, force: false, retry: false, edit: edit.rev }));
    return edit ?? { schema: 1, rev: 0, at: document.processedAt };
  }
  throw new DarkroomError("unavailable");
}

function check(next: Edit, standing: Edit | undefined, { source = { bytes: 0, etag: "" } }: Metadata): void {
  const pixels = ({ focus, turn, crop }: Partial<Edit> = {}) => JSON.stringify([focus, turn, crop]);
  if (source.gone && pixels(next) !== pixels(standing)) throw new DarkroomError("original-gone");
  const { width = 1, height = 1 } = source;
  if (next.crop && !hasPixels(next.crop, next.turn ?? 0, { width, height }))
    throw new DarkroomError("bad-request", "crop: there is no pixel in it.");
}
