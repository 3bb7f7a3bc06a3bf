/**
 * What CloudFront does besides handing through: it holds what may be held, for a day at most, and forgets what it is asked
 * to, so many paths at a time. So a deleted picture is seen for a while here too, until `parked` has had it forgotten.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { parseXml, render, textOf, textsOf, type XmlElement } from "local-aws/xml";
import type { ObjectStore, StoredHead, StoredObject } from "../core/ports.ts";

/** As the distribution's cache policy has it (`MaxTTL` in deploy/infra/media.yml). */
const MOST_SECONDS = 86_400;
/** What lives for seconds, as documents do, is not worth its place. */
const LEAST_SECONDS = 60;
/** Paths being forgotten at once, and of those with a wildcard. */
const [PATHS, WILDCARDS] = [3000, 15];
/** How long one takes: CloudFront's own is about a minute. */
const FORGET_MS = 60_000;
/** What is held of all; the oldest goes first. */
const ROOM_BYTES = 64 * 2 ** 20;
const NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
const ROUTE = /^\/2020-05-31\/distribution\/[A-Z0-9]+\/invalidation$/;

interface Held {
  readonly head: StoredHead;
  readonly bytes: Buffer;
  readonly since: number;
  readonly until: number;
}

export class Edge {
  readonly #media: Pick<ObjectStore, "get">;
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();
  #bytes = 0;
  /** By reference, when each was asked for. */
  readonly #asked = new Map<string, { paths: readonly string[]; at: number; isOver: boolean }>();

  constructor(media: Pick<ObjectStore, "get">, now: () => number = Date.now) {
    this.#media = media;
    this.#now = now;
  }

  async get(key: string): Promise<StoredObject | undefined> {
    this.#settle();
    const held = this.#held.get(key);
    if (held && held.until > this.#now()) return objectOf(held);
    this.#drop(key);
    const stored = await this.#media.get(key);
    const { cacheControl = "" } = stored ?? {};
    // As CloudFront takes it where a policy has a least age of 0.
    const isPrivate = /\bprivate\b/.test(cacheControl);
    const seconds = isPrivate ? 0 : Number(/max-age=(\d+)/.exec(cacheControl)?.[1] ?? 0);
    if (!stored || seconds < LEAST_SECONDS || stored.size > ROOM_BYTES / 16) return stored;
    const chunks: Uint8Array[] = [];
    for await (const chunk of stored.body) chunks.push(chunk);
    const { body: _, ...head } = stored;
    const since = this.#now();
    const until = since + Math.min(seconds, MOST_SECONDS) * 1000;
    const one = { head, bytes: Buffer.concat(chunks), since, until };
    // Asked for twice at once, it is held once.
    this.#drop(key);
    this.#held.set(key, one);
    this.#bytes += one.bytes.length;
    for (const oldest of this.#held.keys()) if (this.#bytes > ROOM_BYTES) this.#drop(oldest);
    return objectOf(one);
  }

  /** False where as much is being forgotten as CloudFront works on at a time. The same reference asks once. */
  forget(paths: readonly string[], reference: string): boolean {
    this.#settle();
    if (this.#asked.has(reference)) return true;
    const underWay = [...this.#asked.values()].flatMap((one) => (one.isOver ? [] : one.paths));
    const all = [...underWay, ...paths];
    if (all.length > PATHS || all.filter((path) => path.endsWith("*")).length > WILDCARDS) return false;
    this.#asked.set(reference, { paths, at: this.#now(), isOver: false });
    return true;
  }

  /** What was asked for long enough ago is forgotten: all that was held by then. */
  #settle(): void {
    for (const one of this.#asked.values()) {
      const over = one.at + FORGET_MS;
      if (one.isOver || over > this.#now()) continue;
      one.isOver = true;
      for (const [key, { since }] of this.#held)
        if (since <= over && one.paths.some((path) => matches(path, `/${key}`))) this.#drop(key);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#held.get(key)?.bytes.length ?? 0;
    this.#held.delete(key);
  }
}

const matches = (path: string, asked: string) =>
  path.endsWith("*") ? asked.startsWith(path.slice(0, -1)) : asked === path;

const objectOf = ({ head, bytes }: Held): StoredObject => ({
  ...head,
  body: (async function* () {
    yield bytes;
  })(),
});

/** CloudFront's API, of which there is one request, before what it serves. */
export function cloudFront(edge: Edge, serve: RequestListener): RequestListener {
  return (request, response) => {
    if (request.method !== "POST" || !ROUTE.test(request.url ?? "")) return serve(request, response);
    createInvalidation(edge, request, response).catch(() => {
      answer(response, 400, "ErrorResponse", {
        Error: { Type: "Sender", Code: "MalformedXML", Message: "The XML is not an InvalidationBatch." },
      });
    });
  };
}

async function createInvalidation(edge: Edge, request: IncomingMessage, response: ServerResponse) {
  const batch = parseXml(await text(request));
  const reference = textOf(batch, "CallerReference") ?? "";
  const paths = under(batch, "Paths", "Items").flatMap((items) => textsOf(items, "Path"));
  if (edge.forget(paths, reference)) {
    answer(response, 201, "Invalidation", {
      Id: `I${reference}`,
      Status: "InProgress",
      CreateTime: new Date().toISOString(),
      InvalidationBatch: {
        Paths: { Quantity: paths.length, Items: { Path: paths } },
        CallerReference: reference,
      },
    });
    return;
  }
  const Message = "Your request cannot be completed because the maximum number of invalidations are running.";
  answer(response, 400, "ErrorResponse", {
    Error: { Type: "Sender", Code: "TooManyInvalidationsInProgress", Message },
  });
}

const under = (from: XmlElement, ...names: readonly string[]): XmlElement[] =>
  names.reduce<XmlElement[]>(
    (found, name) => found.flatMap(({ children }) => children.filter((child) => child.name === name)),
    [from],
  );

function answer(response: ServerResponse, status: number, root: string, value: Parameters<typeof render>[1]) {
  response.writeHead(status, { "content-type": "text/xml" }).end(render(root, value, NAMESPACE));
}
