/** Markup, taken apart by a parser that is not ours, and placeholders drawn by the format's author's own code. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { rgbaToThumbHash, thumbHashToRGBA } from "thumbhash";
import {
  type Image,
  picture,
  placeholderUrl,
  srcset,
  type Variant,
  variantFor,
} from "../../client/darkroom.ts";
import type { Metadata } from "../../core/metadata.ts";
import { tries } from "../thorough.ts";

/** The client's own description of an image must fit what the API sends. */
const fits = (ready: Metadata & { status: "ready" }): Image => ready;

const TYPES: Record<string, string> = {
  avif: "image/avif",
  webp: "image/webp",
  jpeg: "image/jpeg",
  png: "image/png",
};
function variant(
  name: string,
  format: string,
  width: number,
  height: number,
  more: Partial<Variant> = {},
): Variant {
  const url = `https://cdn.example/images/x/${name}.${format}`;
  return { name, format, type: TYPES[format] ?? "", width, height, bytes: 1000, url, ...more };
}
const ladder = (formats: string[], widths = [320, 640, 1280, 1920]) =>
  widths.flatMap((width) =>
    formats.map((format) => variant(`w${width}`, format, width, Math.round(width * 0.75))),
  );

function image(variants: Variant[], more: Partial<Image> = {}): Image {
  return {
    id: "x",
    status: "ready",
    source: { bytes: 1, type: "image/jpeg", width: 4032, height: 3024, alpha: false, frames: 1 },
    placeholder: { thumbhash: "", dataUrl: "data:image/webp;base64,AAAA", color: "#7a8b99" },
    variants,
    pending: [],
    processedAt: "2026-05-01T10:00:00Z",
    ...more,
  };
}

interface Tag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}
/** Reads tags as the HTML standard's tokenizer does, for markup that has nothing but tags with quoted attributes. */
function parse(html: string): Tag[] {
  const tags: Tag[] = [];
  let rest = html;
  const eat = (pattern: RegExp) => {
    const match = pattern.exec(rest);
    assert.ok(match?.index === 0, `${pattern} at ${rest.slice(0, 40)}`);
    rest = rest.slice(match[0].length);
    return match;
  };
  while (rest) {
    const [, name = ""] = eat(/<(\/?[a-z]+)/);
    const attributes: Record<string, string> = {};
    while (!rest.startsWith(">")) {
      const [, attribute = "", value = ""] = eat(/ ([a-z]+)="([^"<>]*)"/);
      assert.ok(!Object.hasOwn(attributes, attribute), `${attribute} twice`);
      attributes[attribute] = value.replace(/&(\w+);/g, (_, entity: string) => {
        const character = { amp: "&", lt: "<", gt: ">", quot: '"' }[entity];
        assert.ok(character, entity);
        return character;
      });
      assert.doesNotMatch(value.replace(/&(amp|lt|gt|quot);/g, ""), /&/, "a bare ampersand");
    }
    eat(/>/);
    tags.push({ name, attributes });
  }
  return tags;
}

test("AVIF, then WebP, then JPEG for everyone, each with every width, and a box that does not move", () => {
  const thumb = variant("thumb", "jpeg", 160, 160);
  const { html, sources, img } = picture(image([...ladder(["avif", "webp", "jpeg"]), thumb]), {
    alt: "A boat",
    sizes: "(min-width: 60em) 50vw, 100vw",
    class: "hero",
  });
  const [open, avif, webp, fallback, close, ...more] = parse(html);
  assert.deepEqual([open?.name, close?.name, more], ["picture", "/picture", []]);
  const widths = (format: string) =>
    [320, 640, 1280, 1920]
      .map((width) => `https://cdn.example/images/x/w${width}.${format} ${width}w`)
      .join(", ");
  const sizes = "(min-width: 60em) 50vw, 100vw";
  assert.deepEqual(avif, {
    name: "source",
    attributes: { type: "image/avif", srcset: widths("avif"), sizes },
  });
  assert.deepEqual(webp, {
    name: "source",
    attributes: { type: "image/webp", srcset: widths("webp"), sizes },
  });
  assert.deepEqual(fallback, {
    name: "img",
    attributes: {
      src: "https://cdn.example/images/x/w1280.jpeg",
      srcset: widths("jpeg"),
      sizes,
      width: "4032",
      height: "3024",
      alt: "A boat",
      loading: "lazy",
      decoding: "async",
      class: "hero",
      style: 'background:#7a8b99 url("data:image/webp;base64,AAAA") center / cover no-repeat',
    },
  });
  assert.deepEqual(sources[0], avif?.attributes);
  assert.equal(img.srcset, srcset(image(ladder(["jpeg"])), "jpeg"));
  assert.equal(srcset(image(ladder(["jpeg"])), "avif"), "");
});

test("a format that ends at a width: every source lists its own, and the box is the whole picture's", () => {
  const one = image([...ladder(["avif", "webp"]), ...ladder(["jpeg"], [320, 640])]);
  const { sources, img } = picture(one, { alt: "" });
  const widths = ({ srcset }: { srcset: string }) =>
    [...srcset.matchAll(/ (\d+)w/g)].map(([, width]) => width);
  assert.deepEqual([...sources, img].map(widths), [
    ["320", "640", "1280", "1920"],
    ["320", "640", "1280", "1920"],
    ["320", "640"],
  ]);
  assert.match(img.src, /w640\.jpeg$/);
  assert.deepEqual([img.width, img.height], [4032, 3024]);
  assert.equal(variantFor(one, 1280)?.name, "w640");
  assert.equal(variantFor(one, 1280, "webp")?.name, "w1280");
});

test("formats still to come, or that a preset does not make, are left out", () => {
  const { sources, img } = picture(image(ladder(["webp"]), { pending: ["avif"] }), { alt: "" });
  assert.deepEqual(sources, []);
  assert.match(img.src, /w1280\.webp$/);
  assert.equal(img.sizes, "auto, 100vw");
  assert.throws(() => picture(image([]), { alt: "" }), TypeError);
});

test("an animation moves in every browser that can show it move", () => {
  const moving = ladder(["webp"]).map((one) => ({ ...one, frames: 12 }));
  const { sources, img } = picture(image([...ladder(["avif", "jpeg"]), ...moving]), { alt: "" });
  assert.deepEqual(
    sources.map(({ type }) => type),
    ["image/webp"],
  );
  assert.match(img.src, /\.jpeg$/);
});

test("a preset without ladder shows the variants of one shape; names choose others", () => {
  const avatar = [
    variant("small", "webp", 64, 64),
    variant("large", "webp", 256, 256),
    variant("wide", "webp", 90, 30),
  ];
  const { img } = picture(image(avatar), { alt: "" });
  assert.match(img.srcset, /small\.webp 64w, .*large\.webp 256w$/);
  assert.deepEqual([img.width, img.height], [256, 256]);
  const wide = picture(image(avatar), { alt: "", variants: ["wide"] }).img;
  assert.deepEqual(
    [wide.width, wide.height, wide.srcset],
    [90, 30, "https://cdn.example/images/x/wide.webp 90w"],
  );
});

test("what is transparent gets no background, and nothing but data: images is put into CSS", () => {
  const background = (more: Partial<Image>, placeholder?: string | false) =>
    picture(image(ladder(["png"]), more), { alt: "", placeholder }).img.background;
  assert.equal(background({ source: { bytes: 1, alpha: true } }), undefined);
  assert.equal(background({}, false), undefined);
  assert.equal(background({}, "https://evil.example/pixel.gif"), "#7a8b99");
  assert.equal(
    background({ placeholder: { thumbhash: "", dataUrl: "javascript:alert(1)", color: "red;}" } }),
    undefined,
  );
  assert.match(background({}, "data:image/png;base64,BBBB") ?? "", /BBBB/);
});

test("no text whatever leaves its attribute, its CSS string or its place in srcset", () => {
  const nasty = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(
        fc.constantFrom('"', "'", "<", ">", "&", "\\", "\n", "\t", " ", ",", ")", ";", "}", "&quot;", "/*"),
        {
          maxLength: 20,
        },
      )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(nasty, nasty, nasty, nasty, (alt, sizes, path, data) => {
      const url = `https://cdn.example/${path}`;
      const dataUrl = `data:image/png;${data}`;
      const one = image([variant("w1", "avif", 1, 1, { url }), variant("w1", "jpeg", 1, 1, { url })], {
        placeholder: { thumbhash: "", dataUrl, color: "#123456" },
      });
      const tags = parse(picture(one, { alt, sizes, class: alt }).html);
      assert.deepEqual(
        tags.map(({ name }) => name),
        ["picture", "source", "img", "/picture"],
      );
      const { attributes = {} } = tags[2] ?? {};
      assert.deepEqual([attributes["alt"], attributes["sizes"], attributes["class"]], [alt, sizes, alt]);
      // One candidate: a URL without a blank, and a width.
      assert.match(attributes["srcset"] ?? "", /^[^\s,]+ 1w$/);
      // CSS Syntax 3, 4.3.5: the string, with its escapes undone, is the URL and ends where we ended it.
      const [, css = ""] =
        /^background:#123456 url\("((?:[^"\\\n\r\f]|\\[0-9a-f]{1,6} )*)"\) center \/ cover no-repeat$/.exec(
          attributes["style"] ?? "",
        ) ?? [undefined, undefined];
      assert.equal(
        css.replace(/\\([0-9a-f]+) /g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16))),
        dataUrl,
      );
    }),
    { numRuns: tries(20, 200) },
  );
});

test("a placeholder is the ThumbHash that its author's code would draw, as a PNG that decodes", async () => {
  const sizes = [
    [100, 75],
    [30, 100],
    [100, 1],
    [7, 7],
  ] as const;
  for (const [width, height] of sizes) {
    for (const alpha of [255, 90]) {
      const rgba = new Uint8Array(width * height * 4);
      for (let i = 0; i < rgba.length; i += 4) {
        rgba.set([(i * 7) % 256, (i >> 4) % 256, 255 - ((i >> 6) % 256), i % 3 ? alpha : 255], i);
      }
      const hash = rgbaToThumbHash(width, height, rgba);
      const expected = thumbHashToRGBA(hash);
      const thumbhash = Buffer.from(hash).toString("base64");
      const url = placeholderUrl({ placeholder: { thumbhash, dataUrl: "", color: "" } }) ?? "";
      assert.match(url, /^data:image\/png;base64,/);
      const { data, info } = await sharp(Buffer.from(url.slice(url.indexOf(",") + 1), "base64"))
        .raw()
        .toBuffer({ resolveWithObject: true });
      assert.deepEqual([info.width, info.height, info.channels], [expected.w, expected.h, 4]);
      // The author's code cuts fractions off, ours rounds.
      for (const [i, value] of expected.rgba.entries())
        assert.ok(Math.abs(value - (data[i] ?? 0)) <= 1, `byte ${i}`);
    }
  }
  assert.equal(placeholderUrl({}), undefined);
  assert.ok(fits);
});

test("rungs for screens with HDR go before all others, and to no other screen", () => {
  const bright = [320, 640].map((width) => variant(`w${width}-hdr`, "avif", width, 240, { hdr: true }));
  const { sources, img } = picture(image([...bright.reverse(), ...ladder(["avif", "jpeg"], [320, 640])]), {
    alt: "",
  });
  assert.deepEqual(
    sources.map(({ media, type, srcset }) => [media, type, /-hdr/.test(srcset)]),
    [
      ["(dynamic-range: high)", "image/avif", true],
      [undefined, "image/avif", false],
    ],
  );
  assert.match(sources[0]?.srcset ?? "", /w320-hdr.avif 320w, .*w640-hdr.avif 640w/);
  assert.ok(!img.srcset.includes("hdr"));
  // Also where the ladder has nothing else but AVIF.
  const alone = picture(image([...bright, ...ladder(["avif"], [320, 640])]), { alt: "" });
  assert.deepEqual(
    alone.sources.map(({ media }) => media),
    ["(dynamic-range: high)"],
  );
  const thumb = variant("thumb", "avif", 160, 160);
  assert.equal(picture(image([...bright, thumb]), { alt: "", variants: ["thumb"] }).sources.length, 0);
});

test("a variant for a width: the smallest that is as wide, else the widest, of a format that every browser shows", () => {
  const one = image(ladder(["avif", "webp", "jpeg"]));
  const said = (width: number, format?: string) => {
    const found = variantFor(one, width, format);
    return found && `${found.name} ${found.format}`;
  };
  assert.deepEqual(
    [said(1), said(320), said(321), said(9999)],
    ["w320 jpeg", "w320 jpeg", "w640 jpeg", "w1920 jpeg"],
  );
  assert.deepEqual([said(700, "avif"), said(700, "png")], ["w1280 avif", undefined]);
  assert.equal(variantFor(image([]), 100), undefined);
});
