/** A worker that changes bit by bit, where that is asked for. */
import { at, holds, ofType, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";

const ALIAS = "Resources.WorkerLiveLambdaAlias";
const GROUP = "Resources.GradualWorker.Properties";

/** The logical id of the worker's version. */
export const versionIn = (template: Template): string =>
  ofType(template, "AWS::Lambda::Version")
    .map(([id]) => id)
    .join();

/** Of mappings from the worker's queues. */
const workerSources = (template: Template) =>
  ofType(template, "AWS::Lambda::EventSourceMapping").filter(([id]) => id.startsWith("Worker"));

export const gradualRules: Rules = {
  "a worker that changes bit by bit is invoked by its alias, which an alarm brings back": {
    check: (template) => {
      if (!holds({ Condition: "Gradual" }, template))
        return at(template, ALIAS) || versionIn(template) ? ["an alias nobody asked for"] : [];
      const policy = at(template, `${ALIAS}.UpdatePolicy.CodeDeployLambdaAliasUpdate`);
      return [
        ...(workerSources(template).length === 2 ? [] : ["the worker has other queues"]),
        ...each(workerSources(template), "it passes the alias by", ({ Properties }) => {
          const target = JSON.stringify(at(Properties, "FunctionName"));
          return target.includes("WorkerLambdaFunction") && target.includes('"live"');
        }),
        ...(at(template, `${ALIAS}.Properties.FunctionVersion.Fn::GetAtt.0`) === versionIn(template)
          ? []
          : ["the alias names no version"]),
        // One that went would be missing when the alias goes back to it.
        ...each(
          ofType(template, "AWS::Lambda::Version"),
          "not kept",
          (one) => one.DeletionPolicy === "Retain",
        ),
        ...(at(policy, "ApplicationName.Ref") === "GradualApplication" &&
        at(policy, "DeploymentGroupName.Ref") === "GradualWorker"
          ? []
          : ["all at once"]),
        ...(at(template, `${GROUP}.DeploymentConfigName`) ===
        "CodeDeployDefault.LambdaCanary10Percent10Minutes"
          ? []
          : ["another share"]),
        ...(at(template, `${GROUP}.AlarmConfiguration.Alarms.0.Name.Ref`) === "WorkerErrorsAlarm" &&
        (at(template, `${GROUP}.AutoRollbackConfiguration.Events`) as string[]).includes(
          "DEPLOYMENT_STOP_ON_ALARM",
        )
          ? []
          : ["nothing brings it back"]),
      ];
    },
    breaks: [
      [`${ALIAS}.UpdatePolicy`, undefined],
      [`${ALIAS}.Properties.FunctionVersion`, "$LATEST"],
      ["Resources.VERSION.DeletionPolicy", undefined],
      [
        "Resources.WorkerEventSourceMappingSQSImagesQueue.Properties.FunctionName",
        { Ref: "WorkerLambdaFunction" },
      ],
      [`${GROUP}.AlarmConfiguration.Alarms`, []],
      [`${GROUP}.AutoRollbackConfiguration.Events`, ["DEPLOYMENT_FAILURE"]],
      [`${GROUP}.DeploymentConfigName`, "CodeDeployDefault.LambdaAllAtOnce"],
    ],
  },
};
