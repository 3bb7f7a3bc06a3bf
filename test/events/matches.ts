/**
 * Compares what came out with what `events/expected.json` states: objects by the fields stated, lists element by
 * element. `null` means absent, `{"matches": "…"}` a pattern, `{"contains": […]}` elements somewhere in a list.
 */
import assert from "node:assert/strict";

export function assertMatches(actual: unknown, expected: unknown, path: string): void {
  if (expected === null) {
    assert.equal(actual, undefined, `${path} must be absent`);
  } else if (isPattern(expected)) {
    assert.ok(typeof actual === "string", `${path} must be text, not ${JSON.stringify(actual)}`);
    assert.match(actual, new RegExp(expected.matches), path);
  } else if (isContains(expected)) {
    assert.ok(Array.isArray(actual), `${path} must be a list`);
    for (const wanted of expected.contains) {
      assert.ok(
        actual.some((one) => matches(one, wanted)),
        `${path} must contain ${JSON.stringify(wanted)}: ${JSON.stringify(actual)}`,
      );
    }
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} must be a list, not ${JSON.stringify(actual)}`);
    assert.equal(actual.length, expected.length, `length of ${path}: ${JSON.stringify(actual)}`);
    for (const [i, wanted] of expected.entries()) assertMatches(actual[i], wanted, `${path}[${i}]`);
  } else if (typeof expected === "object") {
    assert.ok(
      typeof actual === "object" && actual !== null,
      `${path} must be there, not ${JSON.stringify(actual)}`,
    );
    for (const [name, wanted] of Object.entries(expected)) {
      assertMatches((actual as Record<string, unknown>)[name], wanted, `${path}.${name}`);
    }
  } else {
    assert.deepEqual(actual, expected, path);
  }
}

function matches(actual: unknown, expected: unknown): boolean {
  try {
    assertMatches(actual, expected, "");
    return true;
  } catch {
    return false;
  }
}

const only = (value: unknown, name: string) =>
  typeof value === "object" && value !== null && Object.keys(value).join() === name;
const isPattern = (value: unknown): value is { matches: string } => only(value, "matches");
const isContains = (value: unknown): value is { contains: unknown[] } => only(value, "contains");
