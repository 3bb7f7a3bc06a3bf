/** Now and then, where that is asked for: a tiny picture goes the whole way, as anybody's does. */
import { setTimeout } from "node:timers/promises";
import { onSchedule } from "../adapters/aws/on-schedule.ts";
import { environment } from "../adapters/environment.ts";
import { mintToken } from "../adapters/http/mint.ts";
import { probe, readProbeRequest } from "../core/probe.ts";

/** Whose pictures these are: what is told of them says so. */
const OWNER = "darkroom-probe";

export const handler = onSchedule(() => {
  const {
    API_URL: api,
    AUTH_SECRET: secret,
    LOG_LEVEL: logLevel,
  } = environment("API_URL", "AUTH_SECRET", "LOG_LEVEL");
  if (api === undefined || secret === undefined) throw new Error("The probe needs API_URL and AUTH_SECRET.");
  return {
    logLevel,
    name: "probe",
    reserveMs: 0,
    async turn({ event, count }) {
      const { seconds } = readProbeRequest(event);
      const token = await mintToken(secret, OWNER, ["upload"], "10m");
      const now = () => new Date();
      const probed = await probe({ api, token, fetch, sleep: setTimeout, now }, seconds);
      count("ProbeTime", probed.ms);
      count("ProbesFailed", probed.step === "done" ? 0 : 1);
      return probed;
    },
  };
});
