/**
 * What an account lets Lambda run at once, shared among the queues' consumers so that the API keeps something. A new account
 * has 10 in a region, for all of its functions, and cannot reserve any.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */

import { GetAccountSettingsCommand, LambdaClient, type LambdaClientConfig } from "@aws-sdk/client-lambda";

/** No event source on a queue goes below: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html */
export const LEAST = 2;
/** `sweep` and `parked`, which no queue starts. */
const SCHEDULED = 2;
/** Of the limit, what is left to whoever waits for an answer; two at least. */
const API_SHARE = 0.2;

/** Executions at once that nothing has reserved, in this account and region. @throws what the SDK throws */
export async function concurrencyLimit(config: LambdaClientConfig): Promise<number | undefined> {
  const client = new LambdaClient(config);
  try {
    const { AccountLimit } = await client.send(new GetAccountSettingsCommand({}));
    return AccountLimit?.UnreservedConcurrentExecutions;
  } finally {
    client.destroy();
  }
}

const forApi = (limit: number) => Math.max(2, Math.ceil(limit * API_SHARE));

/** The smallest limit under which all may have what they want. */
export const neededFor = (wanted: readonly number[]) =>
  Math.ceil((wanted.reduce((sum, one) => sum + one, 0) + SCHEDULED) / (1 - API_SHARE));

/**
 * What each consumer gets: what it wants where all of them fit, else two and a share of the rest as large as its wish.
 * @param limit of executions at once that nothing has reserved
 */
export function shared(limit: number, wanted: readonly number[]): number[] {
  const room = limit - forApi(limit) - SCHEDULED;
  if (wanted.reduce((sum, one) => sum + one, 0) <= room) return [...wanted];
  const rest = Math.max(0, room - LEAST * wanted.length);
  const wishes = wanted.map((one) => Math.max(0, one - LEAST));
  const all = wishes.reduce((sum, one) => sum + one, 0);
  return wishes.map((wish) => LEAST + (all === 0 ? 0 : Math.floor((rest * wish) / all)));
}

/** What to do about it, for a person. */
export const askForMore = (needed: number, region: string) =>
  `Ask AWS for ${Math.max(1000, needed)} (Service Quotas, AWS Lambda, Concurrent executions): aws service-quotas ` +
  "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 " +
  `--desired-value ${Math.max(1000, needed)} --region ${region}; then deploy again.`;
