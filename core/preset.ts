/**
 * What a user says in `darkroom.config.ts`: presets, validated with all problems reported together, and the
 * recipes that follow from them.
 */
import * as v from "valibot";
import {
  DEFAULT_MAX_PIXELS,
  DEFAULT_PROFILE,
  type EncodeSettings,
  type FormatName,
  formatNames,
  formats,
  type OutputFormat,
  outputFormats,
  type Profile,
  profiles,
} from "./formats.ts";
import { digest } from "./keys.ts";
import { aimOf, Quality } from "./quality.ts";
import { rightNames } from "./rights.ts";

/** Part of every digest: raise it when the same recipe gives other bytes, and every variant gets a new URL. */
export const PIPELINE_VERSION = 4;

/** A worker of 4 GB holds it three times over; one of 2 GB refuses what is over 590 MB by itself. */
const MAX_BYTES = 1_000_000_000;

const side = v.pipe(v.number(), v.integer("a whole number of pixels"), v.minValue(1), v.maxValue(16_384));
const outputFormat = v.picklist(outputFormats);
const byFormat = <S>(said: S) =>
  Object.fromEntries(outputFormats.map((name) => [name, said])) as Record<OutputFormat, S>;
const colour = v.pipe(v.string(), v.regex(/^#[0-9a-f]{6}$/, "a colour such as #ffffff"));
const presetName = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/, "lower-case letters, digits and -"));
/** A variant's name stands in its key and in `ladder` names (`w640`). */
const variantName = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/, "lower-case letters, digits and -"));

const Named = v.pipe(
  v.strictObject({
    width: v.optional(side),
    height: v.optional(side),
    /** `inside` keeps everything and the aspect ratio; `cover` fills the box and crops what is over. */
    fit: v.optional(v.picklist(["inside", "cover"]), "inside"),
    /** What `cover` keeps: the uploader's focus point (else `attention`), what draws the eye, most detail, the centre. */
    position: v.optional(v.picklist(["focus", "attention", "entropy", "centre"]), "focus"),
    /** Gaussian blur, sigma in pixels of the variant. */
    blur: v.optional(v.pipe(v.number(), v.minValue(0.3), v.maxValue(100))),
    /** One variant per format. */
    format: v.union([outputFormat, v.pipe(v.array(outputFormat), v.minLength(1))]),
    quality: v.optional(Quality),
  }),
  v.check((n) => n.width !== undefined || n.height !== undefined, "needs a width or a height"),
  v.check(
    (n) => n.fit === "inside" || (n.width !== undefined && n.height !== undefined),
    "fit: cover needs both width and height",
  ),
);

/** As `client/picture.ts` has them, which the pixel process may not read. */
const PREFERRED = ["avif", "webp", "png", "jpeg"] as const satisfies readonly OutputFormat[];

const Ladder = v.pipe(
  v.strictObject({
    widths: v.pipe(v.array(side), v.minLength(1)),
    formats: v.pipe(v.array(outputFormat), v.minLength(1)),
    /** The widest rung of a format; those without are made at every width. */
    upTo: v.optional(v.partial(v.strictObject(byFormat(side)))),
    /** By format, where it should differ from the format's own. */
    quality: v.optional(v.partial(v.strictObject(byFormat(Quality)))),
  }),
  v.check(
    ({ widths, formats, upTo = {} }) =>
      outputFormats.every(
        (format) => !upTo[format] || (formats.includes(format) && upTo[format] >= Math.min(...widths)),
      ),
    "upTo: a format of the ladder, as wide as its narrowest width",
  ),
  v.check(
    ({ widths, formats, upTo = {} }) => {
      const widest = PREFERRED.filter((format) => formats.includes(format)).map((format) =>
        Math.min(upTo[format] ?? Infinity, Math.max(...widths)),
      );
      return widest.every((width, i) => i === 0 || width <= (widest[i - 1] ?? 0));
    },
    `upTo: browsers take the first of ${PREFERRED.join(", ")} that they know, so it has to be as wide as those after it`,
  ),
);

interface Made {
  readonly ladder?: { readonly formats: readonly OutputFormat[] } | undefined;
  readonly named: Readonly<Record<string, { readonly format: OutputFormat | readonly OutputFormat[] }>>;
}
const formatsOf = ({ ladder, named }: Made): OutputFormat[] => [
  ...(ladder?.formats ?? []),
  ...Object.values(named).flatMap(({ format }) => format),
];

const Preset = v.pipe(
  v.strictObject({
    /** Names that this preset had before: images and tokens that say one of them mean this preset. */
    formerly: v.optional(v.array(presetName), []),
    /** Input formats, by content. */
    accept: v.pipe(v.array(v.picklist(formatNames)), v.minLength(1)),
    maxBytes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_BYTES)), 25_000_000),
    /** Nobody sees what is made before somebody has released it. */
    hold: v.optional(v.boolean()),
    /** Days after which what nobody judged is told again; it is rejected after twice as many. */
    holdDays: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(90)), 7),
    /** Width × height of one frame; a format's own bound (AVIF: 25 MP) applies as well. */
    maxPixels: v.optional(
      v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(268_000_000)),
      DEFAULT_MAX_PIXELS,
    ),
    /** Over this size the client uploads in parts: by default more than two of 8 MiB. `docs/presets.md` has figures. */
    multipartAbove: v.optional(v.pipe(v.number(), v.integer(), v.minValue(5_242_880)), 16_777_216),
    /** An animation within both budgets stays one; over them it becomes its first frame, or is rejected. */
    animation: v.optional(
      v.strictObject({
        maxFrames: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 200),
        /** Width × height × frames. */
        maxPixels: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 50_000_000),
        over: v.optional(v.picklist(["first-frame", "reject"]), "first-frame"),
      }),
      {},
    ),
    /** Responsive widths, each in each format that reaches it, never enlarged. */
    ladder: v.optional(Ladder),
    /** Variants with a name and a shape of their own. */
    named: v.optional(v.record(variantName, Named), {}),
    /** How like the original variants look, where the ladder or a named one says nothing else. */
    quality: v.optional(Quality, "good"),
    /** What the encoders are asked for: the fewest bytes, the least CPU time, or the middle. */
    profile: v.optional(v.picklist(profiles), DEFAULT_PROFILE),
    /** Over this size an image is ready without these formats first; they follow at low priority. */
    later: v.optional(
      v.strictObject({
        formats: v.pipe(v.array(outputFormat), v.minLength(1)),
        aboveMegapixels: v.pipe(v.number(), v.minValue(0)),
      }),
    ),
    /** `private`: the CDN serves the images with a signature only, which their owner is given. */
    access: v.optional(v.picklist(["public", "private"]), "public"),
    /** How long what is signed for the owner is good for, in seconds. */
    accessSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(604_800)), 3600),
    /** Behind transparent pixels in formats without alpha. */
    background: v.optional(colour, "#ffffff"),
    /** `p3`: pictures with more colours than sRGB keep those of Display P3, with a profile of 480 bytes. */
    colour: v.optional(v.picklist(["srgb", "p3"])),
    /** What a screen with HDR shows brighter: JPEG rungs keep a gain map, PQ and HLG get AVIF rungs of 10 bits besides. */
    hdr: v.optional(v.boolean()),
    /** What of the original's rights the variants and the document say: all else in EXIF, XMP and IPTC is taken out. */
    keep: v.optional(v.array(v.picklist(rightNames))),
  }),
  v.check(
    (p) => p.ladder !== undefined || Object.keys(p.named).length > 0,
    "makes no variant: give it a ladder or named ones",
  ),
  v.check(
    (p) => formatsOf(p).some((format) => !p.later?.formats.includes(format)),
    "later: some format has to be there at once",
  ),
  v.check(
    (p) => !Object.keys(p.named).some((name) => /^w[0-9]+(-hdr)?$/.test(name)),
    "a named variant must not be called like a rung of the ladder (w640)",
  ),
);

const Config = v.strictObject({
  /** The preset of uploads that name none. */
  defaultPreset: v.string(),
  presets: v.record(presetName, Preset),
});

export type ConfigInput = v.InferInput<typeof Config>;
export type NamedVariant = v.InferOutput<typeof Named>;
type ParsedPreset = v.InferOutput<typeof Preset>;
export interface Preset extends ParsedPreset {
  readonly name: string;
  /** Digest of everything that decides this preset's variants. */
  readonly recipe: string;
}
export interface Config {
  readonly defaultPreset: string;
  readonly presets: ReadonlyMap<string, Preset>;
}

/** Checks a configuration, filling in defaults. Throws one Error that names every problem. */
export function defineConfig(input: ConfigInput): Config {
  const parsed = v.safeParse(Config, input);
  const problems = (parsed.issues ?? []).map(
    (issue) => `${v.getDotPath(issue) ?? "the configuration"}: ${issue.message}`,
  );
  if (parsed.success && !Object.hasOwn(parsed.output.presets, parsed.output.defaultPreset)) {
    problems.push(`defaultPreset: there is no preset called "${parsed.output.defaultPreset}"`);
  }
  if (parsed.success) problems.push(...takenTwice(parsed.output.presets));
  if (!parsed.success || problems.length > 0) {
    throw new Error(
      `darkroom.config.ts has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join("\n")}`,
    );
  }
  return {
    defaultPreset: parsed.output.defaultPreset,
    presets: new Map(
      Object.entries(parsed.output.presets).map(([name, preset]) => [
        name,
        { ...preset, name, recipe: presetRecipe(preset) },
      ]),
    ),
  };
}

/** A name that is one preset's and was another's would mean both. */
function takenTwice(presets: Readonly<Record<string, ParsedPreset>>): string[] {
  const takers = Map.groupBy(
    Object.entries(presets).flatMap(([name, { formerly }]) =>
      [name, ...new Set(formerly)].map((said) => ({ name, said })),
    ),
    ({ said }) => said,
  );
  return [...takers].flatMap(([said, of]) =>
    of.length > 1 ? [`formerly: "${said}" means ${of.map(({ name }) => `"${name}"`).join(" and ")}`] : [],
  );
}

/** The preset that is called so, or was. */
export function presetOf({ presets }: Config, name: string): Preset | undefined {
  return presets.get(name) ?? [...presets.values()].find(({ formerly }) => formerly.includes(name));
}

/** Whether two names are those of one preset, which may have had another. */
export function isSamePreset(config: Config, one: string, other: string): boolean {
  const named = (name: string) => presetOf(config, name)?.name ?? name;
  return named(one) === named(other);
}

function presetRecipe(preset: ParsedPreset): string {
  const { ladder, named, background, animation, profile, quality, colour, hdr, keep = [] } = preset;
  // Only what this preset's variants are made by, in an order that does not depend on how it was written down.
  const variants = Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1));
  const used = new Set([...(ladder?.formats ?? []), ...variants.flatMap(([, { format }]) => format)]);
  // Numbers of their own stand in the ladder and in the variants already.
  const aims = [
    ...(ladder?.formats ?? []).map((format) => ({ format, own: ladder?.quality?.[format] })),
    ...variants.flatMap(([, named]) =>
      [named.format].flat().map((format) => ({ format, own: named.quality })),
    ),
  ]
    .filter(({ own }) => typeof own !== "number")
    .flatMap(
      ({ format, own = quality }) => aimOf(format, own, 0, profile) ?? (typeof own === "number" ? own : []),
    );
  const encoders = outputFormats
    .filter((name) => used.has(name))
    .map((name) => [name, encoderOf(name, profile)]);
  return digest(
    String(PIPELINE_VERSION),
    // What is not asked for leaves the recipe as it was before one could.
    JSON.stringify({
      ...{ ladder, variants, background, animation, encoders },
      ...(aims.length > 0 && { aims }),
      ...(colour === "p3" && { colour }),
      ...(hdr && { hdr }),
      ...(keep.length > 0 && { keep: rightNames.filter((name) => keep.includes(name)) }),
    }),
  );
}

/** Width × height of one frame that `format` may have under `preset`. */
export function maxPixelsOf(preset: Pick<Preset, "maxPixels">, format: FormatName): number {
  return Math.min(preset.maxPixels, formats[format].maxPixels ?? preset.maxPixels);
}

/** The encoder settings of one format under a profile, with the quality a preset asks for. */
export function encoderOf(format: OutputFormat, profile: Profile, quality?: number): EncodeSettings {
  const settings = formats[format].encode[profile];
  return quality === undefined ? settings : { ...settings, quality };
}
