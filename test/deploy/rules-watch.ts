/** Alarms and the dashboard, against the metrics that the code counts and the queues that there are. */
import { existsSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { metricTable, NAMESPACE } from "../../adapters/aws/metrics.ts";
import { isAllowed } from "./iam.ts";
import { ACCOUNT, at, ofType, plain, ROOT, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";
import { sources } from "./rules-data.ts";
import { board, inAlarms, shown, silent } from "./series.ts";

const alarms = (template: Template) => ofType(template, "AWS::CloudWatch::Alarm");
const ALARM = (name: string) => `Resources.${name}.Properties`;

const BOARD = "Resources.Dashboard.Properties.DashboardBody.Fn::Sub";
const BUDGET = "Resources.Budget.Properties";

/** A dashboard with one widget that searches, under the stack's name. */
function onlySearch(before: string, after = ""): string {
  const expression = `SEARCH('${before}\\"\${AWS::StackName}\\" ${after}', 'Sum', 300)`;
  return `{"widgets":[{"properties":{"title":"x","region":"x","metrics":[[{"expression":"${expression}"}]]}}]}`;
}

/** What somebody must be woken for. */
const WATCHED = [
  `${NAMESPACE} ImagesFailed`,
  `${NAMESPACE} MessagesReturned`,
  `${NAMESPACE} WebhooksFailed`,
  `${NAMESPACE} ReceiversDead`,
  `${NAMESPACE} ForgetsWaiting`,
  `${NAMESPACE} Mended`,
  `${NAMESPACE} SweepStopped`,
  "AWS/SQS ApproximateNumberOfMessagesVisible",
  "AWS/SQS ApproximateNumberOfMessagesNotVisible",
  "AWS/SQS ApproximateAgeOfOldestMessage",
  "AWS/ApiGateway 5xx",
  "AWS/Lambda Throttles",
  "AWS/Lambda Errors",
  "AWS/Lambda RecursiveInvocationsDropped",
  "AWS/CloudFront 5xxErrorRate",
];

export const watchRules: Rules = {
  "an alarm says what to look at, tells somebody when it begins and ends, and is quiet when nothing happens":
    {
      check: (template) =>
        each(
          alarms(template),
          "text, action or missing data",
          ({ Properties }) =>
            /Look at /.test(String(at(Properties, "AlarmDescription"))) &&
            String(at(Properties, "AlarmDescription")).length > 100 &&
            at(Properties, "AlarmActions.0.Ref") === "Alarms" &&
            at(Properties, "OKActions.0.Ref") === "Alarms" &&
            // What watches for silence hears nothing as just that.
            at(Properties, "TreatMissingData") ===
              (at(Properties, "ComparisonOperator") === "LessThanThreshold" ? "breaching" : "notBreaching"),
        ),
      breaks: [
        [`${ALARM("ApiErrorsAlarm")}.AlarmDescription`, "The API is broken."],
        [`${ALARM("ThrottlesAlarm")}.AlarmActions`, undefined],
        [`${ALARM("ThrottlesAlarm")}.OKActions`, undefined],
        [`${ALARM("SweepSilentAlarm")}.TreatMissingData`, "notBreaching"],
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
      const watched = new Set(inAlarms(template).map(({ namespace, name }) => `${namespace} ${name}`));
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
        inAlarms(template)
          .filter(({ namespace, name }) => namespace === "AWS/Lambda" && name === "Errors")
          .map(({ dimensions }) => String(dimensions["FunctionName"])),
      );
      return [...scheduled, "WorkerLambdaFunction"]
        .filter((id) => !watched.has(id))
        .map((id) => `nobody watches ${id}: it needs an alarm on Errors in deploy/infra/watch.yml`);
    },
    breaks: [
      ["Resources.SweepFailsAlarm", undefined],
      ["Resources.WorkerErrorsAlarm", undefined],
      [`${ALARM("ProbeFailsAlarm")}.Metrics.2`, undefined],
    ],
  },
  "a picture of our own is sent, and its alarm paid for, where that is asked for and nowhere else": {
    check: (template) => {
      const off = {
        ...template,
        Conditions: { ...template.Conditions, Probed: { "Fn::Equals": ["a", "b"] } },
      };
      const rule = (one: Template) => plain(at(one, "Resources.ProbeEventsRuleSchedule1.Properties"), one);
      return [
        ...(at(rule(template), "State") === "ENABLED" &&
        at(rule(template), "ScheduleExpression") === "rate(15 minutes)"
          ? []
          : ["it is not sent"]),
        ...(at(rule(off), "State") === "DISABLED" ? [] : ["sent, and nobody asked"]),
        ...(at(template, "Resources.ProbeFailsAlarm.Condition") === "Probed" ? [] : ["paid for by all"]),
      ];
    },
    breaks: [
      ["Resources.ProbeEventsRuleSchedule1.Properties.State", "ENABLED"],
      ["Resources.ProbeEventsRuleSchedule1.Properties.ScheduleExpression", "rate(1 day)"],
      ["Resources.ProbeFailsAlarm.Condition", undefined],
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
  "alarms and dashboard look at what something emits, and at all that the code counts": {
    check: (template) => [
      ...silent(template),
      ...Object.keys(metricTable)
        .filter((name) => !board(template).includes(`["${NAMESPACE}", "${name}"`))
        .map((name) => `${name} is not on the dashboard`),
    ],
    breaks: [
      [`${ALARM("ImagesFailedAlarm")}.MetricName`, "ImageFailed"],
      [`${ALARM("ApiErrorsAlarm")}.MetricName`, "5XXError"],
      [`${ALARM("ApiErrorsAlarm")}.Dimensions.0.Name`, "ApiName"],
      [`${ALARM("WorkerErrorsAlarm")}.Dimensions.0.Value`, { Ref: "AWS::StackName" }],
      [`${ALARM("CdnErrorsAlarm")}.Dimensions.1`, undefined],
      ["Resources.CdnErrorsAlarm.Condition", undefined],
      [`${ALARM("InFlightAlarm")}.Metrics.2.MetricStat.Metric.MetricName`, "NumberOfMessagesNotVisible"],
      ["Resources.Dashboard.Properties.DashboardBody.Fn::Sub", '{"widgets":[]}'],
      // As it was: no function is called like the stack.
      [BOARD, onlySearch("{AWS/Lambda,FunctionName} FunctionName=", 'MetricName=\\"Errors\\"')],
      [BOARD, onlySearch("{Darkroom,service,kind} service=")],
    ],
  },
  "every function is on the dashboard": {
    check: (template) =>
      ["ConcurrentExecutions", "Errors", "Throttles"].flatMap((metric) => {
        const there = shown(template, metric);
        return ofType(template, "AWS::Lambda::Function")
          .filter(([id]) => !there.has(id))
          .map(([id]) => `${id}: no ${metric}`);
      }),
    breaks: [["Resources.AnotherLambdaFunction", { Type: "AWS::Lambda::Function", Properties: {} }]],
  },
  "a budget tells the alarms' readers, where one is asked for": {
    check: (template) => {
      const may = isAllowed(template, undefined, {
        action: "sns:Publish",
        resource: String(plain({ Ref: "Alarms" }, template)),
        service: "budgets.amazonaws.com",
        context: { "aws:SourceAccount": ACCOUNT },
      });
      const notifications = (at(template, `${BUDGET}.NotificationsWithSubscribers`) ?? []) as object[];
      return [
        ...(may ? [] : ["budgets may not speak to the topic"]),
        ...(at(template, "Resources.Budget.Condition") === "Budgeted" ? [] : ["a budget nobody asked for"]),
        ...(isDeepStrictEqual(plain(at(template, `${BUDGET}.Budget.CostFilters.TagKeyValue`), template), [
          "user:darkroom:stage$dev",
        ])
          ? []
          : ["it counts another stack's costs"]),
        ...(notifications.length > 0 &&
        notifications.every((one) => at(one, "Subscribers.0.Address.Ref") === "Alarms")
          ? []
          : ["it tells nobody"]),
      ];
    },
    breaks: [
      ["Resources.Budget.Condition", undefined],
      [`${BUDGET}.Budget.CostFilters`, undefined],
      [`${BUDGET}.NotificationsWithSubscribers`, []],
      ["Resources.AlarmsPolicy.Properties.PolicyDocument.Statement.1.Principal.Service", "s3.amazonaws.com"],
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
