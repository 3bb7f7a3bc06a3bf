/** The caller's images, as a list to be shown: of no framework, and what each one's `useImages` is made of. */
import type { Darkroom } from "./create.ts";
import { hasCode } from "./errors.ts";
import type { ListedImage } from "./list.ts";
import { hear, type Opened, store, tell } from "./store.ts";

export interface ImagesState {
  /** Newest first. Those that are being developed become ready, and what is uploaded or edited on this page appears. */
  readonly images: readonly ListedImage[];
  /** Whether there are older ones: `more()` fetches them. */
  readonly hasMore: boolean;
  readonly loading: boolean;
  /** Why the last page could not be had: a `DarkroomError`, whose message is for people; `more()` tries again. */
  readonly error?: Error | undefined;
}

export interface ImagesOptions {
  /** Images to a page, 1 to 100; 24 by default. */
  readonly pageSize?: number | undefined;
}

export interface Images extends Opened<ImagesState> {
  /** The next page, also after an error. */
  readonly more: () => Promise<void>;
  /** All anew, from the newest. */
  readonly reload: () => Promise<void>;
  /** Deletes an image. @throws DarkroomError; it then stays */
  readonly remove: (id: string) => Promise<void>;
}

type Client = Pick<Darkroom, "list" | "waitUntilReady" | "remove">;

export function imagesOf(darkroom: Client, { pageSize: limit = 24 }: ImagesOptions = {}): Images {
  const shown = store<ImagesState>({ images: [], hasMore: true, loading: false });
  const set = (what: Partial<ImagesState>) => shown.set({ ...shown.state(), ...what });
  let cursor: string | undefined;
  let open = false;
  /** Of `reload`: a page that was asked for before it is none of this list any more. */
  let round = 0;

  const change = (id: string, now: ListedImage | undefined) =>
    set({ images: shown.state().images.flatMap((one) => (one.id === id ? (now ?? []) : one)) });
  const ends = endsOf(darkroom, change);
  const forget = (id: string) => {
    ends.drop(id);
    change(id, undefined);
  };
  const followAll = () => {
    if (open) for (const image of shown.state().images) ends.follow(image);
  };
  const take = (images: readonly ListedImage[]) => {
    set({ images: newestFirst([...shown.state().images, ...images]) });
    followAll();
  };

  const more = async () => {
    const { loading, hasMore } = shown.state();
    if (loading || !hasMore) return;
    set({ loading: true, error: undefined });
    const mine = round;
    try {
      const page = await darkroom.list({ limit, cursor });
      if (mine !== round) return;
      cursor = page.cursor;
      set({ loading: false, hasMore: cursor !== undefined });
      take(page.images);
    } catch (error) {
      if (mine === round) set({ loading: false, error: error as Error });
    }
  };
  return {
    state: shown.state,
    subscribe: shown.subscribe,
    more,
    async reload() {
      ends.stop();
      round++;
      cursor = undefined;
      set({ images: [], hasMore: true, loading: false });
      await more();
    },
    async remove(id) {
      await darkroom.remove(id);
      tell(darkroom, { id, is: "removed" });
      forget(id);
    },
    open() {
      open = true;
      const deaf = hear(darkroom, (news) => {
        if (news.is === "removed") forget(news.id);
        else if (news.is === "edited") change(news.id, news.image);
        else take([{ id: news.id, status: "processing" }]);
      });
      if (shown.state().images.length === 0) void more();
      followAll();
      return () => {
        open = false;
        deaf();
        ends.stop();
      };
    },
  };
}

/** Waits for the ends of images in development. @param change told of each */
function endsOf(darkroom: Client, change: (id: string, now: ListedImage | undefined) => void) {
  const waiting = new Map<string, AbortController>();
  const failed = ({ id, uploadedAt }: ListedImage, error: Error & { code?: string }) => {
    const { code = "", message } = error;
    if (hasCode(error, "held")) change(id, { id, uploadedAt, status: "held" });
    else if (hasCode(error, "gone", "not-found")) change(id, undefined);
    else change(id, { id, uploadedAt, status: "failed", error: { code, message } });
  };
  return {
    follow(image: ListedImage) {
      const { id, status } = image;
      if (status !== "processing" || waiting.has(id)) return;
      const controller = new AbortController();
      const { signal } = controller;
      waiting.set(id, controller);
      darkroom
        .waitUntilReady(id, { signal })
        .then(
          (now) => change(id, now),
          (error: Error) => signal.aborted || failed(image, error),
        )
        // Whoever waits for it by now may be another one.
        .finally(() => waiting.get(id) === controller && waiting.delete(id));
    },
    drop(id: string) {
      waiting.get(id)?.abort();
      waiting.delete(id);
    },
    stop() {
      for (const controller of waiting.values()) controller.abort();
      waiting.clear();
    },
  };
}

/** Of two that are the same, the later. Those that the API does not know of yet are the newest. */
const newestFirst = (images: readonly ListedImage[]) =>
  [...new Map(images.map((image) => [image.id, image])).values()].sort((a, b) => timeOf(b) - timeOf(a));
const timeOf = ({ uploadedAt }: ListedImage) =>
  uploadedAt ? Date.parse(uploadedAt) : Number.POSITIVE_INFINITY;
