/**
 * S3 is away while uploads go on coming (from the worker's side only, which is the worst of it), simulated with the back-off and
 * the receives that are deployed: what is given up, how full the queue gets, and how long after its return all is ready.
 */
import { backOff, PATIENT_RECEIVES } from "../adapters/aws/sqs-batch.ts";
import { parameters } from "../adapters/parameters.ts";
import { WORKER_BATCH } from "../core/money/prices.ts";
import { generator, service } from "./burst.ts";
import { type Report, round } from "./report.ts";

export interface Outage {
  readonly minutes: number;
  readonly uploadsPerSecond: number;
  readonly meanSeconds: number;
  readonly spread: number;
  readonly workers: number;
  readonly batch: number;
}
export interface Survived {
  /** Every receive used up. */
  readonly failed: number;
  /** From S3's return until every upload that came before it is ready. */
  readonly secondsAfter: number;
  readonly mostReceives: number;
  readonly mostInFlight: number;
}

/** As deployed. */
const WORKERS = Number(parameters.workers.default);
/** Photographs, one a second. */
export const PHOTOS: Outage = {
  minutes: 5,
  uploadsPerSecond: 1,
  meanSeconds: 3,
  spread: 0.6,
  workers: WORKERS,
  batch: WORKER_BATCH,
};
/** Of one message while S3 is away: the SDK's five tries. */
const TRY_SECONDS = 5;
/** Lambda takes back invocations from a source that brings errors: as if it began anew (services-sqs-scaling). */
const [FIRST, MORE_PER_SECOND] = [5, 5];
/** SQS hands out no more. */
const IN_FLIGHT = 120_000;

interface Message {
  receives: number;
}

export function survive(outage: Outage): Survived {
  const { minutes, uploadsPerSecond, workers, batch } = outage;
  const random = generator(1);
  const returns = minutes * 60;
  /** By second: what becomes visible, and how many workers become free. */
  const due = new Map<number, Message[]>();
  const freed = new Map<number, number>();
  const visible: Message[] = [];
  let [busy, inFlight, next, open] = [0, 0, 0, 0];
  const told = { failed: 0, secondsAfter: 0, mostReceives: 0, mostInFlight: 0 };

  const work = (second: number, messages: readonly Message[]): number => {
    let took = 0;
    for (const message of messages) {
      took += second < returns ? TRY_SECONDS : service(outage, random);
      if (second >= returns) {
        inFlight--;
        open--;
        told.secondsAfter = Math.max(told.secondsAfter, second + took - returns);
        continue;
      }
      const at = Math.ceil(second + took + backOff(message.receives, random()));
      due.set(at, [...(due.get(at) ?? []), message]);
    }
    return took;
  };

  for (let second = 0; second <= returns || open > 0; second++) {
    if (second < returns) {
      for (let n = 0; n < uploadsPerSecond; n++) visible.push({ receives: 0 });
      open += uploadsPerSecond;
    }
    for (const message of due.get(second) ?? []) {
      inFlight--;
      visible.push(message);
    }
    due.delete(second);
    busy -= freed.get(second) ?? 0;
    freed.delete(second);
    const allowed =
      second < returns ? workers : Math.min(workers, FIRST + MORE_PER_SECOND * (second - returns));
    while (busy < allowed && next < visible.length && inFlight < IN_FLIGHT) {
      const taken: Message[] = [];
      for (const message of visible.slice(next, next + batch)) {
        next++;
        if (message.receives >= PATIENT_RECEIVES) {
          told.failed++;
          open--;
          continue;
        }
        message.receives++;
        inFlight++;
        told.mostReceives = Math.max(told.mostReceives, message.receives);
        taken.push(message);
      }
      told.mostInFlight = Math.max(told.mostInFlight, inFlight);
      const until = Math.ceil(second + Math.max(1, work(second, taken)));
      busy++;
      freed.set(until, (freed.get(until) ?? 0) + 1);
    }
  }
  return told;
}

/** @param meanSeconds of the photograph that docs/cost.md counts with */
export function outage(meanSeconds: number): Report {
  const of = (minutes: number, workers: number) => survive({ ...PHOTOS, minutes, meanSeconds, workers });
  const table = [
    [5, WORKERS],
    [60, WORKERS],
    [600, WORKERS],
    [600, 50],
    [2880, WORKERS],
  ].map(([minutes = 0, workers = 0]) => ({ minutes, workers, ...of(minutes, workers) }));
  const rows = table.map(({ minutes, workers, failed, secondsAfter, mostReceives, mostInFlight }) => ({
    "S3 away": minutes < 120 ? `${minutes} min` : `${minutes / 60} h`,
    workers,
    failed,
    "all ready after its return": `${round(secondsAfter / 60, 1)} min`,
    "receives of one message": mostReceives,
    "most in flight": mostInFlight,
  }));
  const slowest = Math.max(...table.slice(0, 3).map(({ secondsAfter }) => secondsAfter));
  return {
    title: "S3 away, at one upload a second",
    on: `simulated: ${round(meanSeconds, 1)} s for an image on average, log-normal with a spread of ${PHOTOS.spread}, ${PHOTOS.batch} to a batch, back-off and receives as deployed, Lambda adding 300 workers a minute after the return.`,
    rows,
    figures: [
      {
        what: "S3 away for up to two days: uploads given up",
        value: table.reduce((sum, { failed }) => sum + failed, 0),
        unit: "uploads",
        atMost: 0,
      },
      {
        what: "5 minutes, an hour or ten, with the workers that are shipped: all are ready after its return",
        value: round(slowest / 60, 1),
        unit: "min",
        atMost: 20,
      },
    ],
  };
}
