/** The caller's images, as a list to be shown: of no framework, and what each one's `useImages` is made of. */
import type { Darkroom } from "./create.ts";
import { hasCode } from "./errors.ts";
import type { ListedImage } from "./list.ts";
import { hear, type Store, store, tell } from "./store.ts";

export interface ImagesState {
  /** Newest first. Those that are being developed become ready, and what is uploaded on this page appears. */
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

export interface Images extends Store<ImagesState> {
  /** The next page, also after an error. */
  readonly more: () => Promise<void>;
  /** All anew, from the newest. */
  readonly reload: () => Promise<void>;
  /** Deletes an image. @throws DarkroomError; it then stays */
  readonly remove: (id: string) => Promise<void>;
  /** Whoever shows it is there. @returns for when he is gone */
  readonly open: () => () => void;
}

type Client = Pick<Darkroom, "list" | "waitUntilReady" | "remove">;

export function imagesOf(darkroom: Client, { pageSize: limit = 24 }: ImagesOptions = {}): Images {
  const shown = store<ImagesState>({ images: [], hasMore: true, loading: false });
  const set = (what: Partial<ImagesState>) => shown.set({ ...shown.state(), ...what });
  /** Those whose end is waited for. */
  const waiting = new Map<string, AbortController>();
  let cursor: string | undefined;
  let open = false;

  const change = (id: string, now: ListedImage | undefined) =>
    set({ images: shown.state().images.flatMap((one) => (one.id === id ? (now ?? []) : one)) });
  const forget = (id: string) => {
    waiting.get(id)?.abort();
    waiting.delete(id);
    change(id, undefined);
  };
  const follow = ({ id, status }: ListedImage) => {
    if (status !== "processing" || waiting.has(id)) return;
    const controller = new AbortController();
    waiting.set(id, controller);
    darkroom
      .waitUntilReady(id, { signal: controller.signal })
      .then(
        (image) => change(id, image),
        (error: Error & { code?: string }) => {
          if (controller.signal.aborted) return;
          const { code = "", message } = error;
          if (hasCode(error, "held")) change(id, { id, status: "held" });
          else if (hasCode(error, "gone", "not-found")) change(id, undefined);
          else change(id, { id, status: "failed", error: { code, message } });
        },
      )
      .finally(() => waiting.delete(id));
  };
  const take = (images: readonly ListedImage[]) => {
    set({ images: newestFirst([...shown.state().images, ...images]) });
    for (const image of shown.state().images) follow(image);
  };

  const more = async () => {
    const { loading, hasMore } = shown.state();
    if (loading || !hasMore) return;
    set({ loading: true, error: undefined });
    try {
      const page = await darkroom.list({ limit, cursor });
      cursor = page.cursor;
      set({ loading: false, hasMore: cursor !== undefined });
      if (open) take(page.images);
    } catch (error) {
      set({ loading: false, error: error as Error });
    }
  };
  const stop = () => {
    for (const controller of waiting.values()) controller.abort();
    waiting.clear();
  };
  return {
    state: shown.state,
    subscribe: shown.subscribe,
    more,
    async reload() {
      stop();
      cursor = undefined;
      set({ images: [], hasMore: true });
      await more();
    },
    async remove(id) {
      await darkroom.remove(id);
      tell(darkroom, { id, is: "removed" });
      forget(id);
    },
    open() {
      open = true;
      const end = hear(darkroom, ({ id, is }) =>
        is === "removed" ? forget(id) : take([{ id, status: "processing" }]),
      );
      if (shown.state().images.length === 0) void more();
      for (const image of shown.state().images) follow(image);
      return () => {
        open = false;
        end();
        stop();
      };
    },
  };
}

/** Of two that are the same, the later. Those that the API does not know of yet are the newest. */
const newestFirst = (images: readonly ListedImage[]) =>
  [...new Map(images.map((image) => [image.id, image])).values()].sort((a, b) => timeOf(b) - timeOf(a));
const timeOf = ({ uploadedAt }: ListedImage) =>
  uploadedAt ? Date.parse(uploadedAt) : Number.POSITIVE_INFINITY;
