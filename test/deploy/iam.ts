/**
 * Says what a policy allows: IAM's evaluation as far as our templates use it (an explicit Deny wins, nothing is allowed
 * that is not said to be; `*` and `?`; the conditions below). Anything else in a policy is an error, not a guess.
 */
import { at, holds, ofType, plain, type Template } from "./packaged.ts";

interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | { readonly Service?: string | string[]; readonly AWS?: string | string[] };
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>;
}
export interface Request {
  readonly action: string;
  readonly resource: string;
  /** A service by its name, `s3.amazonaws.com`; absent for a role of the account. */
  readonly service?: string;
  /** Condition keys, such as `aws:SourceArn`. */
  readonly context?: Readonly<Record<string, string>>;
}
const KNOWN = new Set(["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]);

const list = <T>(value: T | T[]): T[] => [value].flat() as T[];

function matches(pattern: string, value: string, flags = ""): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, flags).test(value);
}

const operators: Record<string, (wanted: string, actual: string) => boolean> = {
  StringEquals: (wanted, actual) => wanted === actual,
  ArnEquals: (wanted, actual) => matches(wanted, actual),
  ArnLike: (wanted, actual) => matches(wanted, actual),
  StringLike: (wanted, actual) => matches(wanted, actual),
  Bool: (wanted, actual) => wanted === actual,
  NumericGreaterThan: (wanted, actual) => Number(actual) > Number(wanted),
};

/** A key that the request does not have fails every operator of these. */
function conditionHolds({ Condition = {} }: Statement, context: NonNullable<Request["context"]>): boolean {
  return Object.entries(Condition).every(([operator, keys]) => {
    const compare = operators[operator];
    if (!compare) throw new Error(`the condition ${operator} is not known here`);
    return Object.entries(keys).every(([key, wanted]) => {
      const actual = context[key];
      return actual !== undefined && list(wanted).some((one) => compare(String(one), actual));
    });
  });
}

function principalFits({ Principal }: Statement, service: string | undefined): boolean {
  if (Principal === undefined || Principal === "*") return true;
  return service !== undefined && list(Principal.Service ?? []).includes(service);
}

function applies(statement: Statement, { action, resource, service, context = {} }: Request): boolean {
  const odd = Object.keys(statement).filter((key) => !KNOWN.has(key));
  if (odd.length > 0) throw new Error(`${odd.join()} in a statement is not known here`);
  return (
    list(statement.Action).some((pattern) => matches(pattern, action, "i")) &&
    list(statement.Resource).some((pattern) => matches(pattern, resource)) &&
    principalFits(statement, service) &&
    conditionHolds(statement, context)
  );
}

/** Of a role's inline policies, those that are there under the template's conditions. */
export function statementsOf(template: Template, role: string): Statement[] {
  const properties = template.Resources[role]?.Properties ?? {};
  if (at(properties, "ManagedPolicyArns"))
    throw new Error(`${role} has policies that are not in the template`);
  const policies = plain(at(properties, "Policies") ?? [], template) as {
    PolicyDocument: { Statement: Statement | Statement[] };
  }[];
  const attached = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"].flatMap((type) => ofType(template, type));
  if (attached.length > 0) throw new Error("a policy of its own: write it into its role");
  return policies.flatMap(({ PolicyDocument }) => list(PolicyDocument.Statement));
}

/** Policies of buckets, queues and topics. */
function resourceStatements(template: Template): Statement[] {
  const types = ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"];
  return types.flatMap((type) =>
    ofType(template, type).flatMap(([, resource]) => {
      const condition = (resource as { Condition?: string }).Condition;
      if (condition && !holds({ Condition: condition }, template)) return [];
      const { PolicyDocument } = plain(resource.Properties, template) as {
        PolicyDocument: { Statement: Statement[] };
      };
      return list(PolicyDocument.Statement);
    }),
  );
}

/** @param role of the template; absent where a service or a stranger asks */
export function isAllowed(template: Template, role: string | undefined, request: Request): boolean {
  const onResources = resourceStatements(template);
  const own = role === undefined ? [] : statementsOf(template, role);
  const fitting = [...own, ...onResources].filter((statement) => applies(statement, request));
  return !fitting.some(({ Effect }) => Effect === "Deny") && fitting.some(({ Effect }) => Effect === "Allow");
}
