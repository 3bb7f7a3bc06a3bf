/**
 * The image formats, one row each: accept or produce another by adding a row (an input format also needs a sample
 * picture in `test/images/`; a test fails until there is one).
 */
export type Format = Input & (Output | { readonly encode?: never; readonly encoder?: never });

interface Input {
  /** The `Content-Type` we send, and the first of those a client may declare. */
  readonly type: string;
  /** Other `Content-Type`s a client may declare, exact strings. */
  readonly aliases?: readonly string[];
  /** The extension of our own keys, and the ones that identify a file whose type the browser does not know. */
  readonly extensions: readonly [string, ...string[]];
  /** Whether the first bytes (32 are enough but for long `ftyp` boxes) are this format's magic number. */
  readonly detect?: (head: Uint8Array) => boolean;
  /** What reads it: a file of `pixels/decoders/`. */
  readonly decoder: "libvips" | "png" | "gif" | "heic";
  /** The one libvips loader that may open it; everything not named here stays blocked. */
  readonly loader?: string;
  /** Per pixel of the source, at worst (progressive, interlaced, 16 bits): CPU in nanoseconds, memory in bytes. */
  readonly decode: { readonly ns: number; readonly bytes: number };
  /** Upper bound for width × height of one frame where a preset sets none. */
  readonly maxPixels?: number;
  /** Browsers turn it by its EXIF. A WebP they show as it is stored, as did the page that its uploader saw it on. */
  readonly turnedByExif?: true;
  readonly alpha: boolean;
  /** Read with all its frames. */
  readonly framesRead?: true;
  /** sharp can write several frames. */
  readonly animates: boolean;
}

/** Of a format that variants are made in; one without is read only. */
interface Output {
  readonly encode: Readonly<Record<Profile, EncodeSettings>>;
  /** What encoding a pixel takes (measured), and leaves. */
  readonly encoder: {
    /** Memory in bytes, in the hungriest profile. */
    readonly bytes: number;
    /** CPU in nanoseconds, of a photograph. */
    readonly ns: (settings: EncodeSettings) => number;
    /** Bytes of a file for each of a million pixels, of photographs at the quality that is the default: see `writtenBytes`. */
    readonly written: number;
  };
}

/** What a preset may ask of the encoders: the last bytes, or the CPU time they cost. */
export const profiles = ["best", "balanced", "fast"] as const;
export type Profile = (typeof profiles)[number];
export const DEFAULT_PROFILE: Profile = "balanced";

/** sharp's output options; `quality` may be replaced by a preset. All of it is part of a variant's recipe. */
export interface EncodeSettings {
  readonly quality: number;
  readonly effort?: number;
  readonly chromaSubsampling?: string;
  readonly bitdepth?: 8 | 10;
  readonly progressive?: boolean;
  readonly quantisationTable?: number;
  readonly optimiseScans?: boolean;
  readonly mozjpeg?: boolean;
  readonly trellisQuantisation?: boolean;
  readonly palette?: boolean;
  readonly nearLossless?: boolean;
  /** What WebP's encoder takes the picture for. */
  readonly preset?: "photo";
  /** WebP's chroma, shrunk by what is seen (SharpYUV). */
  readonly smartSubsample?: boolean;
  /** For graphics (screenshots, drawings), as a look at the pixels tells: these on top, and the others where they are smaller. */
  readonly graphics?: {
    readonly settings: Omit<Partial<EncodeSettings>, "graphics">;
    readonly orSmaller?: Omit<Partial<EncodeSettings>, "graphics">;
  };
}

const MP = 1_000_000;
const ascii = (head: Uint8Array, at: number, length: number) =>
  String.fromCharCode(...head.subarray(at, at + length));
const startsWith = (head: Uint8Array, ...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);

/** Major brand first, then the compatible ones, of an ISO media file's `ftyp` box (ISO/IEC 14496-12, 4.3). */
function brands(head: Uint8Array): string[] {
  if (ascii(head, 4, 4) !== "ftyp") return [];
  const size = ((head[0] ?? 0) << 24) | ((head[1] ?? 0) << 16) | ((head[2] ?? 0) << 8) | (head[3] ?? 0);
  const found = [ascii(head, 8, 4)];
  for (let at = 16; at + 4 <= Math.min(size, head.length); at += 4) found.push(ascii(head, at, 4));
  return found;
}
/** `avis` is a sequence, of which the first picture is read. */
const isAvif = (head: Uint8Array) => brands(head).some((brand) => brand === "avif" || brand === "avis");
const HEVC_BRANDS = ["heic", "heix", "heim", "heis"];

// The settings follow from `bench/encoders.ts`: bytes at equal SSIMULACRA2 against CPU, in docs/performance.md.
/**
 * Coloured edges, which a number for photographs blurs: AVIFs gain three points of SSIMULACRA2 for at most 2 % more bytes,
 * JPEGs of graphics 2 to 7 for a quarter (measured).
 */
const sharpColours = { settings: { chromaSubsampling: "4:4:4" } } as const;
/**
 * WebP has no more than 4:2:0: shrunk with care that gains 2 points, 10 where colours change most, for 4 %. Near-lossless takes
 * of drawings an eighth of the bytes, of screenshots two thirds, at a score of 97 to 100; of others more (measured).
 */
const sharpWebp = {
  settings: { smartSubsample: true },
  orSmaller: { nearLossless: true, quality: 60, effort: 2 },
} as const;

const table = {
  avif: {
    type: "image/avif",
    aliases: ["image/avif-sequence"],
    extensions: ["avif", "avifs"],
    detect: isAvif,
    decoder: "libvips",
    loader: "VipsForeignLoadHeifBuffer",
    decode: { ns: 36, bytes: 19 },
    // 19 bytes per pixel at decode: 25 MP peak at 517 MB (measured, sharp 0.35.5).
    maxPixels: 25 * MP,
    alpha: true,
    animates: false,
    encode: {
      // 10 bits would save 4 % of the bytes for 30 to 50 % more CPU, and half as much memory again.
      best: { quality: 54, effort: 3, chromaSubsampling: "4:2:0", graphics: sharpColours },
      balanced: { quality: 54, effort: 2, chromaSubsampling: "4:2:0", graphics: sharpColours },
      fast: { quality: 54, effort: 1, chromaSubsampling: "4:2:0", graphics: sharpColours },
    },
    encoder: {
      // 20.4 measured at these settings.
      bytes: 21,
      ns: ({ effort = 4, chromaSubsampling }) =>
        ([15, 125, 230, 400, 1900][effort] ?? 4000) * (chromaSubsampling === "4:4:4" ? 1.2 : 1),
      written: 0.044,
    },
  },
  webp: {
    type: "image/webp",
    extensions: ["webp"],
    detect: (head) => ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 4) === "WEBP",
    decoder: "libvips",
    loader: "VipsForeignLoadWebpBuffer",
    decode: { ns: 24, bytes: 6 },
    alpha: true,
    framesRead: true,
    animates: true,
    encode: {
      // As a photo: scores spread a fifth less, for the same CPU and 1 to 2 % fewer bytes (measured).
      best: { quality: 80, effort: 4, preset: "photo", graphics: sharpWebp },
      balanced: { quality: 80, effort: 4, preset: "photo", graphics: sharpWebp },
      // At this effort it takes 3 % more.
      fast: { quality: 80, effort: 2, graphics: sharpWebp },
    },
    encoder: {
      // 4.6 measured at these settings.
      bytes: 6,
      ns: ({ effort = 4, nearLossless, smartSubsample }) =>
        nearLossless ? 530 : ([20, 24, 32, 72, 72, 75, 110][effort] ?? 110) + (smartSubsample ? 54 : 0),
      written: 0.072,
    },
  },
  jpeg: {
    type: "image/jpeg",
    aliases: ["image/jpg", "image/pjpeg"],
    extensions: ["jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp"],
    detect: (head) => startsWith(head, 0xff, 0xd8, 0xff),
    decoder: "libvips",
    loader: "VipsForeignLoadJpegBuffer",
    decode: { ns: 8, bytes: 4 },
    turnedByExif: true,
    alpha: false,
    animates: false,
    encode: {
      // MozJPEG's trellis takes dots for noise: what a look says of a graphic holds without it (measured).
      best: {
        quality: 80,
        mozjpeg: true,
        graphics: { settings: { ...sharpColours.settings, trellisQuantisation: false } },
      },
      // Table 5 takes 2 % fewer bytes than table 3 at the same score, and 7 % fewer at lower ones.
      balanced: {
        quality: 76,
        progressive: true,
        quantisationTable: 5,
        optimiseScans: true,
        graphics: sharpColours,
      },
      fast: { quality: 76, progressive: true, quantisationTable: 5, graphics: sharpColours },
    },
    encoder: {
      // 5.7 measured at these settings.
      bytes: 8,
      ns: ({ mozjpeg, optimiseScans, progressive, chromaSubsampling }) =>
        (mozjpeg ? 55 : optimiseScans ? 30 : progressive ? 14 : 8) *
        (chromaSubsampling === "4:4:4" ? 1.6 : 1),
      written: 0.084,
    },
  },
  png: {
    type: "image/png",
    aliases: ["image/x-png", "image/apng", "image/vnd.mozilla.apng"],
    extensions: ["png", "apng"],
    detect: (head) => startsWith(head, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    decoder: "png",
    loader: "VipsForeignLoadPngBuffer",
    decode: { ns: 40, bytes: 8 },
    turnedByExif: true,
    alpha: true,
    framesRead: true,
    animates: false,
    // sharp takes a quality, or an effort, as a wish for 256 colours.
    encode: {
      best: { quality: 100, palette: false },
      balanced: { quality: 100, palette: false },
      fast: { quality: 100, palette: false },
    },
    encoder: { bytes: 8, ns: () => 60, written: 1.5 },
  },
  gif: {
    type: "image/gif",
    extensions: ["gif"],
    detect: (head) => ["GIF87a", "GIF89a"].includes(ascii(head, 0, 6)),
    decoder: "gif",
    // The codes are walked through once for their number and once for pixels: 49 ns of noise. Canvas, frame, indexes, copy.
    decode: { ns: 50, bytes: 13 },
    alpha: true,
    framesRead: true,
    animates: false,
  },
  heic: {
    type: "image/heic",
    aliases: ["image/heif", "image/heic-sequence", "image/heif-sequence"],
    extensions: ["heic", "heif", "heics", "heifs", "hif"],
    // libheif reads it, in WebAssembly; libvips gets the pixels with their ICC profile as a PNG.
    detect: (head) => !isAvif(head) && brands(head).some((brand) => HEVC_BRANDS.includes(brand)),
    decoder: "heic",
    loader: "VipsForeignLoadPngBuffer",
    decode: { ns: 40, bytes: 9 },
    // `bench/heic-memory.ts`: 64 MP peak at 560 MB as cameras write them (4:2:0, 8 bits), at 670 in 4:2:2 with 10 bits; only
    // in 4:4:4 with alpha, which no camera writes, at 1,480.
    alpha: true,
    animates: false,
  },
  tiff: {
    type: "image/tiff",
    aliases: ["image/tif", "image/x-tiff"],
    extensions: ["tif", "tiff"],
    detect: (head) => startsWith(head, 0x49, 0x49, 0x2a, 0) || startsWith(head, 0x4d, 0x4d, 0, 0x2a),
    decoder: "libvips",
    loader: "VipsForeignLoadTiffBuffer",
    decode: { ns: 11, bytes: 2 },
    turnedByExif: true,
    alpha: true,
    animates: false,
  },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof table;
export type OutputFormat = {
  [F in FormatName]: (typeof table)[F] extends { encode: object } ? F : never;
}[FormatName];

export const formats: { readonly [F in FormatName]: F extends OutputFormat ? Input & Output : Format } =
  table;
export const formatNames = Object.keys(table) as FormatName[];
export const outputFormats = formatNames.filter(
  (name): name is OutputFormat => formats[name].encode !== undefined,
);

/**
 * Where neither preset nor row sets another: sensors of "64 MP" make 64.2. And what a side may have: panoramas and long
 * screenshots of phones pass 16,384.
 */
export const DEFAULT_MAX_PIXELS = 65 * MP;
export const MAX_SIDE = 65_535;

/** The format that the first bytes of a file (4 KB are enough) show, whatever it is called. */
export function detectFormat(head: Uint8Array): FormatName | undefined {
  return formatNames.find((name) => formats[name].detect?.(head));
}

/** Smaller pictures have more for each pixel (`bench -- written`): their bytes grow with this power of the pixels. */
const WRITTEN_POWER = 0.8;
/** Bytes that a photograph's file has, on average: for bills. @param pixels width × height */
export const writtenBytes = (format: OutputFormat, pixels: number): number =>
  formats[format].encoder.written * MP * (pixels / MP) ** WRITTEN_POWER;

/** The exact `Content-Type`s a client may declare for these formats. */
export function typesOf(names: readonly FormatName[]): string[] {
  return names.flatMap((name) => [formats[name].type, ...(formats[name].aliases ?? [])]);
}

/** The file extensions, lower case without the dot, of these formats. */
export function extensionsOf(names: readonly FormatName[]): string[] {
  return names.flatMap((name) => formats[name].extensions);
}
