/** What can be asked of SQS: one row an action, from its parameters to its result. */

import { describeError, sqsError } from "./errors.ts";
import {
  type Input,
  optionalInteger,
  optionalText,
  recordList,
  requiredText,
  textList,
  textMap,
} from "./input.ts";
import {
  changeVisibility,
  deleteMessage,
  MAX_BYTES,
  sendMessage,
  sizeOfMessage,
  toWire,
} from "./messages.ts";
import type { MoveTasks } from "./move-tasks.ts";
import { QueueError } from "./queue-rules.ts";
import type { LocalQueue, Queues } from "./queues.ts";

export interface Call {
  readonly queues: Queues;
  readonly tasks: MoveTasks;
  readonly input: Input;
  /** `X-Amzn-Trace-Id`: the trace header of the messages that this request sends. */
  readonly trace: string | undefined;
  /** Aborted when the client hangs up: a message must not go to nobody. */
  readonly signal: AbortSignal;
}

/** Gives the fields of the result, or a promise of them; nothing where SQS's result has none. */
type Action = (call: Call) => unknown;

export const actions: Readonly<Record<string, Action>> = {
  CreateQueue({ queues, input }) {
    const attributes = textMap(input, "Attributes");
    // The name of its JSON field is in lower case, alone among all.
    const tags = textMap(input, "tags" in input ? "tags" : "Tags");
    return { QueueUrl: queues.create(requiredText(input, "QueueName"), attributes, tags).url };
  },
  GetQueueUrl: ({ queues, input }) => ({ QueueUrl: queues.named(requiredText(input, "QueueName")).url }),
  ListQueues({ queues, input }) {
    const { page, NextToken } = paginate(queues.list(optionalText(input, "QueueNamePrefix")), input);
    return { QueueUrls: page.map(({ url }) => url), NextToken };
  },
  ListDeadLetterSourceQueues(call) {
    const { page, NextToken } = paginate(call.queues.sourcesOf(queueOf(call)), call.input);
    return { queueUrls: page.map(({ url }) => url), NextToken };
  },
  GetQueueAttributes: (call) => ({
    Attributes: call.queues.describe(queueOf(call), textList(call.input, "AttributeNames")),
  }),
  SetQueueAttributes: (call) => call.queues.setAttributes(queueOf(call), textMap(call.input, "Attributes")),
  ListQueueTags: (call) => ({ Tags: queueOf(call).tags }),
  TagQueue(call) {
    const queue = queueOf(call);
    return call.queues.setTags(queue, { ...queue.tags, ...textMap(call.input, "Tags") });
  },
  UntagQueue(call) {
    const queue = queueOf(call);
    const gone = textList(call.input, "TagKeys");
    const kept = Object.entries(queue.tags).filter(([key]) => !gone.includes(key));
    return call.queues.setTags(queue, Object.fromEntries(kept));
  },
  PurgeQueue: (call) => call.queues.purge(queueOf(call)),
  DeleteQueue: (call) => call.queues.delete(queueOf(call)),

  SendMessage: (call) => sendMessage(queueOf(call), call.input, call.trace),
  SendMessageBatch: (call) => {
    const queue = queueOf(call);
    const bytes = recordList(call.input, "Entries").reduce((sum, entry) => sum + sizeOfMessage(entry), 0);
    if (bytes > MAX_BYTES) {
      const reason = `Batch requests cannot be longer than ${MAX_BYTES} bytes. You have sent ${bytes} bytes.`;
      throw sqsError("BatchRequestTooLong", reason);
    }
    return batch(call, "SendMessageBatch", (entry) => sendMessage(queue, entry, call.trace));
  },
  async ReceiveMessage(call) {
    const { input, signal } = call;
    const waitSeconds = optionalInteger(input, "WaitTimeSeconds");
    const visibilitySeconds = optionalInteger(input, "VisibilityTimeout");
    const received = await queueOf(call).messages.receive({
      max: optionalInteger(input, "MaxNumberOfMessages") ?? 1,
      ...(waitSeconds === undefined ? {} : { waitSeconds }),
      ...(visibilitySeconds === undefined ? {} : { visibilitySeconds }),
      signal,
    });
    const system = [...textList(input, "AttributeNames"), ...textList(input, "MessageSystemAttributeNames")];
    const user = textList(input, "MessageAttributeNames");
    return received.length > 0 ? { Messages: received.map((message) => toWire(message, system, user)) } : {};
  },
  DeleteMessage: (call) => deleteMessage(queueOf(call), call.input),
  DeleteMessageBatch(call) {
    const queue = queueOf(call);
    return batch(call, "DeleteMessageBatch", (entry) => deleteMessage(queue, entry));
  },
  ChangeMessageVisibility: (call) => changeVisibility(queueOf(call), call.input),
  ChangeMessageVisibilityBatch(call) {
    const queue = queueOf(call);
    return batch(call, "ChangeMessageVisibilityBatch", (entry) => changeVisibility(queue, entry));
  },

  StartMessageMoveTask: ({ tasks, input }) => tasks.start(input),
  ListMessageMoveTasks: ({ tasks, input }) => tasks.list(input),
};

function queueOf({ queues, input }: Call): LocalQueue {
  return queues.at(requiredText(input, "QueueUrl"));
}

/** A page of at most `MaxResults`, starting after the name in `NextToken`; all at once where neither is given. */
function paginate(all: LocalQueue[], input: Input) {
  const after = Buffer.from(optionalText(input, "NextToken") ?? "", "base64url").toString();
  const rest = all.filter(({ name }) => name > after);
  const page = rest.slice(0, optionalInteger(input, "MaxResults") ?? 1_000);
  const last = page.at(-1)?.name;
  const more = last !== undefined && page.length < rest.length;
  return { page, NextToken: more ? Buffer.from(last).toString("base64url") : undefined };
}

/** Each entry on its own: what one of them is refused for does not hold back the others. */
async function batch({ input }: Call, action: string, run: (entry: Input) => unknown): Promise<object> {
  const entries = recordList(input, "Entries");
  if (entries.length === 0) {
    throw sqsError("EmptyBatchRequest", `There should be at least one ${action}RequestEntry in the request.`);
  }
  if (entries.length > 10) {
    const reason = `Maximum number of entries per request are 10. You have sent ${entries.length}.`;
    throw sqsError("TooManyEntriesInBatchRequest", reason);
  }
  const ids = entries.map((entry) => requiredText(entry, "Id"));
  if (!ids.every((id) => /^[A-Za-z0-9_-]{1,80}$/.test(id))) {
    const rule =
      "can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
    throw sqsError("InvalidBatchEntryId", `A batch entry id ${rule}`);
  }
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index);
  if (repeated !== undefined) throw sqsError("BatchEntryIdsNotDistinct", `Id ${repeated} repeated.`);

  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const entry of entries) {
    const Id = entry["Id"];
    try {
      Successful.push(Object.assign({ Id }, await run(entry)));
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      Failed.push({ Id, SenderFault: true, Code: describeError(error.code).query, Message: error.message });
    }
  }
  return { Successful, Failed };
}
