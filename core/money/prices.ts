/**
 * What AWS asks for, in US dollars: prices of eu-central-1 and, where they differ, of us-east-1, without free tiers and
 * discounts. Where to look: aws.amazon.com/lambda/pricing, /s3/pricing, /sqs/pricing, /api-gateway/pricing,
 * /cloudfront/pricing, /cloudwatch/pricing, /secrets-manager/pricing. Written down in November 2026 without those pages at
 * hand: CloudFront's, Lambda's and the requests' were compared with a list of somebody's, the rest is as generally known. An estimate made
 * of these says what an order of magnitude is, not what a bill will be: check the rows that matter before you rely on one.
 */
export const prices = {
  /** A second of one gigabyte on arm64. */
  lambdaGbSecond: {
    dollars: 0.0000133334,
    per: 1,
    beyond: [
      [7_500_000_000, 0.0000120001],
      [18_750_000_000, 0.0000106667],
    ],
  },
  lambdaRequest: { dollars: 0.2, per: 1_000_000 },
  /** PUT, COPY, POST and LIST; 0.005 in us-east-1. DELETE is free. */
  s3Write: { dollars: 0.0054, per: 1_000 },
  /** GET and HEAD; 0.0004 in us-east-1. */
  s3Read: { dollars: 0.00043, per: 1_000 },
  /** A gigabyte for a month, S3 Standard; 0.023 in us-east-1. */
  s3Storage: {
    dollars: 0.0245,
    per: 1,
    beyond: [
      [50_000, 0.0235],
      [500_000, 0.0225],
    ],
  },
  /** The same in classes that are read at once: Standard-IA and Glacier Instant Retrieval; and a move into them. */
  s3Infrequent: { dollars: 0.0135, per: 1 },
  s3Glacier: { dollars: 0.005, per: 1 },
  s3ToInfrequent: { dollars: 0.01, per: 1_000 },
  s3ToGlacier: { dollars: 0.02, per: 1_000 },
  /** An object that Intelligent-Tiering watches, a month; moving into it costs as into Standard-IA. */
  s3Watched: { dollars: 0.0025, per: 1_000 },
  /** Any request to a standard queue, up to 64 KB; a batch is one. */
  sqsRequest: { dollars: 0.4, per: 1_000_000 },
  /** HTTP API; 1.00 in us-east-1. */
  apiRequest: { dollars: 1.2, per: 1_000_000, beyond: [[300_000_000, 1.08]] },
  /** A gigabyte to viewers in Europe and North America. */
  cdnTransfer: {
    dollars: 0.085,
    per: 1,
    beyond: [
      [10_000, 0.08],
      [50_000, 0.06],
      [150_000, 0.04],
      [500_000, 0.03],
      [1_024_000, 0.025],
      [5_024_000, 0.02],
    ],
  },
  /** HTTPS, Europe; 0.0100 in North America. */
  cdnRequest: { dollars: 0.012, per: 10_000 },
  /** A path that CloudFront is asked to forget. */
  cdnForget: { dollars: 0, per: 1, beyond: [[1_000, 0.005]] },
  /** A gigabyte taken in; 0.50 in us-east-1. */
  logs: { dollars: 0.63, per: 1 },
  metric: { dollars: 0.3, per: 1 },
  alarm: { dollars: 0.1, per: 1 },
  dashboard: { dollars: 3, per: 1 },
  secret: { dollars: 0.4, per: 1 },
} as const satisfies Record<string, Price>;

interface Price {
  readonly dollars: number;
  readonly per: number;
  /** From so much in a month on, another price. */
  readonly beyond?: readonly (readonly [from: number, dollars: number])[];
}

export type PriceName = keyof typeof prices;
/** Of what AWS charges for. */
export type Amounts = Readonly<Partial<Record<PriceName, number>>>;

/** What they cost where they are a month's, in dollars. */
export function costOf(amounts: Amounts): number {
  return (Object.keys(amounts) as PriceName[]).reduce(
    (sum, name) => sum + priceOf(prices[name], amounts[name] ?? 0),
    0,
  );
}

/** Both together. */
export function sumOf(one: Amounts, other: Amounts): Amounts {
  const names = new Set([...Object.keys(one), ...Object.keys(other)] as PriceName[]);
  return Object.fromEntries([...names].map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]));
}

function priceOf({ dollars, per, beyond = [] }: Price, amount: number): number {
  const steps = [[0, dollars], ...beyond] as const;
  return steps.reduce((sum, [from, price], index) => {
    const to = steps[index + 1]?.[0] ?? Number.POSITIVE_INFINITY;
    return sum + (Math.max(0, Math.min(amount, to) - from) * price) / per;
  }, 0);
}

/** As `serverless.yml` says (a test compares). */
export const WORKER_GB = 2;
/** Messages of one invocation, as it says too. */
export const WORKER_BATCH = 1;
