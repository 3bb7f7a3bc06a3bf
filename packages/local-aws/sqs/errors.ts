import { QueueError } from "./queue-rules.ts";

/**
 * SQS's errors, one row each, by the code our `QueueError`s carry. JSON clients see `type`, clients of the older
 * Query protocol (and, through a header, JSON clients that still look for it) see `query`.
 */
interface SqsErrorRow {
  readonly status: number;
  /** Where it differs from the code. */
  readonly type?: string;
  readonly query?: string;
}

const table = {
  AccessDenied: { status: 403, type: "AccessDeniedException" },
  BatchEntryIdsNotDistinct: { status: 400, query: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct" },
  BatchRequestTooLong: { status: 400, query: "AWS.SimpleQueueService.BatchRequestTooLong" },
  EmptyBatchRequest: { status: 400, query: "AWS.SimpleQueueService.EmptyBatchRequest" },
  IncompleteSignature: { status: 400, type: "IncompleteSignatureException" },
  InternalFailure: { status: 500 },
  InvalidAction: { status: 400, type: "UnknownOperationException" },
  InvalidAddress: { status: 404 },
  InvalidAttributeName: { status: 400 },
  InvalidAttributeValue: { status: 400 },
  InvalidBatchEntryId: { status: 400, query: "AWS.SimpleQueueService.InvalidBatchEntryId" },
  InvalidClientTokenId: { status: 403, type: "UnrecognizedClientException" },
  InvalidMessageContents: { status: 400 },
  InvalidParameterValue: { status: 400, type: "InvalidParameterValueException" },
  MalformedInput: { status: 400, type: "SerializationException" },
  MissingAuthenticationToken: { status: 403, type: "MissingAuthenticationTokenException" },
  MissingParameter: { status: 400, type: "MissingRequiredParameterException" },
  OverLimit: { status: 403 },
  PurgeQueueInProgress: { status: 403, query: "AWS.SimpleQueueService.PurgeQueueInProgress" },
  QueueDoesNotExist: { status: 400, query: "AWS.SimpleQueueService.NonExistentQueue" },
  QueueNameExists: { status: 400, query: "QueueAlreadyExists" },
  ReceiptHandleIsInvalid: { status: 404 },
  RequestEntityTooLarge: { status: 413 },
  ResourceNotFoundException: { status: 404 },
  SignatureDoesNotMatch: { status: 403, type: "InvalidSignatureException" },
  TooManyEntriesInBatchRequest: { status: 400, query: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest" },
  UnsupportedOperation: { status: 400, query: "AWS.SimpleQueueService.UnsupportedOperation" },
} as const satisfies Record<string, SqsErrorRow>;

export type SqsCode = keyof typeof table;

/** SQS's internal name of an error, its HTTP status and both its wire names. */
export function describeError(code: string): { status: number; type: string; query: string } {
  const row: SqsErrorRow = Object.hasOwn(table, code) ? table[code as SqsCode] : table.InternalFailure;
  return { status: row.status, type: row.type ?? code, query: row.query ?? code };
}

/** One of SQS's errors; `code` is a row of the table. */
export function sqsError(code: SqsCode, message: string): QueueError {
  return new QueueError(code, message);
}
