/** Alarms and the dashboard, against the metrics that the code counts and the queues that there are. */
import { existsSync } from "node:fs";
import { metricTable, NAMESPACE } from "../../adapters/aws/metrics.ts";
import { isAllowed } from "./iam.ts";
import { ACCOUNT, at, ofType, plain, ROOT, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";
import { sources } from "./rules-data.ts";

const alarms = (template: Template) => ofType(template, "AWS::CloudWatch::Alarm");
const board = (template: Template) =>
  String(at(template, "Resources.Dashboard.Properties.DashboardBody.Fn::Sub"));
const ALARM = (name: string) => `Resources.${name}.Properties`;

/** Every metric of an alarm, alone or in its expression: `NAMESPACE NAME`. */
function metricsOf(properties: unknown): string[] {
  const several = ((at(properties, "Metrics") ?? []) as object[]).filter(Boolean);
  const one = at(properties, "MetricName")
    ? [`${at(properties, "Namespace")} ${at(properties, "MetricName")}`]
    : [];
  const inside = several.flatMap((entry) => {
    const metric = at(entry, "MetricStat.Metric");
    return metric ? [`${at(metric, "Namespace")} ${at(metric, "MetricName")}`] : [];
  });
  return [...one, ...inside];
}

/** What somebody must be woken for. */
const WATCHED = [
  `${NAMESPACE} ImagesFailed`,
  `${NAMESPACE} MessagesReturned`,
  `${NAMESPACE} WebhooksFailed`,
  "AWS/SQS ApproximateNumberOfMessagesVisible",
  "AWS/SQS ApproximateAgeOfOldestMessage",
  "AWS/ApiGateway 5xx",
  "AWS/Lambda Throttles",
  "AWS/Lambda Errors",
];

export const watchRules: Rules = {
  "an alarm says what to look at, reaches somebody, and is quiet when nothing happens": {
    check: (template) =>
      each(
        alarms(template),
        "text, action or missing data",
        ({ Properties }) =>
          /Look at /.test(String(at(Properties, "AlarmDescription"))) &&
          String(at(Properties, "AlarmDescription")).length > 100 &&
          at(Properties, "AlarmActions.0.Ref") === "Alarms" &&
          at(Properties, "TreatMissingData") === "notBreaching",
      ),
    breaks: [
      [`${ALARM("ApiErrorsAlarm")}.AlarmDescription`, "The API is broken."],
      [`${ALARM("ThrottlesAlarm")}.AlarmActions`, undefined],
      [`${ALARM("ImagesFailedAlarm")}.TreatMissingData`, "breaching"],
    ],
  },
  "an alarm names commands and routes that there are": {
    check: (template) => {
      const routes = new Set(
        ofType(template, "AWS::ApiGatewayV2::Route").map(([, { Properties }]) => at(Properties, "RouteKey")),
      );
      const texts = alarms(template).map(([, { Properties }]) => String(at(Properties, "AlarmDescription")));
      const named = (pattern: RegExp) =>
        texts.flatMap((text) => [...text.matchAll(pattern)].map(([, one = ""]) => one));
      return [
        ...named(/`darkroom ([a-z]+)/g).filter((command) => !existsSync(`${ROOT}cli/${command}.ts`)),
        ...named(/`((?:GET|POST|DELETE) \/[\w/{}-]+)/g).filter((route) => !routes.has(route)),
      ].map((one) => `there is no ${one}`);
    },
    breaks: [
      [`${ALARM("ImagesFailedAlarm")}.AlarmDescription`, "Look at `darkroom mend`."],
      [`${ALARM("ImagesFailedAlarm")}.AlarmDescription`, "Look at `GET /admin/broken`."],
    ],
  },
  "what must wake somebody does": {
    check: (template) => {
      const watched = new Set(alarms(template).flatMap(([, { Properties }]) => metricsOf(Properties)));
      return WATCHED.filter((metric) => !watched.has(metric)).map((metric) => `nobody watches ${metric}`);
    },
    breaks: [
      ["Resources.ImagesFailedAlarm", undefined],
      [`${ALARM("ApiErrorsAlarm")}.MetricName`, "5XXError"],
    ],
  },
  "a function that nobody waits for has an alarm of its own": {
    check: (template) => {
      const scheduled = ofType(template, "AWS::Events::Rule").flatMap(([, { Properties }]) =>
        ((at(Properties, "Targets") ?? []) as object[]).map((one) => String(at(one, "Arn.Fn::GetAtt.0"))),
      );
      const watched = new Set(
        alarms(template)
          .filter(([, { Properties }]) => at(Properties, "MetricName") === "Errors")
          .map(([, { Properties }]) => String(at(Properties, "Dimensions.0.Value.Ref"))),
      );
      return [...scheduled, "WorkerLambdaFunction"]
        .filter((id) => !watched.has(id))
        .map((id) => `nobody watches ${id}`);
    },
    breaks: [
      ["Resources.SweepFailsAlarm", undefined],
      ["Resources.WorkerErrorsAlarm", undefined],
    ],
  },
  "dead letters that stay are noticed in every queue of them, in whoever's hands they are": {
    check: (template) => {
      const read = new Set(sources(template).map(({ queue }) => queue));
      const watched = new Set(
        alarms(template).flatMap(([, { Properties }]) =>
          [
            Properties,
            ...((at(Properties, "Metrics") ?? []) as object[]).map((one) => at(one, "MetricStat.Metric")),
          ].map((metric) => `${at(metric, "MetricName")} ${at(metric, "Dimensions.0.Value.Fn::GetAtt.0")}`),
        ),
      );
      return ofType(template, "AWS::SQS::Queue")
        .filter(([, { Properties }]) => at(Properties, "RedrivePolicy") === undefined)
        .flatMap(([id]) => ["Visible", ...(read.has(id) ? ["NotVisible"] : [])].map((state) => [id, state]))
        .filter(([id, state]) => !watched.has(`ApproximateNumberOfMessages${state} ${id}`))
        .map(([id, state]) => `nobody watches what is ${state} in ${id}`);
    },
    breaks: [
      [`${ALARM("DeadLettersStayAlarm")}.Metrics.2`, undefined],
      [`${ALARM("DeadLettersStayAlarm")}.Metrics.3`, undefined],
      ["Resources.WebhooksGivenUpAlarm", undefined],
    ],
  },
  "alarms and dashboard name metrics that the code counts, and the dashboard all of them": {
    check: (template) => {
      const counted = new Set<string>(Object.keys(metricTable));
      const inAlarms = alarms(template).flatMap(([, { Properties }]) => metricsOf(Properties));
      const ours = inAlarms
        .filter((one) => one.startsWith(`${NAMESPACE} `))
        .map((one) => one.split(" ")[1] ?? "");
      const onBoard = [...board(template).matchAll(new RegExp(`\\["${NAMESPACE}", "(\\w+)"`, "g"))].map(
        ([, name = ""]) => name,
      );
      return [
        ...[...ours, ...onBoard].filter((one) => !counted.has(one)).map((one) => `nothing counts ${one}`),
        ...[...counted]
          .filter((one) => !onBoard.includes(one))
          .map((one) => `${one} is not on the dashboard`),
      ];
    },
    breaks: [
      [`${ALARM("ImagesFailedAlarm")}.MetricName`, "ImageFailed"],
      ["Resources.Dashboard.Properties.DashboardBody.Fn::Sub", '{"widgets":[]}'],
    ],
  },
  "every queue is on the dashboard, and that is JSON": {
    check: (template) => {
      const text = board(template);
      try {
        JSON.parse(text);
      } catch (error) {
        return [`no JSON: ${error}`];
      }
      return ofType(template, "AWS::SQS::Queue")
        .filter(([id]) => !text.includes(`\${${id}.QueueName}`))
        .map(([id]) => `${id} is not on the dashboard`);
    },
    breaks: [["Resources.Dashboard.Properties.DashboardBody.Fn::Sub", "{"]],
  },
  "only this account's alarms speak to the topic": {
    check: (template) => {
      const publish = (account: string, service = "cloudwatch.amazonaws.com") =>
        isAllowed(template, undefined, {
          action: "sns:Publish",
          resource: String(plain({ Ref: "Alarms" }, template)),
          service,
          context: { "aws:SourceAccount": account },
        });
      return [
        ...(publish(ACCOUNT) ? [] : ["alarms may not"]),
        ...(publish("999999999999") ? ["those of others may"] : []),
        ...(publish(ACCOUNT, "s3.amazonaws.com") ? ["any service may"] : []),
      ];
    },
    breaks: [
      ["Resources.AlarmsPolicy.Properties.PolicyDocument.Statement.0.Condition", undefined],
      ["Resources.AlarmsPolicy.Properties.PolicyDocument.Statement.0.Principal", "*"],
      ["Resources.AlarmsPolicy.Properties.PolicyDocument.Statement.0.Action", "sns:Subscribe"],
    ],
  },
};
