/** `<picture>` markup for an image that is ready. The worker makes the document's `picture` with it, for templates of any language. */
import type { Image, Variant } from "./image.ts";

export interface PictureOptions {
  /** What the picture shows, for those who do not see it; empty where it only decorates. The image's own where absent. */
  readonly alt?: string | undefined;
  /** How wide the layout shows it, as in the `sizes` attribute. */
  readonly sizes?: string | undefined;
  /** `lazy` by default; `eager` for what is in view at once. */
  readonly loading?: "lazy" | "eager" | undefined;
  readonly class?: string | undefined;
  /** Names of the variants to choose from, for crops such as `["thumb"]`; the preset's ladder where absent. */
  readonly variants?: readonly string[] | undefined;
  /**
   * What stands behind until it has loaded: a `data:image/…` URL such as `placeholderUrl` gives, or false for nothing.
   * The image's own where absent. Pictures with transparency never have one: it would show through.
   */
  readonly placeholder?: string | false | undefined;
}

export interface PictureSource {
  /** Of what only some screens show better. */
  readonly media?: string;
  readonly type: string;
  readonly srcset: string;
  readonly sizes: string;
}

export interface PictureImg {
  readonly src: string;
  readonly srcset: string;
  readonly sizes: string;
  /** With these the browser keeps the place free: nothing moves when it loads. */
  readonly width: number;
  readonly height: number;
  readonly alt: string;
  readonly loading: "lazy" | "eager";
  readonly decoding: "async";
  readonly class?: string;
  /** CSS: the value of `background`. */
  readonly background?: string;
}

export interface PictureData {
  /** In the order in which the browser should choose. */
  readonly sources: readonly PictureSource[];
  readonly img: PictureImg;
}

/** What a picture is made of. */
type Pictured = Pick<Image, "id" | "alt" | "source" | "placeholder" | "variants">;

/** What takes fewest bytes first: a browser takes the first that it knows, however few widths there are of it. */
export const PREFERENCE = ["avif", "webp", "png", "jpeg"] as const;
/** What `src` says is for crawlers and mail programs: those that read no `srcset`. */
const SRC_WIDTH = 1280;

/**
 * Markup and the same as plain data. Throws a TypeError for an image without variants: it is not ready.
 *
 * Under a Content-Security-Policy without `style-src 'unsafe-inline'` the placeholder stays away; set
 * `placeholder: false` and style it yourself.
 */
export function picture(image: Image, options: PictureOptions): PictureData & { readonly html: string } {
  const data = pictureData(image, options);
  const { background, ...img } = data.img;
  const sources = data.sources.map((source) => tag("source", { ...source }));
  const style = background === undefined ? {} : { style: `background:${background}` };
  return { ...data, html: `<picture>${sources.join("")}${tag("img", { ...img, ...style })}</picture>` };
}

/** `picture` without the markup. */
export function pictureData(image: Pictured, options: PictureOptions): PictureData {
  const { alt = image.alt ?? "", loading = "lazy", placeholder } = options;
  const all = choose(image, options.variants);
  // A lazy image's width is known when it loads; browsers that do not know `auto` skip the word.
  const sizes = options.sizes ?? (loading === "lazy" ? "auto, 100vw" : "100vw");
  const formats = PREFERENCE.filter((format) => all.some((variant) => variant.format === format));
  const fallback = formats.at(-1);
  const last = all.filter(({ format }) => format === fallback);
  const src = last.filter(({ width }) => width <= SRC_WIDTH).at(-1) ?? last[0];
  const largest = last.at(-1);
  if (!src || !largest) throw new TypeError(`The image ${image.id} has no variants to show.`);
  // Where some move, a still that the browser likes better must not win.
  const animated = all.some(({ frames = 1 }) => frames > 1);
  const sources: PictureSource[] = formats
    .filter((format) => format !== fallback)
    .map((format) => all.filter((one) => one.format === format && (!animated || (one.frames ?? 1) > 1)))
    .filter(([first]) => first !== undefined)
    .map((list) => ({ type: list[0]?.type ?? "", srcset: join(list), sizes }));
  // Other formats take fewer bytes, and are flat beside them: first where the screen can show the difference, and nowhere else.
  const bright = image.variants.filter(({ name, hdr }) => hdr && all.some((one) => one.name === plain(name)));
  const [brightest] = bright;
  if (brightest && (sources.length > 0 || !last.includes(brightest))) {
    const media = "(dynamic-range: high)";
    sources.unshift({ media, type: brightest.type, srcset: join(byWidth(bright)), sizes });
  }
  // Exact where this is the whole picture; a rung's own sides are rounded.
  const { width = 0, height = 0 } = image.source ?? {};
  const box = width > 0 && height > 0 && alike({ width, height }, largest) ? { width, height } : largest;
  const background = image.source?.alpha ? undefined : backgroundOf(image, placeholder);
  return {
    sources,
    img: {
      // Before `src`, as frameworks set one attribute after the other, and the last one starts the request.
      loading,
      decoding: "async",
      sizes,
      srcset: join(last),
      src: src.url,
      width: box.width,
      height: box.height,
      alt,
      ...(options.class === undefined ? {} : { class: options.class }),
      ...(background === undefined ? {} : { background }),
    },
  };
}

/** The `srcset` of one format, such as `"avif"`; empty where the image has none of it. */
export function srcset(image: Image, format: string, variants?: readonly string[]): string {
  return join(choose(image, variants).filter((variant) => variant.format === format));
}

/**
 * For image components that ask for a URL by width, as Next's `loader` does: the smallest of the ladder that is as wide, else
 * the widest. Of the format that every browser shows, where none is named; undefined where the image has none of it.
 */
export function variantFor(image: Image, width: number, format?: string): Variant | undefined {
  const all = choose(image, undefined);
  const wanted = format ?? PREFERENCE.filter((one) => all.some((variant) => variant.format === one)).at(-1);
  const ladder = all.filter((variant) => variant.format === wanted);
  return ladder.find((variant) => variant.width >= width) ?? ladder.at(-1);
}

const byWidth = (variants: readonly Variant[]) => [...variants].sort((a, b) => a.width - b.width);
/** A rung as every screen can show it: an AVIF for those with HDR alone stands beside it. */
const plain = (name: string) => name.replace(/^(w\d+)-hdr$/, "$1");

/** Narrow to wide. The ladder; where a preset has none, every variant of the shape of the largest. */
function choose({ variants }: Pictured, names: readonly string[] | undefined): Variant[] {
  const wide = byWidth(variants).filter(({ name }) => plain(name) === name);
  if (names) return wide.filter(({ name }) => names.includes(name));
  const ladder = wide.filter(({ name }) => /^w\d+$/.test(name));
  const largest = wide.at(-1);
  if (ladder.length > 0 || !largest) return ladder;
  return wide.filter((variant) => alike(largest, variant));
}

interface Box {
  readonly width: number;
  readonly height: number;
}
/** Whether `small` is `large`, scaled down and rounded to whole pixels. */
const alike = (large: Box, small: Box) =>
  Math.abs(large.height * small.width - small.height * large.width) <= Math.max(large.width, large.height);

/** Blanks and commas separate in `srcset`, so a URL must not have any. */
const join = (variants: readonly Variant[]) =>
  variants
    .map(
      ({ url, width }) => `${url.replace(/[\s,]/g, (character) => encodeURIComponent(character))} ${width}w`,
    )
    .join(", ");

function backgroundOf({ placeholder }: Pictured, chosen: string | false | undefined): string | undefined {
  if (chosen === false) return undefined;
  const url = chosen ?? placeholder?.dataUrl ?? "";
  const color = placeholder?.color ?? "";
  const layers = [
    /^#[0-9a-f]{3,8}$/i.test(color) ? color : "",
    // Anything else would be a request to wherever it says.
    /^data:image\//i.test(url) ? `url("${cssString(url)}") center / cover no-repeat` : "",
  ];
  return layers.filter(Boolean).join(" ") || undefined;
}

/** For between double quotes: https://www.w3.org/TR/css-syntax-3/#consume-string-token */
const cssString = (text: string) =>
  text.replace(/["\\\p{Cc}]/gu, (character) => `\\${character.codePointAt(0)?.toString(16)} `);

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? "");

const tag = (name: string, attributes: Readonly<Record<string, string | number>>) =>
  `<${name}${Object.entries(attributes)
    .map(([attribute, value]) => ` ${attribute}="${escapeHtml(String(value))}"`)
    .join("")}>`;
