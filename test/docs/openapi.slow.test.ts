/** `openapi.json` for those who generate: a linter finds nothing, and a stock generator's client goes the whole way. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import sharp from "sharp";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { emptyProject } from "../deploy/project.ts";

const project = emptyProject({ name: "client", private: true, type: "module" });
const data = mkdtempSync(join(tmpdir(), "darkroom-openapi-"));
let stack: Stack;

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error" });
  const tools = [
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9.3",
    "@types/node@24.19.2",
  ];
  await project.run("npm", "install", "--no-audit", "--no-fund", ...tools);
  const description = await (await fetch(`${stack.api}/openapi.json`)).text();
  writeFileSync(join(project.folder, "openapi.json"), description);
});
after(async () => {
  await stack?.close();
  project.remove();
  rmSync(data, { recursive: true, force: true });
});

/** Redocly's, by which the generator reads it too. */
const LINT = `
  import { createConfig, lint } from "@redocly/openapi-core";
  const config = await createConfig({ extends: ["recommended"], rules: { "no-server-example.com": "off" } });
  const problems = await lint({ ref: "openapi.json", config });
  console.log(JSON.stringify(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0].pointer])));
`;

test("a linter finds nothing to say", async () => {
  writeFileSync(join(project.folder, "lint.mjs"), LINT);
  assert.deepEqual(JSON.parse(await project.run("node", "lint.mjs")), []);
});

test("a generated client signs, uploads, waits, lists, finds as an admin, and deletes", async () => {
  cpSync("examples/openapi/client.ts", join(project.folder, "client.ts"));
  const boat = sharp({ create: { width: 400, height: 300, channels: 3, background: "#1f6f8b" } });
  await boat.jpeg().toFile(join(project.folder, "boat.jpg"));
  await project.run("npx", "openapi-typescript", `${stack.api}/openapi.json`, "-o", "darkroom.ts");
  const strict = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2024"];
  await project.run("npx", "tsc", ...strict, "--allowImportingTsExtensions", "--skipLibCheck", "client.ts");
  const env = { API: stack.api, UPLOAD_TOKEN: stack.uploadToken, ADMIN_TOKEN: stack.adminToken };
  const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const said = await project.run("env", ...set, "node", "client.ts", "boat.jpg");
  assert.match(
    said,
    /^ready \d+ from a generated client\nmine true\nfound \[ 'from a generated client' \]\n410 gone\n$/,
  );
});
