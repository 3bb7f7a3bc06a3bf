/** Who may import whom. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import test from "node:test";

/**
 * Rooms, each below all that it may import, so there is no circle: its name (a folder with what no other row takes
 * out of it, or one file), what it may import besides itself, and which packages. `core/*` is every room of that
 * name above the row. A package's word that ends in `:`, `-` or `/` is a beginning.
 */
const rooms: readonly (readonly [room: string, rooms: string, packages: string])[] = [
  // What pages show a picture by, which the document says too.
  ["client/image.ts", "", ""],
  ["client/picture.ts", "client/*", ""],
  ["core", "client/picture.ts", "node:crypto valibot"],
  // No AWS, no environment, no pixels; hashing and bytes are all that core needs of Node.
  ["core/tell", "core", "valibot"],
  ["core/image", "core/*", "node:crypto valibot"],
  ["core/upload", "core/*", "node:crypto valibot"],
  ["core/money", "core/*", ""],
  ["core/job", "core/*", "valibot"],
  ["core/sweep", "core/*", "valibot"],
  ["core/worker", "core/*", ""],
  ["pixels", "core", "node: sharp thumbhash valibot"],
  ["pixels/decoders", "core pixels", "sharp libheif-js/"],
  ["pixels/child.ts", "core pixels pixels/decoders", "node: sharp"],
  ["adapters", "core", "node: yaml"],
  ["adapters/memory", "core", "node:"],
  [
    "adapters/aws",
    "core/* adapters",
    "node: @aws-sdk/client- @aws-sdk/cloudfront-signer @smithy/ @middy/core aws-lambda @aws-lambda-powertools/metrics @aws-lambda-powertools/metrics/",
  ],
  ["adapters/cdn", "core/* adapters/aws", "node:crypto"],
  [
    "adapters/http",
    "core/* adapters",
    "node: @middy/core aws-lambda ipaddr.js jose standardwebhooks valibot",
  ],
  ["adapters/upload-deps.ts", "core/* adapters adapters/*", "node:"],
  ["functions", "core/* adapters adapters/* pixels", "node:timers/promises"],
  ["host", "core/* adapters adapters/*", "node: @aws-sdk/client- @aws/lambda-invoke-store aws-lambda yaml"],
  ["packages/local-aws", "", "node:"],
  ["packages/local-aws/test", "packages/local-aws", "node: @aws-sdk/client- @smithy/ fast-check"],
  [
    "laptop",
    "core/* adapters adapters/* host",
    "node: @aws-sdk/client- aws-lambda jose local-aws/ standardwebhooks",
  ],
  // No dependency: what a page loads is ours alone.
  ["client", "client/*", "react svelte/reactivity vue"],
  ["client/node.ts", "client client/*", "node:"],
  // As a user's page would: by the names that the package exports.
  ["web", "", "darkroom/ react react-dom/client"],
  [
    "cli",
    "core/* adapters adapters/* pixels host client client/*",
    // sharp to look at variants, which are our own.
    "node: @aws-sdk/client- chokidar commander mime-types sharp valibot",
  ],
  [
    "deploy",
    "core/* adapters adapters/* host laptop",
    "node: @aws-sdk/client-secrets-manager assemblyscript/asc esbuild",
  ],
  [
    "bench",
    "core/* adapters adapters/* pixels pixels/decoders host laptop client deploy",
    "node: @aws-sdk/client- esbuild local-aws/ sharp",
  ],
  [
    "docs",
    "core/* adapters adapters/* cli deploy bench",
    "node: @valibot/to-json-schema commander valibot yaml",
  ],
];
const names = rooms.map(([room]) => room);

const within = (path: string, room: string) => path === room || path.startsWith(`${room}/`);
/** The innermost room that a path lies in. */
const roomOf = (path: string) =>
  names.filter((room) => within(path, room)).sort((a, b) => b.length - a.length)[0];

function mayImport(file: string, specifier: string): boolean {
  const row = rooms.find(([room]) => room === roomOf(file));
  if (!row) return false;
  const [room, allowed, packages] = row;
  if (!specifier.startsWith("."))
    return packages
      .split(" ")
      .some((word) => (/[:/-]$/.test(word) ? specifier.startsWith(word) : specifier === word));
  const target = roomOf(normalize(join(dirname(file), specifier)));
  const above = names.slice(0, names.indexOf(room));
  return (
    target === room ||
    (above.includes(target ?? "") &&
      allowed
        .split(" ")
        .some((word) => word === target || (word.endsWith("/*") && within(target ?? "", word.slice(0, -2)))))
  );
}

const specifiersIn = (text: string) =>
  [...text.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*"([^"\s]+)"/gm)].map(([, specifier = ""]) => specifier);

test("a room imports only what its row says", () => {
  const files = globSync(`{${names.map((room) => room.split("/")[0]).join()}}{,/**/*.{ts,tsx,mjs}}`)
    .filter((file) => /\.(ts|tsx|mjs)$/.test(file))
    .sort();
  const seen = new Set<string | undefined>();
  for (const file of files) {
    seen.add(roomOf(file));
    for (const specifier of specifiersIn(readFileSync(file, "utf8")))
      assert.ok(mayImport(file, specifier), `${file} may not import ${specifier}`);
  }
  assert.deepEqual(
    names.filter((room) => !seen.has(room)),
    [],
    "rows of rooms that are gone",
  );
});

test("the rule bites: from every room an import of a room below it, of tests and of a strange package", () => {
  for (const room of names) {
    const file = room.endsWith(".ts") ? room : `${room}/new.ts`;
    const below = names.slice(names.indexOf(room) + 1);
    for (const target of [...below, "test/run.ts", "examples/browser.ts"])
      assert.ok(!mayImport(file, relativeTo(file, target)), `${file} could import ${target}`);
    for (const strange of ["left-pad", "@aws-sdk", "serverless"])
      assert.ok(!mayImport(file, strange), `${file} could import ${strange}`);
  }
  // Some that layers would allow, and reasons do not.
  for (const [file, target] of [
    ["core/keys.ts", "node:fs"],
    ["core/sweep/sweep.ts", "@aws-sdk/client-s3"],
    ["adapters/aws/s3-store.ts", "../http/api.ts"],
    ["adapters/memory/memory-store.ts", "../../core/image/judge.ts"],
    ["functions/worker.ts", "sharp"],
    ["functions/worker.ts", "local-aws/s3"],
    ["laptop/media.ts", "../functions/worker.ts"],
    ["packages/local-aws/s3/server.ts", "../../../core/ports.ts"],
    ["packages/local-aws/s3/server.ts", "@aws-sdk/client-s3"],
    ["client/upload.ts", "../core/errors.ts"],
    ["web/app.tsx", "../client/darkroom.ts"],
    ["cli/upload.ts", "../laptop/stack.ts"],
  ] as const)
    assert.ok(!mayImport(file, target), `${file} could import ${target}`);
  assert.deepEqual(
    specifiersIn('import a from "a";\nexport * from "./b.ts";\nawait import("c");\nimport "d";'),
    ["a", "./b.ts", "c", "d"],
  );
});

const relativeTo = (file: string, target: string) => {
  const path = relative(dirname(file), target.includes(".") ? target : `${target}/some.ts`);
  return path.startsWith(".") ? path : `./${path}`;
};
