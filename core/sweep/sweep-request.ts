/** What a sweep may be asked for, by a person or by the schedule, whose events say none of it. */
import * as v from "valibot";
import { DarkroomError } from "../errors.ts";
import { PATIENCE, type Patience } from "./diagnose.ts";

const span = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(36_500)));

const SweepRequest = v.object({
  /** A round from the beginning, now, whatever is under way or not due yet. */
  begin: v.optional(v.boolean(), false),
  /** The id of the stop that the sweep stands at, for it to go on. */
  confirm: v.optional(v.string()),
  /** How long things are left alone, where it should be other than usual; see `Patience`. */
  uploadMinutes: span,
  orphanHours: span,
  supersededDays: span,
  rejectedDays: span,
});

/**
 * @param usual the deployment's own; rejected originals stay where that says 0
 * @throws DarkroomError `bad-request`
 */
export function readSweepRequest(
  event: unknown,
  usual: { readonly supersededDays?: number | undefined; readonly rejectedDays?: number | undefined },
): { begin: boolean; confirm?: string; patience: Patience } {
  const parsed = v.safeParse(SweepRequest, event ?? {});
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new DarkroomError("bad-request", `${v.getDotPath(issue) ?? "the event"}: ${issue.message}`);
  }
  const { begin, confirm, uploadMinutes, orphanHours, ...asked } = parsed.output;
  const { supersededDays, rejectedDays } = { ...usual, ...asked };
  const spanOf = (count: number | undefined, unit: number, usual: number) =>
    count === undefined ? usual : count * unit;
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  return {
    begin,
    ...(confirm === undefined ? {} : { confirm }),
    patience: {
      upload: spanOf(uploadMinutes, minute, PATIENCE.upload),
      orphan: spanOf(orphanHours, hour, PATIENCE.orphan),
      superseded: spanOf(supersededDays, day, PATIENCE.superseded),
      // A person's 0 is at once.
      ...(rejectedDays || asked.rejectedDays === 0 ? { rejected: (rejectedDays ?? 0) * day } : {}),
    },
  };
}
