/** Checks of what runs: whether the account lets enough of it run at once, and whether the queues are taken from. */
import { GetAccountSettingsCommand, ListEventSourceMappingsCommand } from "@aws-sdk/client-lambda";
import { askForMore, neededFor } from "../../adapters/aws/concurrency.ts";
import { type Check, deploymentOf, type Finding, NotChecked, type Patient } from "./check.ts";

/** Those that take from queues; the worker by its alias where it changes bit by bit (`gradual`). */
const CONSUMERS = ["worker", "worker:live", "failures", "events", "imports"];

const concurrency: Check = {
  name: "concurrency",
  async run(patient) {
    const sources = await sourcesOf(patient);
    const { AccountLimit } = await patient.lambda.send(new GetAccountSettingsCommand({}));
    const limit = AccountLimit?.UnreservedConcurrentExecutions ?? 0;
    const most = sources.map(({ ScalingConfig }) => ScalingConfig?.MaximumConcurrency ?? limit);
    const findings: Finding[] = sources
      .filter(({ State }) => State !== "Enabled" && State !== "Updating" && State !== "Enabling")
      .map(({ EventSourceArn = "", State }) => ({
        message: `Nobody takes from the queue ${EventSourceArn.split(":").at(-1)}: its event source is ${State}.`,
        advice: "Enable it (Lambda, the function, Configuration, Triggers), or deploy again.",
      }));
    const needed = neededFor(most);
    if (limit < needed)
      findings.push({
        message: `Lambda runs ${limit} functions at once here (unreserved); this stack's queues take up to ${most.join(" + ")}, so that the API may be refused under load.`,
        advice: askForMore(needed, await patient.lambda.config.region()),
      });
    return findings;
  },
};

async function sourcesOf(patient: Patient) {
  const { stack } = deploymentOf(patient);
  if (stack === undefined) throw new NotChecked("this is no Lambda");
  const found = await Promise.all(
    CONSUMERS.map((name) =>
      patient.lambda
        .send(new ListEventSourceMappingsCommand({ FunctionName: `${stack}-${name}` }))
        .catch((error: Error) => {
          if (error.name !== "ResourceNotFoundException" || !name.includes(":")) throw error;
          return { EventSourceMappings: [] };
        }),
    ),
  );
  const all = found.flatMap(({ EventSourceMappings = [] }) => EventSourceMappings);
  // Each once, should the function's name stand for its aliases too.
  return [...new Map(all.map((source, i) => [source.UUID ?? i, source])).values()];
}

export const functionChecks = [concurrency];
