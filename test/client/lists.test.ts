/** What the frameworks' layers show, without a framework: uploads and images as lists. */
import assert from "node:assert/strict";
import test from "node:test";
import { explain } from "../../client/advice.ts";
import type { Api } from "../../client/api.ts";
import { edit } from "../../client/edit.ts";
import { DarkroomError } from "../../client/errors.ts";
import type { Image } from "../../client/image.ts";
import { imagesOf } from "../../client/images.ts";
import type { ListedImage } from "../../client/list.ts";
import type { Store } from "../../client/store.ts";
import { uploadsOf } from "../../client/uploads.ts";
import { codesOf, errors } from "../../core/errors.ts";

const image = (id: string, uploadedAt?: string): Image => ({
  ...{ id, status: "ready", variants: [], pending: [], processedAt: "", uploadedAt },
});

/** Resolves as soon as the state is as wished. */
const until = <T>({ state, subscribe }: Store<T>, wished: (now: T) => boolean) =>
  new Promise<T>((resolve) => {
    const end = subscribe(look);
    function look() {
      if (!wished(state())) return;
      end();
      resolve(state());
    }
    look();
  });

/** A client whose answers a test gives, one by one. */
function client() {
  const uploads: { resolve: (id: string) => void; reject: (error: Error) => void; signal: AbortSignal }[] =
    [];
  const removed: string[] = [];
  const ready = new Map<string, PromiseWithResolvers<Image>>();
  const readyOf = (id: string) => {
    const one = ready.get(id) ?? Promise.withResolvers<Image>();
    one.promise.catch(() => {});
    ready.set(id, one);
    return one;
  };
  return {
    uploads,
    removed,
    readyOf,
    upload: (_file: Blob, { signal }: { signal?: AbortSignal | undefined } = {}) =>
      new Promise<{ id: string; ready: Promise<Image> }>((resolve, reject) => {
        const done = (id: string) => resolve({ id, ready: readyOf(id).promise });
        uploads.push({ resolve: done, reject, signal: signal ?? new AbortController().signal });
      }),
    waitUntilReady: (id: string) => readyOf(id).promise,
    remove: async (id: string) => void removed.push(id),
    list: async ({ cursor = "" }: { cursor?: string | undefined } = {}) =>
      cursor === ""
        ? {
            images: [image("c", "2026-03-01"), { id: "b", status: "processing" } as ListedImage],
            cursor: "2",
          }
        : { images: [image("a", "2026-01-01")] },
  };
}

test("what is dropped or pasted on the page comes too, while it is shown; text, and what others took, does not", (t) => {
  const page = new EventTarget();
  Object.assign(globalThis, { document: page });
  t.after(() => Object.assign(globalThis, { document: undefined }));
  const happens = (type: string, types: string[], taken = false) => {
    const data = { types, files: [new File(["x"], "x.jpg")] };
    const event = Object.assign(new Event(type, { cancelable: true }), { dataTransfer: data });
    if (taken) event.preventDefault();
    page.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const uploads = uploadsOf(client(), { resume: "photos", everywhere: "avatar" });
  assert.equal(happens("drop", ["Files"]), false);
  const close = uploads.open();
  assert.equal(happens("dragover", ["Files"]), true);
  assert.equal(happens("paste", ["text/plain"]), false);
  happens("drop", ["Files"], true);
  assert.equal(uploads.state().length, 0);
  assert.equal(happens("drop", ["Files"]), true);
  assert.equal(happens("paste", ["Files"]), true);
  assert.equal(uploads.state().length, 2);
  close();
  assert.equal(happens("drop", ["Files"]), false);
  assert.equal(uploads.state().length, 2);
});

test("an upload goes through its states, and ends with whoever showed it", async () => {
  const darkroom = client();
  const uploads = uploadsOf(darkroom);
  const close = uploads.open();
  const input = { files: [new File(["x"], "x.jpg")], value: "C:\\fakepath\\x.jpg" };
  uploads.choose({ target: input });
  // Empty again: choosing the same file is a change.
  assert.equal(input.value, "");
  const before = uploads.state();
  assert.deepEqual([before.length, before[0]?.status, before[0]?.total], [1, "sending", 1]);
  darkroom.uploads[0]?.resolve("i");
  await until(uploads, ([one]) => one?.status === "developing");
  darkroom.readyOf("i").resolve(image("i"));
  const [one] = await until(uploads, ([one]) => one?.status === "ready");
  assert.equal(one?.image?.id, "i");
  uploads.upload([new Blob(["y"])]);
  close();
  assert.equal(darkroom.uploads[1]?.signal.aborted, true);
});

test("offline it says so at once, and what broke goes on when the network is back", async () => {
  const darkroom = client();
  const uploads = uploadsOf(darkroom);
  // What a page has and Node has not.
  const window = new EventTarget();
  globalThis.addEventListener = window.addEventListener.bind(window);
  globalThis.removeEventListener = window.removeEventListener.bind(window);
  const network = Object.assign(new EventTarget(), { onLine: true });
  Object.defineProperty(globalThis, "navigator", { value: network, configurable: true });
  const close = uploads.open();
  const say = (onLine: boolean) => {
    network.onLine = onLine;
    window.dispatchEvent(new Event(onLine ? "online" : "offline"));
  };
  uploads.upload([new Blob(["x"])]);
  say(false);
  uploads.upload([new Blob(["y"])]);
  assert.deepEqual(
    uploads.state().map(({ status }) => status),
    ["offline", "offline"],
  );
  darkroom.uploads[0]?.reject(new DarkroomError("offline", undefined, { retryable: true }));
  await until(uploads, ([one]) => one?.status === "failed");
  say(true);
  await until(uploads, ([one]) => one?.status === "sending");
  // A network that comes and goes begins nothing a second time.
  say(false);
  say(true);
  assert.deepEqual([darkroom.uploads.length, uploads.state()[0]?.error], [3, undefined]);
  darkroom.uploads[2]?.resolve("i");
  await until(uploads, ([one]) => one?.status === "developing");
  close();
  assert.deepEqual([darkroom.uploads[1]?.signal.aborted, uploads.state()], [true, []]);
});

test("removing deletes the image, cancelling does not; a delete that fails leaves it", async () => {
  const darkroom = client();
  const uploads = uploadsOf(darkroom);
  uploads.upload([new Blob(["x"]), new Blob(["y"])]);
  for (const [i, id] of ["i", "j"].entries()) darkroom.uploads[i]?.resolve(id);
  await until(uploads, (all) => all.every(({ status }) => status === "developing"));
  uploads.cancel(0);
  await uploads.remove(1);
  assert.deepEqual([darkroom.removed, uploads.state()], [["j"], []]);
});

test("a list has its pages, follows what is developed, and hears of this page's uploads and deletes", async () => {
  const darkroom = client();
  const images = imagesOf(darkroom);
  const uploads = uploadsOf(darkroom);
  const close = images.open();
  const shown = () => images.state().images.map(({ id, status }) => `${id} ${status}`);
  await until(images, ({ loading, images }) => !loading && images.length === 2);
  await images.more();
  assert.deepEqual(shown(), ["b processing", "c ready", "a ready"]);
  assert.equal(images.state().hasMore, false);
  darkroom.readyOf("b").resolve(image("b", "2026-02-01"));
  await until(images, ({ images }) => images.some(({ id, status }) => id === "b" && status === "ready"));
  uploads.upload([new Blob(["x"])]);
  darkroom.uploads[0]?.resolve("n");
  await until(images, ({ images }) => images.length === 4);
  assert.equal(shown()[0], "n processing");
  darkroom.readyOf("n").reject(new DarkroomError("corrupt", "The image is damaged."));
  await until(images, ({ images }) => images.some(({ id, status }) => id === "n" && status === "failed"));
  await uploads.remove(0);
  assert.equal(images.state().images.length, 3);
  await images.remove("c");
  assert.deepEqual(darkroom.removed, ["n", "c"]);
  close();
});

test("a list that is closed and opened again has what came meanwhile, and waits for each image once", async () => {
  const darkroom = client();
  const pages: ((page: { images: ListedImage[] }) => void)[] = [];
  const waits: AbortSignal[] = [];
  const images = imagesOf({
    ...darkroom,
    list: () => new Promise((resolve) => pages.push(resolve)),
    waitUntilReady: (_, { signal } = {}) => {
      if (signal) waits.push(signal);
      return new Promise((__, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  images.open()();
  pages[0]?.({ images: [{ id: "b", status: "processing" } as ListedImage] });
  await until(images, ({ loading }) => !loading);
  assert.deepEqual([images.state().images.length, waits.length], [1, 0]);
  for (let times = 0; times < 3; times++) {
    const close = images.open();
    // Those that were ended tell it only now.
    await Promise.resolve();
    assert.deepEqual([waits.length, waits.at(-1)?.aborted], [times + 1, false]);
    close();
    assert.equal(waits.at(-1)?.aborted, true);
  }
  // What was asked for before is none of a list that begins anew.
  const close = images.open();
  const old = images.reload();
  const anew = images.reload();
  pages[1]?.({ images: [image("old", "2026-01-01")] });
  pages[2]?.({ images: [image("new", "2026-01-02")] });
  await Promise.all([old, anew]);
  assert.deepEqual(
    images.state().images.map(({ id }) => id),
    ["new"],
  );
  close();
});

test("a page that cannot be had is said, and can be asked for again", async () => {
  const darkroom = client();
  let failing = true;
  const list = async () => {
    if (failing) throw new DarkroomError("unreachable", undefined, { retryable: true });
    return { images: [image("a", "2026-01-01")] };
  };
  const images = imagesOf({ ...darkroom, list });
  const close = images.open();
  const { error } = await until(images, ({ error }) => error !== undefined);
  assert.match(error?.message ?? "", /cannot be reached/);
  failing = false;
  await images.more();
  assert.deepEqual([images.state().error, images.state().images.length], [undefined, 1]);
  close();
});

test("what is edited on the page is shown by its lists", async () => {
  const edited: Image = { ...image("c", "2026-03-01"), edit: { rev: 2 } };
  const { promise: later, resolve: show } = Promise.withResolvers<Image>();
  const api = { call: async () => ({ json: { rev: 2 } }) } as unknown as Api;
  const darkroom = { ...client(), api, waitUntilReady: async () => later };
  const images = imagesOf(darkroom);
  const close = images.open();
  await until(images, ({ loading }) => !loading);
  show(edited);
  await edit(darkroom, "c", { turn: 90 });
  assert.equal(
    images.state().images.find(({ id }) => id === "c"),
    edited,
  );
  close();
});

test("everything that the API says of a file has a sentence, and what to do", () => {
  const aboutFiles = ["type-not-accepted", "file-too-large", "file-empty", ...codesOf("rejected")] as const;
  for (const code of aboutFiles) {
    const limits = { formats: ["JPEG", "PNG"], maxBytes: 2_500_000 };
    const { what, todo, final } = explain(
      { code, message: `${errors[code].sentence} For programs.` },
      limits,
    );
    assert.equal(what, errors[code].sentence, code);
    assert.match(todo ?? "", /^[A-Z].*\.$/, code);
    assert.ok(final, code);
  }
  assert.match(explain(new DarkroomError("too-large")).todo ?? "", /^Save it smaller/);
  assert.deepEqual(explain(new DarkroomError("busy")), {
    ...{ what: "The server is busy. Try again in a moment.", todo: undefined, final: false },
  });
});
