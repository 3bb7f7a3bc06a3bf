/** What the template says of a function beyond Serverless's own words. */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { readTemplate } from "../../host/template.ts";

test("a function may recurse where its resource is extended so, and nowhere else", (t) => {
  const root = mkdtempSync(join(tmpdir(), "darkroom-template-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const path of ["serverless.yml", "deploy/infra"]) cpSync(path, join(root, path), { recursive: true });
  const mayRecurse = () =>
    readTemplate(pathToFileURL(`${root}/`))
      .functions.filter((fn) => fn.mayRecurse)
      .map(({ name }) => name);
  assert.deepEqual(mayRecurse(), []);
  const extension = "extensions:\n  EventsLambdaFunction:\n    Properties:\n      RecursiveLoop: Allow\n";
  appendFileSync(join(root, "deploy/infra/queues.yml"), extension);
  assert.deepEqual(mayRecurse(), ["events"]);
});
