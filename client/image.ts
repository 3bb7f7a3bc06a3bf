/** An image that is ready, as the API and `meta.json` tell of it: the fields that pages use. */
export interface Image {
  readonly id: string;
  readonly status: "ready";
  /** Only its owner may see it; its URLs open until `signedUntil` (ISO 8601). */
  readonly access?: "private" | undefined;
  readonly signedUntil?: string | undefined;
  readonly source?:
    | {
        readonly bytes: number;
        /** By content, such as `image/jpeg`. */
        readonly type?: string | undefined;
        /** Pixels, after orientation. */
        readonly width?: number | undefined;
        readonly height?: number | undefined;
        readonly alpha?: boolean | undefined;
        readonly frames?: number | undefined;
        /** Local time without zone, as the camera wrote it. */
        readonly takenAt?: string | undefined;
        /** What the colours were, where they were not sRGB's, such as `display-p3`. */
        readonly colour?: string | undefined;
        /** How it was brighter than a screen of today: `pq`, `hlg`, `gain-map`. */
        readonly hdr?: string | undefined;
        /** Whether it has a manifest of content credentials (C2PA). */
        readonly c2pa?: boolean | undefined;
      }
    | undefined;
  /** What was asked of it after its upload, as far as it is shown. */
  readonly edit?:
    | {
        /** Counts the edits. */
        readonly rev: number;
        readonly focus?: { readonly x: number; readonly y: number } | undefined;
        readonly turn?: 0 | 90 | 180 | 270 | undefined;
        readonly crop?: Crop | undefined;
      }
    | undefined;
  /** What it shows, for those who do not see it; not yet escaped. */
  readonly alt?: string | undefined;
  /** What the preset keeps of whose it is: text of whoever made the file, not yet escaped. */
  readonly rights?: Rights | undefined;
  readonly placeholder?:
    | {
        /** Base64. */
        readonly thumbhash: string;
        /** A tiny picture as a `data:` URL. */
        readonly dataUrl: string;
        /** `#rrggbb` */
        readonly color: string;
      }
    | undefined;
  readonly variants: readonly Variant[];
  /** What a `<picture>` of the preset's ladder is made of, for templates of any language: attributes, not yet escaped. */
  readonly picture?:
    | {
        readonly sources: readonly {
          readonly media?: string | undefined;
          readonly type: string;
          readonly srcset: string;
        }[];
        readonly img: {
          readonly src: string;
          readonly srcset: string;
          readonly width: number;
          readonly height: number;
        };
        /** CSS: the value of `background`. */
        readonly placeholder?: string | undefined;
      }
    | undefined;
  readonly preset?: string | undefined;
  /** Formats still to come. */
  readonly pending: readonly string[];
  readonly uploadedAt?: string | undefined;
  readonly processedAt: string;
  readonly durationMs?: number | undefined;
}

/** A rectangle in shares, 0 to 1. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An edit of an image that is ready: what is absent stays as it is; null takes it away. */
export interface Edit {
  /** Degrees clockwise from how the original lies upright. */
  readonly turn?: 0 | 90 | 180 | 270 | null | undefined;
  /** Shares, 0 to 1, of the picture after it was turned. */
  readonly crop?: Crop | null | undefined;
  /** What crops should keep: shares of what is then left. */
  readonly focus?: { readonly x: number; readonly y: number } | null | undefined;
  /** What the picture shows, for those who do not see it; everybody may read it. */
  readonly alt?: string | null | undefined;
  /** `image.edit?.rev ?? 0` as you have seen it: where somebody else was first, it is refused with `edited-since`. */
  readonly rev?: number | undefined;
}

export interface Rights {
  readonly creator?: string | undefined;
  readonly credit?: string | undefined;
  readonly copyright?: string | undefined;
  /** How it came about, as one of https://cv.iptc.org/newscodes/digitalsourcetype/. */
  readonly digitalSourceType?: string | undefined;
}

export interface Variant {
  /** `w640` is a rung of the preset's ladder, `w640-hdr` the same for screens with HDR; the others have the preset's own names. */
  readonly name: string;
  /** `avif`, `webp`, `jpeg` or `png`. */
  readonly format: string;
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Only where it is animated. */
  readonly frames?: number | undefined;
  /** Only where a screen with HDR shows it brighter: JPEG by a gain map, AVIF (`w640-hdr`) by its own curve. */
  readonly hdr?: boolean | undefined;
  readonly url: string;
}
