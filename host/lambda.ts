/** Runs the deployed handlers in this process, where a debugger can stop in them, with Lambda's context and time-out. */
import { randomUUID } from "node:crypto";
import { InvokeStore, InvokeStoreBase } from "@aws/lambda-invoke-store";
import type { Context } from "aws-lambda";
import { OURS } from "../adapters/project.ts";
import { nextTrace } from "./lineage.ts";
import type { FunctionTemplate } from "./template.ts";

/** @param chain trace headers of the messages in the event: what the invocation sends goes on from them */
export type Invoke = (event: unknown, chain?: readonly (string | undefined)[]) => Promise<unknown>;

let loads = 0;
/**
 * Where AWS's clients find the trace header that they send with every request. One for each invocation, as several run
 * here at once; and before the first client makes a store of its own, which knows one invocation only.
 */
const invocations = await InvokeStore.getInstanceAsync(true);
const TRACE = InvokeStoreBase.PROTECTED_KEYS.X_RAY_TRACE_ID;

/**
 * A function to invoke. Its module is loaded at the first invocation, afresh for every call of `lambda`, so that a
 * stack started after another does not see the settings of the first.
 */
export function lambda({ name, file, timeoutSeconds, memoryMb }: FunctionTemplate, root: URL = OURS): Invoke {
  const module = new URL(`${file}?load=${++loads}`, root).href;
  let handler: Promise<(event: unknown, context: Context) => Promise<unknown>> | undefined;
  return async (event, chain) => {
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
      const context = contextOf(name, memoryMb, deadline);
      const ran = invocations.run({ [TRACE]: nextTrace(name, chain) }, () => run(event, context));
      return await Promise.race([ran, timeOut]);
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
