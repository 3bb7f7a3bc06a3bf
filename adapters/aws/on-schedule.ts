/** The edge of the functions that a schedule invokes: settings once per container, the outcome logged and counted. */
import middy from "@middy/core";
import type { Log } from "../../core/ports.ts";
import { jsonLog } from "../log.ts";
import { type Meter, meter } from "./metrics.ts";

export interface Scheduled<R extends object> {
  readonly logLevel: string | undefined;
  /** What the log calls a turn. */
  readonly name: string;
  /** Of the invocation's time, for what is under way when it is nearly over. */
  readonly reserveMs: number;
  /** One turn, whose outcome is a line of the log; nothing is begun after `until`. */
  readonly turn: (invocation: {
    readonly event: unknown;
    readonly until: Date;
    readonly log: Log;
    readonly count: Meter["count"];
  }) => Promise<R>;
}

/** @param setUp called at the first invocation, so that importing a function needs no environment */
export function onSchedule<R extends object>(setUp: () => Scheduled<R>) {
  const measured = meter();
  let made: Scheduled<R> | undefined;
  return middy<unknown, R>()
    .use(measured.middleware)
    .handler(async (event, context): Promise<R> => {
      made ??= setUp();
      const log = jsonLog(made.logLevel, { requestId: context.awsRequestId });
      const until = new Date(Date.now() + context.getRemainingTimeInMillis() - made.reserveMs);
      const outcome: R = await made.turn({ event, until, log, count: measured.count });
      log("info", made.name, Object.fromEntries(Object.entries(outcome)));
      return outcome;
    });
}
