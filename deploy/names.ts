/**
 * Whether what AWS asks of names holds for those that a stage makes: CloudFormation says it when half of the stack is there.
 */

export interface Place {
  readonly service: string;
  readonly stage: string;
  readonly region: string;
  /** The parameter `bucketSuffix`. */
  readonly suffix: string;
  /** Of the functions. */
  readonly functions: readonly string[];
}

const ACCOUNT_DIGITS = "0".repeat(12);
/**
 * Room that is kept for a `bucketSuffix` where none is set: whoever takes a stack down, keeps its buckets and starts again
 * could not lengthen the names otherwise.
 */
export const SUFFIX_ROOM = 5;

/** Every name of a stage that AWS bounds, at its longest. `serverless.yml` and `deploy/infra/` give them; a test compares. */
const names = ({ service, stage, region, suffix, functions }: Place) => [
  ...["uploads", "media"].map((role) => ({
    what: `the bucket of ${role}`,
    name: `${service}-${stage}-${role}-${ACCOUNT_DIGITS}-${region}${suffix.padEnd(SUFFIX_ROOM, "-")}`,
    most: 63,
  })),
  ...functions.map((name) => ({
    what: `the function ${name}`,
    name: `${service}-${stage}-${name}`,
    most: 64,
  })),
  { what: "a queue", name: `${service}-${stage}-backfill-dead-letters`, most: 80 },
  { what: "the CDN's access control", name: `${service}-${stage}-static-${region}`, most: 64 },
];

/** How many characters a stage's name may have. */
export function longestStage(place: Omit<Place, "stage">): number {
  return Math.min(...names({ ...place, stage: "" }).map(({ name, most }) => most - name.length));
}

/** Partitions of their own, by how their regions begin: no CloudFront, or another, and other certificates and addresses. */
const ELSEWHERE = /^(cn|us-gov|us-iso[a-z]*|eu-isoe|eusc)-/;

/** @throws Error where Darkroom does not work in a region */
export function checkRegion(region: string): void {
  if (ELSEWHERE.test(region))
    throw new Error(
      `${region} is of another partition than AWS's public regions (China, GovCloud, sovereign clouds): CloudFront is missing ` +
        "or a service of its own there, and this stack is made for the public one. docs/outside-aws.md has the way without it.",
    );
}

/** @throws Error that says what is wrong with the stage's or the service's name, and what would do */
export function checkNames(place: Place): void {
  // As buckets' names have it; CloudFormation wants a letter before a stack's.
  for (const word of ["service", "stage"] as const)
    if (!(word === "service" ? /^[a-z][a-z0-9-]*$/ : /^[a-z0-9-]+$/).test(place[word]))
      throw new Error(
        `The ${word} "${place[word]}" would be part of buckets' names: lower-case letters, digits and dashes, please.`,
      );
  const [worst] = names(place)
    .map(({ what, name, most }) => ({ what, most, over: name.length - most }))
    .sort((a, b) => b.over - a.over);
  if (worst && worst.over > 0)
    throw new Error(
      `The stage "${place.stage}" is too long: ${worst.what} may have ${worst.most} characters with account, ` +
        `region and a bucketSuffix, and a stage in ${place.region} ${Math.max(0, longestStage(place))}.`,
    );
}
