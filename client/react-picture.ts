/** `<Picture>` for React 18 and later: without state, so a server component as well (`darkroom/react/picture`). */
import { type ComponentPropsWithoutRef, createElement, forwardRef, type ReactNode } from "react";
import { type Credit, creditOf } from "./credit.ts";
import type { Image } from "./image.ts";
import { type PictureOptions, pictureData } from "./picture.ts";

type Chosen = "src" | "srcSet" | "width" | "height" | keyof PictureOptions;

/** All that an `<img>` takes goes to it, `ref` too: `className`, `style`, `onLoad`, `fetchPriority`. */
export interface PictureProps
  extends Omit<PictureOptions, "class">,
    Omit<ComponentPropsWithoutRef<"img">, Chosen> {
  readonly image: Image;
  /** Of the `<picture>` around it. */
  readonly pictureProps?: ComponentPropsWithoutRef<"picture"> | undefined;
  /**
   * Below it, in a `<figure>`, whose it is and whether AI had a part in it, where the document says so: in English, or as this
   * function words it.
   */
  readonly credit?: boolean | ((credit: Credit) => ReactNode) | undefined;
}

const AI = { made: "Made with AI", edited: "Edited with AI" } as const;
const worded = ({ text, ai }: Credit) => [text, ai && AI[ai]].filter(Boolean).join(" · ");

/** The `<picture>` of an image that is ready. */
export const Picture = forwardRef<HTMLImageElement, PictureProps>(function Picture(props, ref) {
  const { image, alt, sizes, loading, variants, placeholder, pictureProps, credit, style, ...rest } = props;
  const { sources, img } = pictureData(image, { alt, sizes, loading, variants, placeholder });
  const { srcset, background, ...attributes } = img;
  const picture = createElement(
    "picture",
    pictureProps ?? null,
    ...sources.map(({ srcset, ...attributes }) =>
      createElement("source", { key: srcset, ...attributes, srcSet: srcset }),
    ),
    createElement("img", {
      // Before the others: `src` must be the last that is set.
      srcSet: srcset,
      ...attributes,
      ...rest,
      ref,
      style: background === undefined ? style : { background, ...style },
    }),
  );
  const said = credit ? creditOf(image) : undefined;
  if (!said) return picture;
  const words = typeof credit === "function" ? credit(said) : worded(said);
  return createElement("figure", null, picture, createElement("figcaption", null, words));
});
