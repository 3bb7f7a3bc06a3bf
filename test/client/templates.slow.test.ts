/** The templates of docs/front-end.md in their own languages: each writes what the browser library writes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import test from "node:test";
import { type Image, picture } from "../../client/darkroom.ts";
import { formats } from "../../core/formats.ts";
import { newId } from "../../core/keys.ts";
import { type Metadata, transition } from "../../core/metadata.ts";
import { type Header, keyOf, variantsOf } from "../../core/plan.ts";
import type { Preset } from "../../core/preset.ts";
import config from "../../core/shipped.ts";

const ALT = `A "boat" & <script>alert('1')</script> \u{1F6A4} é`;

const DJANGO = `
import json, sys
from django.conf import settings
settings.configure()
from django.template import Context, Engine
image = json.load(sys.stdin)
print(Engine(dirs=["examples"]).get_template("picture.django").render(Context(image)))
`;
// What `render "picture", picture: image["picture"], alt: ...` does in an application.
const RAILS = `
require "json"
require "action_view"
image = JSON.parse($stdin.read)
lookup = ActionView::LookupContext.new([])
view = ActionView::Base.with_empty_template_cache.new(lookup, {}, nil)
puts view.render(inline: File.read("examples/picture.html.erb"), locals: { picture: image["picture"], alt: image["alt"] })
`;
const PHP = `
error_reporting(E_ALL);
set_error_handler(function ($number, $text) { throw new ErrorException($text); });
['picture' => $picture, 'alt' => $alt] = json_decode(stream_get_contents(STDIN), true);
include 'examples/picture.php';
`;

/** What runs the template in `examples/` with a document on its standard input, and Debian's package that has it. */
const languages: Readonly<Record<string, { run: string[]; probe: string[]; debian: string }>> = {
  Django: {
    // Debian's own Python, which knows Debian's Django; another one may stand before it.
    run: ["/usr/bin/python3", "-c", DJANGO],
    probe: ["/usr/bin/python3", "-c", "import django"],
    debian: "python3-django",
  },
  Rails: {
    run: ["ruby", "-e", RAILS],
    probe: ["ruby", "-e", 'require "action_view"'],
    debian: "ruby-actionview",
  },
  PHP: { run: ["php", "-r", PHP], probe: ["php", "-v"], debian: "php-cli" },
  Go: {
    run: ["go", "run", resolve("examples/picture.go")],
    probe: ["go", "version"],
    debian: "golang-go",
  },
};

/** The document of an image that the worker has made with this preset. */
function documentOf(header: Header, preset: Preset): Image & Metadata {
  const id = newId(() => new Uint8Array(16));
  const variants = variantsOf(header, preset).map((variant) => {
    const { name, format, shape, frames, gainMap } = variant;
    const key = keyOf(id, "ab", variant);
    const file = { name, format, type: formats[format].type, width: shape.width, height: shape.height };
    const how = { ...(frames > 1 && { frames }), ...(gainMap && { hdr: true }) };
    return { ...file, bytes: 1, ...how, key, url: `https://cdn.example/${key}` };
  });
  const { format, ...seen } = header;
  const source = { bytes: 1, etag: "e", format, type: formats[format].type, ...seen };
  const placeholder = { thumbhash: "", color: "#7a8b99", dataUrl: "data:image/webp;base64,UklG+/A==" };
  const next = transition(undefined, id, { status: "ready", source, placeholder, variants }, new Date(0));
  assert.ok("write" in next);
  return { ...next.write, status: "ready", rev: 1, writeId: "w" };
}

const still: Header = { format: "jpeg", width: 4032, height: 3024, frames: 1, alpha: false };
const [photo, avatar] = ["photo", "avatar"].map((name) => config.presets.get(name));
assert.ok(photo && avatar);
const documents = {
  photo: documentOf(still, photo),
  "transparent, on a screenshot": documentOf({ ...still, format: "png", alpha: true }, photo),
  "an animation": documentOf({ ...still, format: "gif", width: 300, height: 200, frames: 7 }, photo),
  "brighter where a screen can": documentOf({ ...still, hdr: "gain-map" }, { ...photo, hdr: true }),
  "one format and no ladder": documentOf(still, avatar),
};

interface Tag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}
const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };
/** Tags and attributes, whatever stands between them but text. */
function parse(html: string): Tag[] {
  const pattern = /<(\/?[a-z]+)((?:\s+[a-z]+="[^"<>]*")*)\s*\/?>/g;
  assert.match(html.replaceAll(pattern, ""), /^\s*$/, html);
  return [...html.matchAll(pattern)].map(([, name = "", all = ""]) => ({
    name,
    attributes: Object.fromEntries(
      [...all.matchAll(/([a-z]+)="([^"]*)"/g)]
        .map(([, attribute = "", value = ""]) => [attribute, unescaped(value)] as const)
        .filter(([attribute, value]) => attribute !== "style" || value !== "background:"),
    ),
  }));
}
const unescaped = (value: string) =>
  value.replaceAll(/&(#x[0-9a-f]+|#\d+|[a-z]+);/gi, (whole, entity: string) => {
    if (!entity.startsWith("#")) return NAMED[entity] ?? whole;
    return String.fromCodePoint(Number(entity.replace("#x", "0x").replace("#", "")));
  });

for (const [language, { run, probe, debian }] of Object.entries(languages)) {
  test(`${language}: the template writes what the browser library writes`, () => {
    const [command = "", ...args] = probe;
    if (spawnSync(command, args).status !== 0) {
      assert.ok(!process.env["CI"], `${language} is not installed: apt-get install ${debian}`);
      console.error(`Left out: ${language} is not installed (apt-get install ${debian}).`);
      return;
    }
    for (const [what, image] of Object.entries(documents)) {
      const [command = "", ...args] = run;
      const input = JSON.stringify({ ...image, alt: ALT });
      const { stdout, stderr } = spawnSync(command, args, { input, encoding: "utf8" });
      assert.equal(stderr, "", what);
      assert.deepEqual(parse(stdout), parse(picture(image, { alt: ALT }).html), what);
    }
  });
}
