/** CloudFront, asked to forget what was deleted. */
import { CloudFrontClient, CreateInvalidationCommand } from "@aws-sdk/client-cloudfront";

/** Throttling, and too many invalidations under way, are errors like any other: a later try succeeds. */
export function cloudFrontForget(DistributionId: string, client = new CloudFrontClient()) {
  return async (path: string, reference: string): Promise<void> => {
    await client.send(
      new CreateInvalidationCommand({
        DistributionId,
        // The same reference with the same path is the same invalidation, however often it is asked for.
        InvalidationBatch: { CallerReference: reference, Paths: { Quantity: 1, Items: [path] } },
      }),
    );
  };
}
