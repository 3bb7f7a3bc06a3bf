/** What HTTP functions answer, against what `docs/openapi.ts` says they do. */
import assert from "node:assert/strict";
import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as v from "valibot";
import { problemsOf, rows } from "../../docs/openapi.ts";
import { Problem } from "../../docs/openapi-answers.ts";

/** Successful answers that were seen, as `GET /images 200`. */
export const seen = new Set<string>();

export function assertDescribed(event: unknown, answer: unknown): void {
  const { routeKey = "" } = event as { routeKey?: string };
  const route = routeKey.replace("/t/{token}", "");
  const row = rows[route];
  if (!row) return;
  const { statusCode = 0, body = "" } = answer as APIGatewayProxyStructuredResultV2;
  const said = row.answers[statusCode];
  if (said) seen.add(`${route} ${statusCode}`);
  if (said ? said.schema === "xml" : row.xml) assert.match(body, /^<\?xml/);
  else if (said && !said.schema) assert.equal(body, "");
  else {
    const schema = said?.schema ?? Problem;
    assert.ok(schema !== "xml");
    const json = JSON.parse(body);
    // What nobody described falls out of what is parsed.
    assert.deepEqual(v.parse(schema, json), json, `${route} ${statusCode} in docs/openapi.ts`);
    if (!said) assert.ok(problemsOf(row).includes(json.code), `${route}: problems, ${json.code}`);
  }
}

/** Asks each route without a scope, and with a parameter that there is not: its refusals say what it knows. */
export async function assertRoutesAsDescribed(
  api: string,
  tokens: { readonly none: string; readonly all: string },
): Promise<void> {
  for (const [route, row] of Object.entries(rows)) {
    const [method = "", path = ""] = route.split(" ");
    const ask = async (token: string, query = "") => {
      const headers = { authorization: `Bearer ${token}` };
      const url = api + path.replaceAll(/\{[^}]+\}/g, "x") + query;
      return (await fetch(url, { method, headers })).text();
    };
    const scopes = `needs a token with the scope ${row.scopes.join(" or ")}.`;
    assert.ok((await ask(tokens.none)).includes(scopes), `${route}: scopes in docs/openapi.ts`);
    // Those of Uppy's protocol take whatever its form has.
    if (path.startsWith("/s3/")) continue;
    const names = Object.keys(row.query ?? {});
    const known = names.length === 0 ? "this route takes none" : `there are ${names.join(", ")}`;
    const { detail } = JSON.parse(await ask(tokens.all, "?nonsense=1"));
    assert.equal(detail, `"nonsense" is no parameter; ${known}.`, `${route}: query in docs/openapi.ts`);
  }
}
