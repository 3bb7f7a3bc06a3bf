/** An HTTP function that may be invoked without HTTP too: `aws lambda invoke`. */
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";
import { DarkroomError } from "../../core/errors.ts";
import { jsonLog } from "../log.ts";
import { api, parseJson, problemDocument } from "./api.ts";

/**
 * `api`, and for whoever IAM lets invoke the function, who is an admin, one of its routes: the event is the body, the
 * result the answer's JSON, a problem document included. What is unexpected fails the invocation.
 */
export function apiAndDirect(key: string, setUp: Parameters<typeof api>[0]) {
  let made: ReturnType<typeof setUp> | undefined;
  const http = api(() => (made ??= setUp()));
  return async (event: APIGatewayProxyEventV2 | object, context: Context): Promise<unknown> => {
    if ("routeKey" in event) return http(event, context);
    made ??= setUp();
    const log = jsonLog(made.logLevel, { requestId: context.awsRequestId });
    try {
      const answer = await made.routes[key]?.run({
        caller: { owner: "", scopes: new Set(["admin"]) },
        params: {},
        query: {},
        headers: {},
        body: (schema) => parseJson(event, schema),
        text: () => JSON.stringify(event),
        log,
      });
      return answer?.json;
    } catch (error) {
      if (!(error instanceof DarkroomError)) throw error;
      return problemDocument(error, context.awsRequestId).json;
    }
  };
}
