import assert from "node:assert/strict";
import test from "node:test";
import { rows } from "../../docs/openapi.ts";
import { readTemplate } from "../../host/template.ts";

test("every route is described", () => {
  const routes = readTemplate(new URL("../../", import.meta.url))
    .functions.flatMap((fn) => fn.routes)
    .filter((route) => !route.includes("/t/{token}"));
  for (const route of routes)
    assert.ok(rows[route], `${route}: a row in docs/openapi.ts says what it asks and answers`);
  assert.deepEqual(
    Object.keys(rows).filter((route) => !routes.includes(route)),
    [],
    "rows of no route",
  );
});
