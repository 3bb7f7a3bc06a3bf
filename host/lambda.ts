/** Runs the deployed handlers in this process, where a debugger can stop in them, with Lambda's context and time-out. */
import { randomUUID } from "node:crypto";
import type { Context } from "aws-lambda";
import type { FunctionTemplate } from "./template.ts";

export type Invoke = (event: unknown) => Promise<unknown>;

let loads = 0;

/**
 * A function to invoke. Its module is loaded at the first invocation, afresh for every call of `lambda`, so that a
 * stack started after another does not see the settings of the first.
 */
export function lambda({ name, file, timeoutSeconds, memoryMb }: FunctionTemplate, root: URL): Invoke {
  const module = new URL(`${file}?load=${++loads}`, root).href;
  let handler: Promise<(event: unknown, context: Context) => Promise<unknown>> | undefined;
  return async (event) => {
    handler ??= import(module).then(
      (loaded: { handler: Awaited<NonNullable<typeof handler>> }) => loaded.handler,
    );
    const run = await handler;
    const deadline = Date.now() + timeoutSeconds * 1000;
    let timer: NodeJS.Timeout | undefined;
    const timeOut = new Promise<never>((_, reject) => {
      const late = () => reject(new Error(`Task timed out after ${timeoutSeconds} seconds`));
      timer = setTimeout(late, timeoutSeconds * 1000).unref();
    });
    try {
      return await Promise.race([run(event, contextOf(name, memoryMb, deadline)), timeOut]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function contextOf(name: string, memoryMb: number, deadline: number): Context {
  const none = () => {};
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: name,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
    memoryLimitInMB: String(memoryMb),
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: "local",
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: none,
    fail: none,
    succeed: none,
  };
}
