/**
 * Every image there is any trace of, in the order of ids, with all that lies under its id: listings that are
 * sorted by id already, walked side by side. Exact, without a request per image.
 */
import {
  ATTACH,
  ATTENTION,
  type Attention,
  attachKey,
  attentionKey,
  attentionPrefix,
  behindHeld,
  behindImage,
  EDITS,
  editKey,
  HELD,
  HOMES,
  homeKey,
  IMAGES,
  metaKey,
  ORIGINALS,
  originalKey,
  parseAttachKey,
  parseAttentionKey,
  parseEditKey,
  parseHeldKey,
  parseHomeKey,
  parseImageKey,
  parseOriginalKey,
} from "../keys.ts";
import { listed, listedOpen } from "../listing.ts";
import type { ListedObject, ObjectStore, OpenUpload, OpenUploads } from "../ports.ts";

/** What the listings show under one id. They are not of one moment: whoever deletes by them looks again first. */
export interface Traces {
  readonly id: string;
  original: ListedObject | undefined;
  /** `meta.json`. */
  document: ListedObject | undefined;
  /** `homes/{id}`: it is private, or has been. What lies there is not listed here. */
  home?: ListedObject;
  /** Whatever else lies beside `meta.json`. */
  readonly variants: ListedObject[];
  readonly openUploads: OpenUpload[];
  /** Where `failures/` lists it. */
  readonly attention: Attention[];
  /** `attach/{id}`: of no bytes where it is attached. */
  attach: ListedObject | undefined;
  /** What lies under `held/{id}/`. */
  readonly held: ListedObject[];
  /** What was asked of it after its upload. */
  edit: ListedObject | undefined;
}

export interface WalkDeps {
  readonly uploads: ObjectStore;
  readonly openUploads: OpenUploads;
  readonly media: ObjectStore;
}

interface Sighting {
  readonly id: string;
  readonly note: (traces: Traces) => void;
}

/** @param after an id; the walk begins with the one that follows */
export async function* walk(deps: WalkDeps, after: string | undefined): AsyncGenerator<Traces, void> {
  const lanes = sightings(deps, after);
  try {
    const heads = await Promise.all(lanes.map((lane) => lane.next()));
    for (;;) {
      let id: string | undefined;
      for (const { value } of heads) if (value && (id === undefined || value.id < id)) id = value.id;
      if (id === undefined) return;
      const traces: Traces = {
        id,
        original: undefined,
        document: undefined,
        variants: [],
        openUploads: [],
        attention: [],
        attach: undefined,
        held: [],
        edit: undefined,
      };
      for (const [i, lane] of lanes.entries()) {
        for (let head = heads[i]; head?.value?.id === id; head = heads[i]) {
          head.value.note(traces);
          heads[i] = await lane.next();
        }
      }
      yield traces;
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.return()));
  }
}

function sightings(
  { uploads, openUploads, media }: WalkDeps,
  after: string | undefined,
): AsyncGenerator<Sighting, void>[] {
  const from = (key: (id: string) => string) => (after === undefined ? undefined : key(after));
  return [
    sighted(listed(uploads, ORIGINALS, from(originalKey)), parseOriginalKey, (traces, object) => {
      traces.original = object;
    }),
    sighted(listed(media, IMAGES, from(behindImage)), parseImageKey, (traces, object) => {
      if (object.key === metaKey(traces.id)) traces.document = object;
      else traces.variants.push(object);
    }),
    sighted(listed(media, HOMES, from(homeKey)), parseHomeKey, (traces, object) => {
      traces.home = object;
    }),
    sighted(listedOpen(openUploads, ORIGINALS, from(originalKey)), parseOriginalKey, (traces, upload) => {
      traces.openUploads.push(upload);
    }),
    sighted(listed(uploads, ATTACH, from(attachKey)), parseAttachKey, (traces, object) => {
      traces.attach = object;
    }),
    sighted(listed(uploads, HELD, from(behindHeld)), parseHeldKey, (traces, object) => {
      traces.held.push(object);
    }),
    sighted(listed(uploads, EDITS, from(editKey)), parseEditKey, (traces, object) => {
      traces.edit = object;
    }),
    ...ATTENTION.map((status) =>
      sighted(
        listed(
          uploads,
          attentionPrefix(status),
          from((id) => attentionKey(status, id)),
        ),
        parseAttentionKey,
        (traces) => {
          traces.attention.push(status);
        },
      ),
    ),
  ];
}

/** What follows our grammar of keys; nobody knows what the rest is, and it stays. */
async function* sighted<T extends { readonly key: string }>(
  objects: AsyncIterable<T>,
  parse: (key: string) => string | undefined,
  note: (traces: Traces, object: T) => void,
): AsyncGenerator<Sighting, void> {
  for await (const object of objects) {
    const id = parse(object.key);
    if (id !== undefined) yield { id, note: (traces) => note(traces, object) };
  }
}
