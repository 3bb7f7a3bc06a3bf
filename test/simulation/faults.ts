/** Everything that goes wrong in the simulated world, one row each, and how often it did. */

/** What may happen to a call of a port while the storm lasts: the chance of each, per call. */
export const CALL_FAULTS = {
  "internal error (500)": 0.01,
  "slow down (503)": 0.02,
  "timed out": 0.008,
  "stale credentials (403)": 0.006,
} as const;
export type CallFault = keyof typeof CALL_FAULTS;
export const CALL_FAULT_CHANCE = Object.values(CALL_FAULTS).reduce<number>((sum, chance) => sum + chance, 0);

const table = {
  "crash between two steps": "an invocation dies before or after any call",
  "answer lost after the effect": "the SDK repeats the request, or the caller never knows",
  "internal error (500)": "a call fails before its effect",
  "slow down (503)": "S3 or SQS refuses for a moment",
  "timed out": "a call takes seconds to a minute, and fails",
  "stale credentials (403)": "a call is refused whose signature was good a moment ago",
  "race lost (412, 409, 404)": "a condition that does not hold any more",
  "racing write or delete (409)": "a conditional write is refused because another came at the same moment",
  "slow read": "the body of an answer takes up to a minute",
  "body cut short": "the connection breaks in the middle of an answer",
  "overwritten after its event": "the ETag changes between event and GET",
  "event twice": "S3 or SQS delivers a notification again",
  "events out of order": "a younger message is received first",
  "event late": "a notification or a redelivery comes minutes later",
  "event later than a day": "as after an outage, or from the dead letters, up to 14 days",
  "event lost": "a notification that never comes",
  "s3:TestEvent": "what S3 sends when notifications are configured",
  "malformed body": "a message that is none of ours",
  "several records in a message": "one of which may fail",
  "invocation out of time": "Lambda kills it at its time-out",
  "out of memory": "Lambda kills it in the middle of the pixels",
  "decoder crashed": "the child process dies, and another one begins again",
  "receive throttled": "counts as a receive, and hides the messages until their visibility ends",
  "clock off by minutes": "of one invocation, up to five minutes either way",
  "clock off by a day": "of one invocation, either way",
  "delete refused": "one of several, in the middle of a deletion",
  "dead letters redriven": "an operator moves them back",
  "S3 away": "every call fails for minutes to a day",
  "writes refused (403)": "a policy of one bucket is wrong for minutes to a day",
  "SQS away": "nothing is sent, received or deleted for minutes to a day",
  "function away": "every invocation of one function fails at once, for minutes to a day",
  "bucket emptied": "originals or the whole uploads bucket, with or without events",
  "bucket mis-addressed": "one sweep sees an empty bucket",
  "bucket restored late": "what was emptied comes back after sweeps have seen it empty",
  "originals expired": "a lifecycle rule somebody added",
  "receiver dead": "a webhook receiver answers with errors for minutes to a day",
  "receiver slow": "a webhook receiver takes up to the whole time-out",
  "deleted in bulk": "many images within a second",
  "deleted by a job": "all of an owner's, or some by name",
  "delete taken back": "an operator has versions kept",
  "two sweeps at once": "the schedule and a person",
  "time skipped": "hours to weeks, as of a laptop that sleeps, or of nobody who looks",
  "chain of invocations cut": "Lambda's recursion detection",
  "too many in flight": "SQS hands out no more messages",
  "too many invalidations": "CloudFront refuses more than so many at a time",
  "API away": "every answer is 503, and S3's too, for up to five minutes",
  "API throttled (429)":
    "a crowd asks for more than it allows; each crowd is one fault, each refusal a call refused",
  "left by the last release": "documents, index entries, events and messages as it wrote them",
  "poison that kills the worker": "a picture over which the invocation itself dies",
  "poison that stalls the worker": "a picture over which the invocation runs out of time",
} as const satisfies Record<string, string>;
export type FaultKind = keyof typeof table;
export const faultKinds: Readonly<Record<FaultKind, string>> = table;

/** An error of the world's making. */
export class Fault extends Error {}

export class Tally {
  readonly counts = new Map<FaultKind, number>();
  /** Calls refused by an outage, which counts as one fault. */
  refused = 0;

  count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  fault(kind: FaultKind): Fault {
    this.count(kind);
    return new Fault(kind);
  }

  get total(): number {
    let sum = 0;
    for (const count of this.counts.values()) sum += count;
    return sum;
  }
}
