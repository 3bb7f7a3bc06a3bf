/** `<Picture>` and `useUpload` for React 18 and later. */
import {
  type CSSProperties,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useEffect,
  useReducer,
  useRef,
} from "react";
import { type Credit, creditOf } from "./credit.ts";
import type { Darkroom } from "./darkroom.ts";
import { DarkroomError } from "./errors.ts";
import type { Image } from "./image.ts";
import { type PictureOptions, pictureData } from "./picture.ts";
import type { UploadOptions } from "./upload.ts";

export interface PictureProps extends Omit<PictureOptions, "class"> {
  readonly image: Image;
  readonly className?: string | undefined;
  readonly style?: CSSProperties | undefined;
  /**
   * Below it, in a `<figure>`, whose it is and whether AI had a part in it, where the document says so: in English, or as this
   * function words it.
   */
  readonly credit?: boolean | ((credit: Credit) => ReactNode) | undefined;
}

const AI = { made: "Made with AI", edited: "Edited with AI" } as const;
const worded = ({ text, ai }: Credit) => [text, ai && AI[ai]].filter(Boolean).join(" · ");

/** The `<picture>` of an image that is ready. */
export function Picture({ credit = false, ...props }: PictureProps): ReactElement {
  const said = credit === false ? undefined : creditOf(props.image);
  const picture = pictureOf(props);
  if (!said) return picture;
  const words = credit === true || credit === false ? worded(said) : credit(said);
  return createElement("figure", null, picture, createElement("figcaption", null, words));
}

function pictureOf({ image, className, style, ...options }: Omit<PictureProps, "credit">): ReactElement {
  const { sources, img } = pictureData(image, options);
  const { srcset, background, ...attributes } = img;
  return createElement(
    "picture",
    null,
    ...sources.map(({ srcset, ...attributes }) =>
      createElement("source", { key: attributes.type, ...attributes, srcSet: srcset }),
    ),
    createElement("img", {
      // Before the others: `src` must be the last that is set.
      srcSet: srcset,
      ...attributes,
      className,
      style: background === undefined ? style : { background, ...style },
    }),
  );
}

/** One file on its way. */
export interface FileUpload {
  /** Of this hook, for `cancel`, `retry` and React's `key`. */
  readonly key: number;
  readonly file: Blob;
  /** `held`: it has arrived, and is shown once somebody has looked at it. */
  readonly status: "sending" | "developing" | "ready" | "held" | "failed";
  /** Bytes. */
  readonly sent: number;
  readonly total: number;
  /** From `developing` on. */
  readonly id?: string;
  readonly image?: Image;
  /** Why it failed: a `DarkroomError`, whose message is for people. */
  readonly error?: Error;
}

export interface Uploads {
  readonly uploads: readonly FileUpload[];
  /** Sends these files too. */
  readonly upload: (files: Iterable<Blob>, options?: Pick<UploadOptions, "preset" | "focus" | "ref">) => void;
  /** Stops this one and takes it out of the list. */
  readonly cancel: (key: number) => void;
  /** Begins one that failed anew; one that S3 has, and that was only not heard of again, is waited for. */
  readonly retry: (key: number) => void;
}

type Change =
  | { readonly key: number; readonly set: Partial<FileUpload> & Pick<FileUpload, "file"> }
  | { readonly key: number; readonly set: Partial<FileUpload> | undefined };

function reduce(uploads: readonly FileUpload[], { key, set }: Change): readonly FileUpload[] {
  if (!set) return uploads.filter((one) => one.key !== key);
  if (uploads.some((one) => one.key === key)) {
    return uploads.map((one) => (one.key === key ? { ...one, ...set } : one));
  }
  const { file } = set;
  return file ? [...uploads, { key, file, status: "sending", sent: 0, total: file.size }] : uploads;
}

/** Uploads and how they are doing, in the order they were begun. They end with the component. */
export function useUpload(darkroom: Pick<Darkroom, "upload" | "waitUntilReady">): Uploads {
  const [uploads, change] = useReducer(reduce, []);
  const running = useRef(
    new Map<number, { readonly controller: AbortController; readonly run: () => void }>(),
  );
  const nextKey = useRef(0);

  useEffect(() => {
    const all = running.current;
    return () => {
      for (const { controller } of all.values()) controller.abort();
      all.clear();
    };
  }, []);

  const start = useCallback(
    (key: number, file: Blob, options: Pick<UploadOptions, "preset" | "focus" | "ref">, there?: string) => {
      const controller = new AbortController();
      const { signal } = controller;
      const remember = (id?: string) =>
        running.current.set(key, { controller, run: () => start(key, file, options, id) });
      remember(there);
      const tell = (set: Partial<FileUpload>) => {
        if (!signal.aborted) change({ key, set });
      };
      change({ key, set: { file, status: "sending", sent: 0 } });
      const all = async () => {
        const { id, ready } = there
          ? { id: there, ready: darkroom.waitUntilReady(there, { signal }) }
          : await darkroom.upload(file, { ...options, signal, onProgress: tell });
        remember(id);
        tell({ status: "developing", id });
        tell({ status: "ready", image: await ready });
      };
      all().catch((error: Error) => {
        if (signal.aborted) return;
        if (!(error instanceof DarkroomError && error.retryable)) remember();
        if (error instanceof DarkroomError && error.code === "held") tell({ status: "held" });
        else tell({ status: "failed", error });
      });
    },
    [darkroom],
  );

  const upload = useCallback<Uploads["upload"]>(
    (files, options = {}) => {
      for (const file of files) start(nextKey.current++, file, options);
    },
    [start],
  );
  const cancel = useCallback((key: number) => {
    running.current.get(key)?.controller.abort();
    running.current.delete(key);
    change({ key, set: undefined });
  }, []);
  const retry = useCallback((key: number) => running.current.get(key)?.run(), []);
  return { uploads, upload, cancel, retry };
}
