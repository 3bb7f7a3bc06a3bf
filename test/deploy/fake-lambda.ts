/** Lambda's answers about an account and its event sources, as AWS writes them. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

interface Account {
  readonly limit: number;
  readonly unreserved: number;
  /** By function. */
  readonly sources?: Readonly<Record<string, readonly { most: number; state?: string }[]>>;
}

export async function fakeLambda({ limit, unreserved, sources = {} }: Account) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://lambda");
    response.setHeader("content-type", "application/json");
    if (pathname === "/2016-08-19/account-settings") {
      const AccountLimit = { ConcurrentExecutions: limit, UnreservedConcurrentExecutions: unreserved };
      response.end(JSON.stringify({ AccountLimit, AccountUsage: { FunctionCount: 10 } }));
    } else if (pathname === "/2015-03-31/event-source-mappings") {
      const found = sources[searchParams.get("FunctionName") ?? ""] ?? [];
      const EventSourceMappings = found.map(({ most, state = "Enabled" }) => ({
        State: state,
        EventSourceArn: "arn:aws:sqs:eu-central-1:123456789012:darkroom-prod-images",
        ScalingConfig: { MaximumConcurrency: most },
      }));
      response.end(JSON.stringify({ EventSourceMappings }));
    } else {
      response.writeHead(404, { "x-amzn-errortype": "ResourceNotFoundException" }).end("{}");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    config: {
      region: "eu-central-1",
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
