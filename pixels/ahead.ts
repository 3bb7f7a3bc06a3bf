/** A pixel process that starts as soon as this is loaded: imported before all else, it is there when the rest is. */
import { Child } from "./spawn.ts";

let ahead: Child | undefined = new Child();

/** Whoever asks first gets it. */
export function startedAhead(): Child | undefined {
  const child = ahead;
  ahead = undefined;
  return child;
}
