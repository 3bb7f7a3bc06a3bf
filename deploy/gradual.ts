/** The worker behind an alias, which CloudFormation moves to a new version bit by bit. */

/** Of a function in `serverless.yml`, as the CLI has it. */
export interface Versioned {
  versionFunction?: boolean;
  /** What its events invoke in place of the function itself. */
  targetAlias?: { name: string; logicalId: string };
  /** The CLI's, of the version that it has made. */
  versionLogicalId?: string;
}

const ALIAS = { name: "live", logicalId: "WorkerLiveLambdaAlias" };

/** Before the CLI makes the function: with a version for each change, and events that invoke the alias. */
export function makeGradual(worker: Versioned): void {
  worker.versionFunction = true;
  worker.targetAlias = ALIAS;
}

/** Once it has: the alias itself. What it needs beside is in deploy/infra/gradual.yml. */
export function aliasOf({ versionLogicalId }: Versioned): Record<string, object> {
  if (versionLogicalId === undefined) throw new Error("The worker has no version.");
  const FunctionVersion = { "Fn::GetAtt": [versionLogicalId, "Version"] };
  return {
    [ALIAS.logicalId]: {
      Type: "AWS::Lambda::Alias",
      Properties: { Name: ALIAS.name, FunctionName: { Ref: "WorkerLambdaFunction" }, FunctionVersion },
      UpdatePolicy: {
        CodeDeployLambdaAliasUpdate: {
          ApplicationName: { Ref: "GradualApplication" },
          DeploymentGroupName: { Ref: "GradualWorker" },
        },
      },
    },
  };
}
