/** Files on their way, as a list to be shown: of no framework, and what each one's `useUpload` is made of. */
import type { Darkroom } from "./create.ts";
import { DarkroomError, hasCode } from "./errors.ts";
import type { Image } from "./image.ts";
import { type Opened, store, tell } from "./store.ts";
import type { UploadOptions } from "./upload.ts";

/** One file on its way. */
export interface FileUpload {
  /** Of this list: for `cancel`, `remove` and `retry`, and for a framework's `key`. */
  readonly key: number;
  readonly file: Blob;
  /**
   * `offline`: it goes on by itself as soon as there is a network again. `held`: it has arrived, and is shown once somebody has
   * looked at it.
   */
  readonly status: "sending" | "developing" | "offline" | "ready" | "held" | "failed";
  /** Bytes. */
  readonly sent: number;
  readonly total: number;
  /** From `developing` on. */
  readonly id?: string;
  readonly image?: Image;
  /** Why it failed: a `DarkroomError`, whose message is for people; `explain` says more. */
  readonly error?: Error | undefined;
}

export type FileOptions = Pick<UploadOptions, "preset" | "focus" | "ref">;

export interface UploadsOptions {
  /**
   * A name, such as `photos-of-42`, under which files are kept in the browser until S3 has them: they go on after a
   * reload, on the next page that asks by this name. They also go on when whoever shows them is gone. Without it they end
   * with that.
   */
  readonly resume?: string | undefined;
  /** As long as it is shown, takes what is dropped or pasted anywhere on the page as well; of which preset, where it is a name. */
  readonly everywhere?: boolean | string | undefined;
}

export interface Uploads extends Opened<readonly FileUpload[]> {
  /** Sends these files too. */
  readonly upload: (files: Iterable<Blob>, options?: FileOptions) => void;
  /** For `change` of an `<input type="file">`, which it empties: the same file can be chosen again. */
  readonly choose: (event: { readonly target: unknown }, options?: FileOptions) => void;
  /** Stops this one and takes it out of the list; what S3 has already stays. */
  readonly cancel: (key: number) => void;
  /** Takes it out of the list and deletes its image. @throws DarkroomError; it then stays */
  readonly remove: (key: number) => Promise<void>;
  /** Begins one that failed anew; one that S3 has, and that was only not heard of again, is waited for. */
  readonly retry: (key: number) => void;
}

interface Running {
  readonly controller: AbortController;
  readonly run: () => void;
  /** Nothing of it is kept for another page any more. */
  readonly forget: () => void;
}

type Client = Pick<Darkroom, "upload" | "waitUntilReady" | "remove">;

/** Lists that outlive whoever shows them, by client and name. */
const named = new WeakMap<object, Map<string, Uploads>>();

export function uploadsOf(darkroom: Client, { resume, everywhere }: UploadsOptions = {}): Uploads {
  if (resume === undefined) return new List(darkroom, undefined, everywhere);
  const lists = named.get(darkroom) ?? new Map<string, Uploads>();
  named.set(darkroom, lists);
  const one = lists.get(resume) ?? new List(darkroom, resume, everywhere);
  lists.set(resume, one);
  return one;
}

const isOffline = () => (globalThis.navigator as { onLine?: boolean } | undefined)?.onLine === false;

/** A class for its length alone; its methods are taken out of it, and so are bound. */
class List implements Uploads {
  readonly #darkroom: Client;
  readonly #resume: string | undefined;
  readonly #everywhere: UploadsOptions["everywhere"];
  #deaf = () => {};
  /** As they are but for the network. */
  #rows: readonly FileUpload[] = [];
  readonly #shown = store(this.#rows);
  readonly #running = new Map<number, Running>();
  #nextKey = 0;
  #watchers = 0;
  #asked = false;

  constructor(darkroom: Client, resume: string | undefined, everywhere: UploadsOptions["everywhere"]) {
    this.#darkroom = darkroom;
    this.#resume = resume;
    this.#everywhere = everywhere;
  }

  readonly state = this.#shown.state;
  readonly subscribe = this.#shown.subscribe;

  readonly upload: Uploads["upload"] = (files, options = {}) => {
    for (const file of files) this.#add(file, options);
  };

  readonly choose: Uploads["choose"] = ({ target }, options) => {
    const input = target as { files: Iterable<File> | null; value: string };
    this.upload([...(input.files ?? [])], options);
    input.value = "";
  };

  readonly cancel: Uploads["cancel"] = (key) => {
    const { controller, forget } = this.#running.get(key) ?? {};
    controller?.abort();
    forget?.();
    this.#running.delete(key);
    this.#show(this.#rows.filter((one) => one.key !== key));
  };

  readonly remove: Uploads["remove"] = async (key) => {
    const { id } = this.#rows.find((one) => one.key === key) ?? {};
    if (id !== undefined) {
      await this.#darkroom.remove(id);
      tell(this.#darkroom, { id, is: "removed" });
    }
    this.cancel(key);
  };

  readonly retry: Uploads["retry"] = (key) => {
    // One that is under way is begun no second time, which nobody could stop any more.
    const { status } = this.#rows.find((one) => one.key === key) ?? {};
    if (status === "failed" || status === "held") this.#running.get(key)?.run();
  };

  readonly open: Uploads["open"] = () => {
    if (this.#watchers++ === 0) {
      globalThis.addEventListener?.("online", this.#online);
      globalThis.addEventListener?.("offline", this.#offline);
      const preset = this.#everywhere;
      if (preset) this.#deaf = incoming((files) => this.upload(files, preset === true ? {} : { preset }));
      // Where the browser keeps nothing there is nothing to go on with.
      if (this.#resume !== undefined) this.#goOn(this.#resume).catch(() => {});
    }
    return () => {
      if (--this.#watchers > 0) return;
      this.#deaf();
      if (this.#resume !== undefined) return;
      globalThis.removeEventListener?.("online", this.#online);
      globalThis.removeEventListener?.("offline", this.#offline);
      for (const { controller } of this.#running.values()) controller.abort();
      this.#running.clear();
      this.#show([]);
    };
  };

  readonly #offline = () => this.#show(this.#rows);
  readonly #online = () => {
    this.#show(this.#rows);
    for (const { key, error } of this.#rows) if (hasCode(error, "offline", "unreachable")) this.retry(key);
  };

  #show(rows: readonly FileUpload[]): void {
    this.#rows = rows;
    const held = (one: FileUpload): FileUpload => (isUnderWay(one) ? { ...one, status: "offline" } : one);
    this.#shown.set(isOffline() ? rows.map(held) : rows);
  }

  #change(key: number, set: Partial<FileUpload>): void {
    this.#show(this.#rows.map((one) => (one.key === key ? { ...one, ...set } : one)));
  }

  #add(file: Blob, options: FileOptions, kept?: UploadOptions): void {
    const key = this.#nextKey++;
    this.#show([...this.#rows, { key, file, status: "sending", sent: 0, total: file.size }]);
    this.#start(key, file, options, kept);
  }

  /** What an earlier page left, once. */
  async #goOn(name: string): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    const { takeOver } = await import("./resume-store.ts");
    await takeOver(name, ({ file, options }) => this.#add(file, {}, options));
  }

  /**
   * @param kept what `resumable` or `takeOver` gave for it
   * @param there its image's id, where S3 has it
   */
  #start(key: number, file: Blob, options: FileOptions, kept?: UploadOptions, there?: string): void {
    const controller = new AbortController();
    const { signal } = controller;
    let keep = kept;
    const remember = (id?: string) =>
      this.#running.set(key, {
        controller,
        run: () => this.#start(key, file, options, keep, id),
        forget: () => void keep?.onState?.(undefined),
      });
    remember(there);
    const set = (what: Partial<FileUpload>) => {
      if (!signal.aborted) this.#change(key, what);
    };
    set({ status: "sending", sent: 0, error: undefined });
    const send = async () => {
      if (this.#resume !== undefined) keep ??= await keepFile(file, options, this.#resume);
      // Cancelled while it was being copied: there was nothing to forget yet.
      if (signal.aborted) keep?.onState?.(undefined);
      signal.throwIfAborted();
      return this.#darkroom.upload(file, { ...options, ...keep, signal, onProgress: set });
    };
    const all = async () => {
      const { id, ready } = there
        ? { id: there, ready: this.#darkroom.waitUntilReady(there, { signal }) }
        : await send();
      remember(id);
      set({ status: "developing", id });
      if (!there) tell(this.#darkroom, { id, is: "uploaded" });
      set({ status: "ready", image: await ready });
    };
    all().catch((error: Error) => {
      if (signal.aborted) return;
      if (!(error instanceof DarkroomError && error.retryable)) remember();
      set(hasCode(error, "held") ? { status: "held" } : { status: "failed", error });
    });
  }
}

/** Told of files that are dropped or pasted, and that nobody on the page has taken. @returns ends the telling */
function incoming(told: (files: File[]) => void): () => void {
  const { document } = globalThis as { document?: Document };
  const controller = new AbortController();
  const hear = (event: Event) => {
    const { type, defaultPrevented } = event;
    const { dataTransfer, clipboardData } = event as Event & Partial<DragEvent & ClipboardEvent>;
    const data = dataTransfer ?? clipboardData;
    // Text goes where it was going.
    if (defaultPrevented || !data?.types.includes("Files")) return;
    event.preventDefault();
    if (type !== "dragover") told([...data.files]);
  };
  for (const type of ["dragover", "drop", "paste"]) document?.addEventListener(type, hear, controller);
  return () => controller.abort();
}

const isUnderWay = ({ status }: FileUpload) => status === "sending" || status === "developing";

async function keepFile(file: Blob, options: FileOptions, resume: string): Promise<UploadOptions> {
  const { resumable } = await import("./resume-store.ts");
  return resumable(file, { ...options, list: resume });
}
