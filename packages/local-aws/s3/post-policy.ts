/** The policy of a browser's POST: what the signer allows the form to say. ("POST Policy", S3 API reference.) */
import { S3Error } from "./errors.ts";

/** What a value must be, or for `content-length-range` how many bytes the file may have. */
type Condition =
  | { readonly kind: "eq" | "starts-with"; readonly field: string; readonly value: string }
  | { readonly kind: "content-length-range"; readonly min: number; readonly max: number };

export interface Policy {
  readonly expiration: number;
  readonly conditions: readonly Condition[];
}

const invalid = (why: string) => new S3Error("InvalidPolicyDocument", `Invalid Policy: ${why}`);
const denied = (why: string) => new S3Error("AccessDenied", `Invalid according to Policy: ${why}`);

/** @param encoded the form's `policy` field: base64 of JSON @throws S3Error `InvalidPolicyDocument` */
export function parsePolicy(encoded: string): Policy {
  const text = Buffer.from(encoded, "base64").toString("utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid("Invalid JSON.");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw invalid("Invalid JSON.");
  const { expiration, conditions, ...unknown } = json as Record<string, unknown>;
  const [unexpected] = Object.keys(unknown);
  if (unexpected !== undefined) throw invalid(`Unexpected: '${unexpected}'.`);
  if (expiration === undefined) throw invalid("Policy missing expiration.");
  const time =
    typeof expiration === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(expiration)
      ? Date.parse(expiration)
      : Number.NaN;
  if (Number.isNaN(time)) throw invalid(`Invalid 'expiration' value: '${String(expiration)}'`);
  if (!Array.isArray(conditions)) throw invalid("Policy missing conditions.");
  return { expiration: time, conditions: conditions.flatMap(parseCondition) };
}

/** `{"field": "value"}`, `["eq" | "starts-with", "$field", "value"]` or `["content-length-range", min, max]`. */
function parseCondition(condition: unknown): Condition[] {
  const bad = () => invalid(`Invalid Condition: ${JSON.stringify(condition)}`);
  if (Array.isArray(condition)) {
    const [kind, field, value]: unknown[] = condition;
    const name = typeof kind === "string" ? kind.toLowerCase() : "";
    if (condition.length !== 3) throw bad();
    if (name === "content-length-range") {
      const [min, max] = [Number(field), Number(value)];
      if (![field, value].every((v) => /^[0-9]+$/.test(String(v))) || !Number.isSafeInteger(max)) throw bad();
      return [{ kind: name, min, max }];
    }
    if ((name !== "eq" && name !== "starts-with") || typeof field !== "string" || typeof value !== "string")
      throw bad();
    if (!field.startsWith("$")) throw bad();
    return [{ kind: name, field: field.slice(1).toLowerCase(), value }];
  }
  if (typeof condition !== "object" || condition === null) throw bad();
  const entries = Object.entries(condition);
  if (entries.length !== 1)
    throw invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.");
  return entries.map(([field, value]) => {
    if (typeof value !== "string")
      throw invalid(`Invalid Simple-Condition: value must be a string: ${JSON.stringify(condition)}`);
    return { kind: "eq", field: field.toLowerCase(), value };
  });
}

const uncovered = /^(x-amz-signature|file|policy|x-ignore-.*)$/;

/**
 * Everything but the file's size, which is known only when it has arrived.
 * @param fields of the form, names in lower case; `bucket` stands for the bucket that is posted to
 * @throws S3Error `AccessDenied`
 */
export function checkPolicy(
  { expiration, conditions }: Policy,
  fields: ReadonlyMap<string, string>,
  bucket: string,
  now: Date,
): void {
  if (now.getTime() > expiration) throw denied("Policy expired.");
  const covered = new Set<string>();
  for (const condition of conditions) {
    if (condition.kind === "content-length-range") continue;
    covered.add(condition.field);
    const values =
      condition.field === "bucket" ? [bucket, fields.get("bucket") ?? bucket] : [fields.get(condition.field)];
    if (!values.every((value) => value !== undefined && meets(condition, value))) {
      throw denied(
        `Policy Condition failed: ${JSON.stringify([condition.kind, `$${condition.field}`, condition.value])}`,
      );
    }
  }
  const extra = [...fields.keys()].filter((name) => !covered.has(name) && !uncovered.test(name));
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(", ")}`);
}

function meets(
  { kind, field, value }: Exclude<Condition, { kind: "content-length-range" }>,
  given: string,
): boolean {
  if (kind === "eq") return given === value;
  // S3 reads a Content-Type with commas as a list, each of which must meet the condition.
  return (field === "content-type" ? given.split(",") : [given]).every((one) => one.startsWith(value));
}

/** Fewest and most bytes that every range of the policy allows. */
export function sizeRange({ conditions }: Policy): { readonly min: number; readonly max: number } {
  const ranges = conditions.filter((condition) => condition.kind === "content-length-range");
  return {
    min: Math.max(0, ...ranges.map(({ min }) => min)),
    max: Math.min(...ranges.map(({ max }) => max)),
  };
}
