/** One queue behind AWS's SQS client. */
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from "@aws-sdk/client-sqs";
import { DarkroomError } from "../../core/errors.ts";
import { inLanes } from "../../core/lanes.ts";
import type { Queue } from "../../core/ports.ts";

/** A client with our defaults; `config` wins over them. */
export function sqsClient(config: SQSClientConfig = {}): SQSClient {
  return new SQSClient({
    retryMode: "standard",
    maxAttempts: 5,
    // Else the SDK talks to the host in the queue's URL, whatever endpoint is set: some servers give names there
    // that do not resolve, and a URL of AWS's would take local messages to AWS.
    useQueueUrlAsEndpoint: false,
    // Both longer than the longest poll, 20 s.
    requestHandler: {
      connectionTimeout: 3_000,
      socketTimeout: 30_000,
      requestTimeout: 30_000,
      throwOnRequestTimeout: true,
    },
    ...config,
  });
}

/**
 * Whose messages begin chains of invocations of their own: what waits in them is one image's, and Lambda ends a function's
 * sixteenth invocation in a chain whatever its message is about.
 */
export function unchained(client: SQSClient): SQSClient {
  client.middlewareStack.remove("recursionDetectionMiddleware");
  return client;
}

/** How servers say that a receipt is no longer good: the message is gone, or somebody else's by now. */
const STALE = new Set([
  "ReceiptHandleIsInvalid",
  "MessageNotInflight",
  "AWS.SimpleQueueService.MessageNotInflight",
]);
const STALE_REASON = /does not exist or is not available|receipt handle has expired/;
function staleOrThrow(error: unknown): void {
  if (error instanceof Error && (STALE.has(error.name) || STALE_REASON.test(error.message))) return;
  throw error;
}

/** Fair queues are of July 2025; other servers know groups of FIFO queues alone, and say so by one of these. */
const isUnknownGroup = (error: unknown) =>
  error instanceof Error && /InvalidParameter|InvalidAttribute|UnsupportedOperation/.test(error.name);

/** SQS's own bound, in messages. */
const BATCH = 10;
/** Requests of one `sendMany` at once: 3,000 messages a second at 20 ms each. */
const LANES = 6;

export function sqsQueue(client: SQSClient, queueUrl: string): Queue {
  const QueueUrl = queueUrl;
  let groups = true;
  return {
    async send(body, { delaySeconds, group } = {}) {
      const message = {
        QueueUrl,
        MessageBody: body,
        ...(delaySeconds === undefined ? {} : { DelaySeconds: delaySeconds }),
      };
      const grouped = group === undefined || !groups ? message : { ...message, MessageGroupId: group };
      await client.send(new SendMessageCommand(grouped)).catch((error: unknown) => {
        if (grouped === message || !isUnknownGroup(error)) throw error;
        groups = false;
        return client.send(new SendMessageCommand(message));
      });
    },

    async sendMany(bodies) {
      const batches = Array.from({ length: Math.ceil(bodies.length / BATCH) }, (_, i) =>
        bodies.slice(i * BATCH, (i + 1) * BATCH),
      );
      await inLanes(batches, LANES, async (batch) => {
        const Entries = batch.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
        const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
        const [first] = Failed;
        // An answer of 200 may still hold messages that SQS did not take.
        if (first) {
          const what = `SQS did not take ${Failed.length} of ${batch.length} messages (${first.Code}).`;
          throw new DarkroomError("unavailable", what);
        }
      });
    },

    async backlog() {
      const name = "ApproximateNumberOfMessages";
      const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [name] }));
      return Number(answer.Attributes?.[name] ?? 0);
    },

    async receive({ max, waitSeconds, visibilitySeconds, signal }) {
      if (signal?.aborted) return [];
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: max,
        ...(waitSeconds === undefined ? {} : { WaitTimeSeconds: waitSeconds }),
        ...(visibilitySeconds === undefined ? {} : { VisibilityTimeout: visibilitySeconds }),
        // The older name of MessageSystemAttributeNames (2024), which every server knows.
        AttributeNames: ["All"],
      });
      const answer = await client
        .send(command, signal ? { abortSignal: signal } : {})
        .catch((error: unknown) => {
          if (signal?.aborted) return undefined;
          throw error;
        });
      return (answer?.Messages ?? []).map(({ MessageId, Body, ReceiptHandle, Attributes }) => ({
        id: MessageId ?? "",
        body: Body ?? "",
        receipt: ReceiptHandle ?? "",
        receives: Number(Attributes?.ApproximateReceiveCount ?? 1),
        sentAt: new Date(Number(Attributes?.SentTimestamp ?? 0)),
        trace: Attributes?.AWSTraceHeader,
      }));
    },

    async delete(receipt) {
      await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receipt })).catch(staleOrThrow);
    },

    async retryIn(receipt, seconds) {
      await client
        .send(
          new ChangeMessageVisibilityCommand({
            QueueUrl,
            ReceiptHandle: receipt,
            VisibilityTimeout: seconds,
          }),
        )
        .catch(staleOrThrow);
    },
  };
}
