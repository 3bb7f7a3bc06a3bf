/** CloudFront, asked to forget what was deleted. */
import {
  CloudFrontClient,
  CreateInvalidationCommand,
  TooManyInvalidationsInProgress,
} from "@aws-sdk/client-cloudfront";

/** Resolves with false where as many invalidations are under way as CloudFront works on at a time. */
export function cloudFrontForget(DistributionId: string, client = new CloudFrontClient()) {
  return async (paths: readonly string[], reference: string): Promise<boolean> => {
    const command = new CreateInvalidationCommand({
      DistributionId,
      // The same reference with the same paths is the same invalidation, however often it is asked for.
      InvalidationBatch: {
        CallerReference: reference,
        Paths: { Quantity: paths.length, Items: [...paths] },
      },
    });
    try {
      await client.send(command);
      return true;
    } catch (error) {
      if (error instanceof TooManyInvalidationsInProgress) return false;
      throw error;
    }
  };
}
