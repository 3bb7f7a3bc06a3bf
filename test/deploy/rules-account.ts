/** What an account asks of a stack: names that fit, and things that only another account would have. */
import { longestStage, SUFFIX_ROOM } from "../../deploy/names.ts";
import { at, functionsOf, ofType, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";

/** Where a name stands, and how long it may be. */
const NAMED: Readonly<Record<string, readonly [path: string, most: number]>> = {
  "AWS::S3::Bucket": ["BucketName", 63 - SUFFIX_ROOM],
  "AWS::Lambda::Function": ["FunctionName", 64],
  "AWS::SQS::Queue": ["QueueName", 80],
  "AWS::IAM::Role": ["RoleName", 64],
  "AWS::CloudFront::OriginAccessControl": ["OriginAccessControlConfig.Name", 64],
  "AWS::CloudFront::CachePolicy": ["CachePolicyConfig.Name", 128],
  "AWS::CloudFront::ResponseHeadersPolicy": ["ResponseHeadersPolicyConfig.Name", 128],
  "AWS::CloudWatch::Dashboard": ["DashboardName", 255],
  "AWS::Logs::LogGroup": ["LogGroupName", 512],
};

/** A name as it is in a region of the longest name, at the longest stage that is let through. */
function atItsLongest(name: unknown, template: Template): string {
  const region = "ap-southeast-1";
  const functions = functionsOf(template).map((fn) => fn.name);
  const stage = "s".repeat(longestStage({ service: "darkroom", region, suffix: "", functions }));
  return String(at(name, "Fn::Sub") ?? name)
    .replaceAll("${AWS::AccountId}", "0".repeat(12))
    .replaceAll("${AWS::Region}", region)
    .replaceAll("${AWS::StackName}", "darkroom-dev")
    .replace("darkroom-dev", `darkroom-${stage}`);
}

export const accountRules: Rules = {
  "every name fits at the longest stage that is let through, in the region of the longest name": {
    check: (template) =>
      Object.entries(NAMED).flatMap(([type, [path, most]]) =>
        each(ofType(template, type), `a name of more than ${most} characters`, ({ Properties }) => {
          const name = at(Properties, path);
          return name === undefined || atItsLongest(name, template).length <= most;
        }),
      ),
    breaks: [
      [
        "Resources.UploadsBucket.Properties.BucketName",
        "darkroom-dev-originals-${AWS::AccountId}-${AWS::Region}",
      ],
      ["Resources.EventsQueue.Properties.QueueName", `darkroom-dev-${"q".repeat(64)}`],
      ["Resources.WorkerLambdaFunction.Properties.FunctionName", `darkroom-dev-${"w".repeat(47)}-w`],
    ],
  },
};
