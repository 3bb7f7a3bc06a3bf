/**
 * Histories of another kind: pages that run the shipped client against the API's throttles, with the API away for a while.
 * Nothing in them is ever in two states at once, so they need no scheduler.
 */
import { rush } from "../../bench/waiting.ts";
import { Tally } from "./faults.ts";
import { seeded } from "./random.ts";
import type { Report } from "./world.ts";

/** What may be broken on purpose. */
export interface CrowdSabotage {
  /** Whoever asks for an image is throttled with those who want a signature. */
  readonly together?: boolean;
  /** What the client makes of an answer. */
  readonly reads?: (answer: Response) => Response;
}

/** A signature that nothing but its own throttle holds up, in seconds. */
const PROMPT = 3;

/** Lives through one rush and checks it. Throws where a promise is broken. */
export async function crowd(seed: number, { together = false, reads }: CrowdSabotage = {}): Promise<Report> {
  const random = seeded(seed);
  const tally = new Tally();
  const perSecond = 4 + random.below(8);
  // Up to half as much again as the API takes.
  const share = 0.5 + random();
  const isAway = random.chance(0.3);
  const from = random.below(20);
  const { random: real } = Math;
  // The client's own jitter.
  Math.random = random;
  const { uploads, signed, ready, gaveUp, signature, refused, minutes } = await rush({
    uploadsPerMinute: Math.ceil(60 * perSecond * share),
    minutes: 0.1 + random() / 8,
    requestsPerSecond: perSecond,
    burst: 2 * perSecond,
    workers: 1 + random.below(10),
    apart: !together,
    ...(isAway ? { outage: [from, from + 1 + random.below(300)] as const } : {}),
    ...(reads ? { reads } : {}),
  }).finally(() => {
    Math.random = real;
  });
  if (isAway) tally.count("API away");
  if (refused > 0) tally.count("API throttled (429)");
  if (gaveUp > 0 || ready < uploads)
    throw new Error(`${gaveUp} of ${uploads} pages gave up, and ${ready} images are ready`);
  const isFree = !isAway && share < 1;
  if (signed < uploads || (isFree && signature.most > PROMPT))
    throw new Error(`${signed} of ${uploads} are signed, the last after ${signature.most} s`);
  return {
    steps: 0,
    faults: tally.counts,
    refused,
    statuses: Array.from({ length: ready }, () => "ready"),
    swept: {},
    virtualMs: minutes * 60_000,
  };
}
