/** Which events of a bucket which queue wants: S3's NotificationConfiguration, checked as S3 checks it. */
import { randomBytes } from "node:crypto";
import { childOf, childrenOf, renderS3, textOf, textsOf, type XmlElement } from "../xml.ts";
import { parseDocument } from "./documents.ts";
import { S3Error } from "./errors.ts";

/** The events that happen here. */
export type EventName =
  | "ObjectCreated:Put"
  | "ObjectCreated:Post"
  | "ObjectCreated:Copy"
  | "ObjectCreated:CompleteMultipartUpload"
  | "ObjectRemoved:Delete"
  | "ObjectRemoved:DeleteMarkerCreated";

/** Everything that S3 lets one subscribe to; those that never happen here are accepted and silent. */
const subscribable: Readonly<Record<string, readonly string[]>> = {
  ObjectCreated: ["Put", "Post", "Copy", "CompleteMultipartUpload"],
  ObjectRemoved: ["Delete", "DeleteMarkerCreated"],
  ObjectRestore: ["Post", "Completed", "Delete"],
  LifecycleExpiration: ["Delete", "DeleteMarkerCreated"],
  Replication: [
    "OperationFailedReplication",
    "OperationMissedThreshold",
    "OperationReplicatedAfterThreshold",
    "OperationNotTracked",
  ],
  ObjectTagging: ["Put", "Delete"],
};
const single = new Set([
  "s3:ReducedRedundancyLostObject",
  "s3:LifecycleTransition",
  "s3:IntelligentTiering",
  "s3:ObjectAcl:Put",
]);

function isSubscribable(event: string): boolean {
  const [, group = "", name = ""] = /^s3:([A-Za-z]+):(.+)$/.exec(event) ?? [];
  if (single.has(event)) return true;
  return (
    Object.hasOwn(subscribable, group) && (name === "*" || (subscribable[group]?.includes(name) ?? false))
  );
}

/** One queue's wish, as it is stored. */
export interface Rule {
  readonly id: string;
  readonly queue: string;
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

const invalid = (message: string, name: string, value: string) =>
  new S3Error("InvalidArgument", message, { ArgumentName: name, ArgumentValue: value });

/** Of a NotificationConfiguration. @throws S3Error `MalformedXML`, `InvalidArgument`, `NotImplemented` */
export function parseRules(document: string): Rule[] {
  const root = parseDocument(document, "NotificationConfiguration");
  const foreign = root.children.find(({ name }) => name !== "QueueConfiguration");
  if (foreign)
    throw new S3Error("NotImplemented", `${foreign.name} is not implemented: only queues are notified`);
  const rules = childrenOf(root, "QueueConfiguration").map(parseRule);
  rules.forEach((rule, i) => {
    for (const other of rules.slice(0, i)) {
      if (other.id === rule.id)
        throw invalid("Same ID used for multiple configurations. IDs must be unique", "Id", rule.id);
      if (overlap(rule, other)) {
        throw invalid(
          "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
          "Event",
          rule.events.join(","),
        );
      }
    }
  });
  return rules;
}

function parseRule(element: XmlElement): Rule {
  const queue = textOf(element, "Queue")?.trim() ?? "";
  if (!/^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}$/.test(queue)) {
    // A FIFO queue's name ends in `.fifo`, and S3 notifies none.
    throw invalid("The ARN is not well formed or names a queue that cannot be notified", "Queue", queue);
  }
  const events = textsOf(element, "Event").map((event) => event.trim());
  if (events.length === 0) throw new S3Error("MalformedXML");
  for (const event of events) {
    if (!isSubscribable(event)) throw invalid("The event is not supported for notifications", "Event", event);
  }
  const filter = childOf(element, "Filter");
  const s3Key = filter && childOf(filter, "S3Key");
  const filters = new Map<string, string>();
  for (const rule of s3Key ? childrenOf(s3Key, "FilterRule") : []) {
    const name = textOf(rule, "Name")?.trim().toLowerCase() ?? "";
    if (name !== "prefix" && name !== "suffix")
      throw invalid("filter rule name must be either prefix or suffix", "FilterRule.Name", name);
    if (filters.has(name))
      throw invalid(
        "Cannot specify more than one prefix or suffix rule in a filter.",
        "FilterRule.Name",
        name,
      );
    filters.set(name, textOf(rule, "Value") ?? "");
  }
  const id = textOf(element, "Id") || randomBytes(16).toString("base64url");
  return { id, queue, events, prefix: filters.get("prefix") ?? "", suffix: filters.get("suffix") ?? "" };
}

/** Whether one event could match both rules: S3 refuses that, as it would be sent twice. */
function overlap(a: Rule, b: Rule): boolean {
  const covers = (x: string, y: string) => x === y || (x.endsWith("*") && y.startsWith(x.slice(0, -1)));
  return (
    a.events.some((x) => b.events.some((y) => covers(x, y) || covers(y, x))) &&
    (a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)) &&
    (a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix))
  );
}

export const matches = (rule: Rule, event: EventName, key: string): boolean =>
  rule.events.some((name) => name === `s3:${event}` || name === `s3:${event.split(":")[0]}:*`) &&
  key.startsWith(rule.prefix) &&
  key.endsWith(rule.suffix);

/** The rules as S3 shows them. */
export function renderRules(rules: readonly Rule[]): string {
  return renderS3("NotificationConfiguration", {
    QueueConfiguration: rules.map(({ id, queue, events, prefix, suffix }) => {
      const filters = Object.entries({ prefix, suffix }).filter(([, value]) => value !== "");
      const filter = { S3Key: { FilterRule: filters.map(([Name, Value]) => ({ Name, Value })) } };
      return { Id: id, Queue: queue, Event: events, Filter: filters.length > 0 ? filter : undefined };
    }),
  });
}
