/** Before a deployment: what the account lets run at once is read, and the functions' event sources are set to fit. */
import { askForMore, neededFor, shared } from "../adapters/aws/concurrency.ts";

/** Of a function in `serverless.yml`. */
export interface FunctionEvent {
  readonly sqs?: { maximumConcurrency?: number | string };
}

/**
 * Lowers `maximumConcurrency` of the events where the account's limit is too small for all of them.
 * @returns what to tell whoever deploys; undefined where everything fits
 */
export function lowerToFit(
  limit: number,
  events: readonly FunctionEvent[],
  region: string,
): string | undefined {
  const sources = events.flatMap(({ sqs }) => (sqs?.maximumConcurrency === undefined ? [] : [sqs]));
  const wanted = sources.map(({ maximumConcurrency }) => Number(maximumConcurrency));
  const needed = neededFor(wanted);
  if (limit >= needed) return undefined;
  const given = shared(limit, wanted);
  for (const [i, source] of sources.entries()) source.maximumConcurrency = given[i] ?? 2;
  return (
    `Lambda runs ${limit} functions at once in this account and region, and this stack would take ${needed} with the API: ` +
    `its queues' consumers get ${given.join(", ")} instead of ${wanted.join(", ")}. Everything works, more slowly. ` +
    askForMore(needed, region)
  );
}
