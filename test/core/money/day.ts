/**
 * A day of a stack in virtual time, and what AWS would count of it: the shipped client, the use cases behind the functions,
 * Lambda's pollers, the schedules, a CDN and people who look at pictures. Requests take a while, developing as long as is said.
 */
import { MemoryQueue } from "../../../adapters/memory/memory-queue.ts";
import { memoryStore, type StoreChange } from "../../../adapters/memory/memory-store.ts";
import { memoryUploads } from "../../../adapters/memory/memory-uploads.ts";
import { connect } from "../../../client/api.ts";
import type { Transport } from "../../../client/transport.ts";
import { sendFile } from "../../../client/upload.ts";
import { waiter } from "../../../client/wait.ts";
import type { Caller } from "../../../core/caller.ts";
import { writtenBytes } from "../../../core/formats.ts";
import { asker } from "../../../core/image/ask-again.ts";
import { removeImage } from "../../../core/image/images.ts";
import { newId, originalKey } from "../../../core/keys.ts";
import type { Load } from "../../../core/money/cost.ts";
import type { PriceName } from "../../../core/money/prices.ts";
import type { Header } from "../../../core/plan.ts";
import type { ObjectStore, OpenUploads, Pixels, Queue } from "../../../core/ports.ts";
import type { Config } from "../../../core/preset.ts";
import { PATIENCE } from "../../../core/sweep/diagnose.ts";
import { sweep } from "../../../core/sweep/sweep.ts";
import { bringBack, Receivers } from "../../../core/tell/deliver.ts";
import { forgetNoted } from "../../../core/tell/forget.ts";
import { handleEvent } from "../../../core/tell/handle-event.ts";
import { writeUploadMetadata } from "../../../core/upload-metadata.ts";
import { developMessage } from "../../../core/worker/handle-message.ts";
import type { FunctionTemplate, Template } from "../../../host/template.ts";
import { seeded } from "../../simulation/random.ts";

/** Who caused what is counted. */
const causes = ["uploads", "deletes", "views", "polls", "turns", "rounds", "before"] as const;
export type Cause = (typeof causes)[number];
type Counts = Record<Cause, Partial<Record<PriceName, number>>>;

const [HOUR, DAY] = [3_600_000, 86_400_000];
/** A request to S3 or SQS; what a function does itself; a receiver's answer. As in core/money/cost.ts. */
const [REQUEST_MS, OWN_MS, RECEIVER_MS] = [20, 10, 150];
/** Over the internet and back; a photo of 4 MB over a home's line. */
const [ROUND_TRIP_MS, PUT_MS] = [60, 2000];
/** Lambda asks each queue with so many long polls at once: its documents, "Scaling and processing". */
const POLLERS = 5;
const RECEIVER = "https://receiver.example/hook";
const CALLER: Caller = { owner: "somebody", scopes: new Set(["upload"]) };

/** Time that goes on when nobody has anything to do before the next timer. */
class VirtualTime {
  #now = Date.UTC(2026, 7, 1);
  readonly #timers = new Set<{ at: number; then: () => void }>();
  readonly now = () => this.#now;
  readonly date = () => new Date(this.#now);
  readonly after = (ms: number, then: () => void) => {
    const timer = { at: this.#now + ms, then };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };
  readonly pause = (ms: number) => new Promise<void>((resolve) => this.after(ms, resolve));

  async until(over: () => boolean): Promise<void> {
    for (;;) {
      await new Promise(setImmediate);
      if (over()) return;
      let next: { at: number; then: () => void } | undefined;
      for (const timer of this.#timers) if (!next || timer.at < next.at) next = timer;
      if (!next) return;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.then();
    }
  }
}

export class Day {
  readonly counts = Object.fromEntries(causes.map((cause) => [cause, {}])) as Counts;
  readonly #time = new VirtualTime();
  readonly #random = seeded(1).bytes;
  readonly #config: Config;
  readonly #template: Template;
  readonly #load: Load & { readonly developMs: number };
  readonly #header: Header;
  readonly #uploads: ObjectStore;
  readonly #openUploads = memoryUploads();
  readonly #media: ObjectStore;
  readonly #queues: ReadonlyMap<string, MemoryQueue>;
  /** What the CDN holds, and until when. */
  readonly #held = new Map<string, number>();
  readonly #known = new Map<Cause, Receivers>();
  readonly #deleted = new Set<string>();
  #notified: (change: StoreChange) => void = () => {};

  constructor(
    config: Config,
    template: Template,
    load: Load & { readonly developMs: number },
    header: Header,
  ) {
    [this.#config, this.#template, this.#load, this.#header] = [config, template, load, header];
    const now = this.#time.date;
    this.#uploads = memoryStore({ now, onChange: (change) => this.#notified(change) });
    this.#media = memoryStore({ now });
    this.#queues = new Map(
      template.queues.map(({ logicalId, visibilitySeconds }) => [
        logicalId,
        new MemoryQueue({ clock: this.#time, visibilitySeconds }),
      ]),
    );
  }

  #count(cause: Cause, name: PriceName, amount = 1): void {
    this.counts[cause][name] = (this.counts[cause][name] ?? 0) + amount;
  }

  /** What was uploaded in the months before, a day's worth each day; then a day of it all. */
  async pass(): Promise<void> {
    const { uploads, views, months, deletes } = this.#load;
    const perDay = Math.round(uploads / 30);
    const history: string[][] = [];
    const past = (async () => {
      for (let day = 0; day < months * 30; day++) {
        const ids = [];
        for (let i = 0; i < perDay; i++) ids.push(await this.#uploadBefore());
        history.unshift(ids);
        await this.#time.pause(DAY);
        // What a round has found in order the next one does not read again.
        if (day >= months * 30 - 3) await this.#sweep("before");
      }
    })();
    await this.#over(past);
    const end = this.#time.now() + DAY;
    this.#notified = (change) => this.#notify(change);
    const working = [...this.#pollers(end), ...this.#schedules(end)];
    const people = [
      ...Array.from({ length: perDay }, (_, n) => this.#page(((n + 0.5) * DAY) / perDay)),
      ...Array.from({ length: Math.round(perDay * deletes) }, (_, n) =>
        this.#delete(((n + 0.5) * DAY) / (perDay * deletes), history[20]?.[n] ?? ""),
      ),
      ...history.flatMap((ids, age) => ids.map((id, n) => this.#view(id, age, n / ids.length, views))),
    ];
    await this.#over(Promise.all([...people, ...working]));
  }

  async #over(work: Promise<unknown>): Promise<void> {
    let over = false;
    let failure: unknown;
    work.then(
      () => (over = true),
      (error: unknown) => {
        [over, failure] = [true, error];
      },
    );
    await this.#time.until(() => over);
    if (failure) throw failure;
  }

  #store(cause: Cause, store: ObjectStore): ObjectStore {
    const after = async <T>(name: PriceName, ask: () => Promise<T>): Promise<T> => {
      this.#count(cause, name);
      // What was long ago is done at once.
      if (cause !== "before") await this.#time.pause(REQUEST_MS);
      return ask();
    };
    return {
      head: (...args) => after("s3Read", () => store.head(...args)),
      get: (...args) => after("s3Read", () => store.get(...args)),
      put: (...args) => after("s3Write", () => store.put(...args)),
      list: (...args) => after("s3Write", () => store.list(...args)),
      // Free of charge.
      delete: (...args) => store.delete(...args),
    };
  }

  #queue(cause: Cause, logicalId: string): Queue {
    const queue = this.#queues.get(logicalId);
    if (!queue) throw new Error(logicalId);
    const asked = <T>(answer: T, requests = 1): T => {
      this.#count(cause, "sqsRequest", requests);
      return answer;
    };
    return {
      send: (...args) => asked(queue.send(...args)),
      sendMany: (bodies) => asked(queue.sendMany(bodies), Math.ceil(bodies.length / 10)),
      backlog: () => asked(queue.backlog()),
      receive: (...args) => queue.receive(...args),
      delete: (...args) => asked(queue.delete(...args)),
      retryIn: (...args) => asked(queue.retryIn(...args)),
    };
  }

  #deps(cause: Cause) {
    const open = this.#openUploads;
    const list: OpenUploads["list"] = (...args) => {
      this.#count(cause, "s3Write");
      return open.list(...args);
    };
    const uploads = this.#store(cause, this.#uploads);
    const now = this.#time.date;
    return {
      uploads,
      openUploads: { ...open, list },
      media: this.#store(cause, this.#media),
      backfill: this.#queue(cause, "BackfillQueue"),
      events: this.#queue(cause, "EventsQueue"),
      images: this.#queue(cause, "ImagesQueue"),
      config: this.#config,
      mediaUrl: "https://cdn.example",
      means: { memoryBytes: 2 ** 31, seconds: 60, vcpus: 1 },
      pixels: this.#pixels(cause),
      workers: 50,
      now,
      random: this.#random,
      urls: [RECEIVER],
      post: async () => {
        await this.#time.pause(RECEIVER_MS);
        return 200;
      },
      receivers: this.#receivers(cause, uploads),
      log: () => {},
    };
  }

  /** Known to a function's container for some seconds. */
  #receivers(cause: Cause, uploads: ObjectStore): Receivers {
    const known = this.#known.get(cause) ?? new Receivers({ uploads, now: this.#time.date });
    this.#known.set(cause, known);
    return known;
  }

  #pixels(cause: Cause): Pixels {
    return {
      develop: async (_, format, planFor, write) => {
        const plan = await planFor({ ...this.#header, format });
        const { developMs: durationMs } = this.#load;
        if (cause !== "before") await this.#time.pause(durationMs);
        const variants = plan.steps.flatMap(({ encodes }) => encodes);
        await Promise.all(
          variants.map(async (variant) => {
            const { width, height } = variant.shape;
            const size = Math.round(writtenBytes(variant.format, width * height));
            this.#count(cause, "s3Storage", size / 1e9);
            // As many bytes as are counted would be a gigabyte for a few hundred pictures.
            await write({ variant, bytes: Buffer.from(`${size}`) });
          }),
        );
        const placeholder = { thumbhash: "", dataUrl: "", color: "#000000" };
        return { header: this.#header, placeholder, durationMs };
      },
    };
  }

  /** A function's invocation, of as much memory as the template gives it. */
  async #invoke(cause: Cause, fn: FunctionTemplate, run: () => Promise<unknown>): Promise<void> {
    const began = this.#time.now();
    if (cause !== "before") await this.#time.pause(OWN_MS);
    await run();
    this.#count(cause, "lambdaRequest");
    this.#count(cause, "lambdaGbSecond", ((this.#time.now() - began) / 1000) * (fn.memoryMb / 1024));
  }

  #function(name: string): FunctionTemplate {
    const found = this.#template.functions.find((fn) => fn.name === name);
    if (!found) throw new Error(`There is no function ${name}.`);
    return found;
  }

  #causeOf(body: string): Cause {
    return [...this.#deleted].some((id) => body.includes(id)) ? "deletes" : "uploads";
  }

  /** S3 tells the queue, as the bucket's configuration says. */
  #notify({ kind, key, etag, size, sequencer }: StoreChange): void {
    if (!key.startsWith("originals/")) return;
    const eventName = kind === "created" ? "ObjectCreated:Put" : "ObjectRemoved:Delete";
    const object = { key, size, eTag: etag, sequencer };
    const body = JSON.stringify({ Records: [{ eventName, s3: { bucket: { name: "uploads" }, object } }] });
    void this.#queue(this.#causeOf(body), "ImagesQueue").send(body);
  }

  #pollers(end: number): Promise<void>[] {
    return this.#template.functions.flatMap((fn) =>
      fn.sources.flatMap(({ queue, batchSize }) =>
        Array.from({ length: POLLERS }, () => this.#poll(fn, queue, batchSize, end)),
      ),
    );
  }

  async #poll(fn: FunctionTemplate, logicalId: string, max: number, end: number): Promise<void> {
    const queue = this.#queues.get(logicalId);
    while (queue && this.#time.now() < end) {
      const messages = await queue.receive({ max, waitSeconds: 20 });
      const [first] = messages;
      const cause = first ? this.#causeOf(first.body) : "polls";
      this.#count(cause, "sqsRequest");
      if (!first) continue;
      const deps = this.#deps(cause);
      await this.#invoke(cause, fn, async () => {
        for (const { body, receives } of messages)
          if (fn.name === "events") await handleEvent(deps, body, receives);
          else await developMessage(deps, { body, receives, bucket: "uploads" });
      });
      // In one request, whatever the batch.
      this.#count(cause, "sqsRequest");
      for (const { receipt } of messages) await queue.delete(receipt);
    }
  }

  #schedules(end: number): Promise<void>[] {
    const turns = { sweep: () => this.#sweep("rounds"), parked: () => this.#parked() };
    return Object.entries(turns).map(async ([name, turn]) => {
      const [everyMs = DAY] = this.#function(name).schedules;
      for (; this.#time.now() < end; await this.#time.pause(everyMs - (this.#time.now() % everyMs)))
        await turn();
    });
  }

  async #sweep(cause: Cause): Promise<void> {
    const deps = this.#deps(cause);
    const options = { begin: false, patience: PATIENCE, timeLeft: () => true };
    await this.#invoke(cause, this.#function("sweep"), () => sweep(deps, options));
  }

  async #parked(): Promise<void> {
    const deps = this.#deps("turns");
    const until = new Date(this.#time.now() + HOUR);
    const forget = async (paths: readonly string[]) => {
      this.#count("deletes", "cdnForget", paths.length);
      return true;
    };
    await this.#invoke("turns", this.#function("parked"), async () => {
      await forgetNoted({ ...deps, forget }, until);
      await bringBack(deps, deps.receivers, until);
    });
  }

  async #uploadBefore(): Promise<string> {
    const deps = this.#deps("before");
    const id = newId(this.#random);
    const metadata = writeUploadMetadata({ owner: CALLER.owner, preset: this.#config.defaultPreset });
    await deps.uploads.put(originalKey(id), Buffer.from([0xff, 0xd8, 0xff, 0]), { metadata });
    await developMessage(deps, {
      body: JSON.stringify({ darkroom: "develop", id }),
      receives: 1,
      bucket: "uploads",
    });
    this.#queues.get("EventsQueue")?.purge();
    return id;
  }

  /** As a browser does with the library: signed, sent, waited for. */
  async #page(ms: number): Promise<void> {
    const { pause, now } = this.#time;
    await pause(ms);
    const transport: Transport = {
      pause,
      send: async ({ url }) => this.#put(new URL(url).pathname.slice(1)),
    };
    const { fetch: real } = globalThis;
    globalThis.fetch = (input, init) => this.#api("uploads", init?.method ?? "GET", new URL(String(input)));
    try {
      const api = connect("https://api.example", "token", transport);
      const id = await sendFile(api, new Blob(["x"]), { sha256: "known" });
      await waiter(api, { pause, now })(id);
    } finally {
      globalThis.fetch = real;
    }
  }

  async #put(key: string) {
    await this.#time.pause(PUT_MS);
    const metadata = writeUploadMetadata({ owner: CALLER.owner, preset: this.#config.defaultPreset });
    await this.#store("uploads", this.#uploads).put(key, Buffer.from([0xff, 0xd8, 0xff, 1]), { metadata });
    this.#count("uploads", "s3Storage", this.#load.megabytes / 1000);
    return { status: 200, text: "", header: () => null };
  }

  async #api(cause: Cause, method: string, url: URL): Promise<Response> {
    await this.#time.pause(ROUND_TRIP_MS);
    const [, route, id = ""] = url.pathname.split("/");
    this.#count(cause, "apiRequest");
    let answer = Response.json({});
    await this.#invoke(cause, this.#function(route === "uploads" ? "presign" : "images"), async () => {
      if (method === "POST") answer = this.#sign();
      else if (method === "DELETE") await removeImage(this.#deps(cause), CALLER, id);
      else answer = await this.#ask(id);
    });
    return answer;
  }

  /** Computation alone. */
  #sign(): Response {
    const id = newId(this.#random);
    const upload = { id, method: "PUT", url: `https://s3.example/${originalKey(id)}`, headers: {} };
    return Response.json({ uploads: [upload] }, { status: 201 });
  }

  async #ask(id: string): Promise<Response> {
    const deps = this.#deps("uploads");
    // Of the size that the load says: what is stored here is smaller.
    const head: ObjectStore["head"] = async (...args) => {
      const found = await deps.uploads.head(...args);
      return found && { ...found, size: this.#load.megabytes * 1e6 };
    };
    const ask = asker({ ...deps, uploads: { ...deps.uploads, head } }, this.#time.pause);
    const { document, retryAfter } = await ask(CALLER, id, 0);
    if (retryAfter === undefined) return Response.json(document);
    return Response.json(document, { status: 202, headers: { "retry-after": String(retryAfter) } });
  }

  async #delete(ms: number, id: string): Promise<void> {
    await this.#time.pause(ms);
    this.#deleted.add(id);
    await this.#api("deletes", "DELETE", new URL(`https://api.example/images/${id}`));
  }

  /** Half of all who ever look at a picture do on its first day, half of the rest on the next. */
  async #view(id: string, age: number, share: number, views: number): Promise<void> {
    const today = views / 2 ** (age + 1);
    const whole = Math.floor(today + share);
    for (let i = 0; i < whole; i++) {
      await this.#time.pause(DAY / (whole + 1));
      this.#count("views", "cdnRequest");
      // Phones, tablets, desks.
      const key = `${id} ${i % 3}`;
      if ((this.#held.get(key) ?? 0) > this.#time.now()) continue;
      this.#held.set(key, this.#time.now() + DAY);
      this.#count("views", "s3Read");
    }
  }
}
