import type { Image } from "./image.ts";

/** What frameworks show: a state, who is told of each other one. Each framework's own module is a thin layer over it. */
export interface Store<T> {
  /** The same object until something has changed. */
  readonly state: () => T;
  /** @returns ends the telling */
  readonly subscribe: (told: () => void) => () => void;
}

/** A store that is open as long as somebody shows it. */
export interface Opened<T> extends Store<T> {
  /** Whoever shows it is there. @returns for when he is gone */
  readonly open: () => () => void;
}

/** What may be done with it, for a framework's layer, which shows its state in its own way. */
export type Actions<T> = Omit<T, keyof Opened<never>>;

export function store<T>(first: T): Store<T> & { readonly set: (next: T) => void } {
  let now = first;
  const listeners = new Set<() => void>();
  return {
    state: () => now,
    set(next) {
      now = next;
      for (const told of [...listeners]) told();
    },
    subscribe(told) {
      listeners.add(told);
      return () => listeners.delete(told);
    },
  };
}

/** Images that S3 has, that show something else and that are gone, for lists of the same client on the same page. */
export type News =
  | { readonly id: string; readonly is: "uploaded" | "removed" }
  | { readonly id: string; readonly is: "edited"; readonly image: Image };
const hearers = new WeakMap<object, Set<(news: News) => void>>();

export function tell(darkroom: object, news: News): void {
  for (const hear of hearers.get(darkroom) ?? []) hear(news);
}

export function hear(darkroom: object, told: (news: News) => void): () => void {
  const all = hearers.get(darkroom) ?? new Set();
  hearers.set(darkroom, all.add(told));
  return () => all.delete(told);
}
