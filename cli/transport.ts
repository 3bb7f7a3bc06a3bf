/** How the command line sends bytes and waits: as the client does in Node, and it says who cannot be reached. */
import { node } from "../client/node.ts";
import type { Transport } from "../client/transport.ts";
import { CliError } from "./exit.ts";

export const transport: Transport = {
  ...node,
  async send(outgoing) {
    const arrival = await node.send(outgoing);
    return arrival.cause === undefined
      ? arrival
      : { ...arrival, cause: unreachable(outgoing.url, arrival.cause) };
  },
};

/** fetch's own message is "fetch failed". */
export function unreachable(url: string, error: unknown): CliError {
  const { message } = error instanceof Error && error.cause instanceof Error ? error.cause : Object(error);
  return new CliError(`${new URL(url).origin} cannot be reached: ${message}`);
}
