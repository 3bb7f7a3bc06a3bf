/**
 * What AWS asks for, in US dollars: list prices of eu-central-1 and, where they differ, of us-east-1, without free
 * tiers and discounts, as published on 2026-11-01 (aws.amazon.com/lambda/pricing, /s3/pricing, /sqs/pricing). An
 * estimate made of these says what an order of magnitude is, not what a bill will be.
 */
export const prices = {
  /** A second of one gigabyte on arm64, first tier. */
  lambdaGbSecond: { dollars: 0.0000133334, per: 1 },
  lambdaRequest: { dollars: 0.2, per: 1_000_000 },
  /** PUT, COPY, POST and LIST; 0.005 in us-east-1. DELETE is free. */
  s3Write: { dollars: 0.0054, per: 1_000 },
  /** GET and HEAD; 0.0004 in us-east-1. */
  s3Read: { dollars: 0.00043, per: 1_000 },
  /** Any request to a standard queue, up to 64 KB; a batch is one. */
  sqsRequest: { dollars: 0.4, per: 1_000_000 },
} as const satisfies Record<string, { readonly dollars: number; readonly per: number }>;

export type Usage = Readonly<Record<keyof typeof prices, number>>;

/** What a usage costs, in dollars. */
export function costOf(usage: Usage): number {
  const names = Object.keys(prices) as (keyof typeof prices)[];
  return names.reduce((sum, name) => sum + (usage[name] * prices[name].dollars) / prices[name].per, 0);
}
