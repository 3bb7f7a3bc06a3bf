/** A schedule of EventBridge: invokes every so often, one invocation at a time. */
import { randomUUID } from "node:crypto";
import { errorFields } from "../adapters/log.ts";
import type { Log } from "../core/ports.ts";

export function startSchedule(invoke: () => Promise<void>, everyMs: number, log: Log): { stop(): void } {
  let running = false;
  const turn = async () => {
    // On a laptop that slept, or is slow.
    if (running) return;
    running = true;
    await invoke().catch((error: unknown) => log("error", "invocation failed", errorFields(error)));
    running = false;
  };
  const timer = setInterval(() => void turn(), everyMs);
  return { stop: () => clearInterval(timer) };
}

export function scheduledEvent(): Record<string, unknown> {
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Scheduled Event",
    source: "aws.events",
    account: "000000000000",
    time: new Date().toISOString(),
    region: "us-east-1",
    resources: [],
    detail: {},
  };
}
