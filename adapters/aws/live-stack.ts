/** What a stack that is there already has. */
import {
  CloudFormationClient,
  type CloudFormationClientConfig,
  DescribeStackResourceCommand,
} from "@aws-sdk/client-cloudformation";

/** The bucket of originals. @throws where there is no such stack, or it has none yet */
export async function bucketOf(
  config: CloudFormationClientConfig,
  stack: string,
): Promise<string | undefined> {
  const client = new CloudFormationClient(config);
  try {
    const { StackResourceDetail } = await client.send(
      new DescribeStackResourceCommand({ StackName: stack, LogicalResourceId: "UploadsBucket" }),
    );
    return StackResourceDetail?.PhysicalResourceId;
  } finally {
    client.destroy();
  }
}
