/** What each function may do: the whole of it, which the template is held to. Logical ids stand for names. */
import { ACCOUNT, arnOf } from "./packaged.ts";

const UPLOADS = arnOf["AWS::S3::Bucket"]?.("UploadsBucket");
const MEDIA = arnOf["AWS::S3::Bucket"]?.("MediaBucket");
const queue = (id: string) => `arn:aws:sqs:eu-central-1:${ACCOUNT}:${id}`;
/** Without ListBucket a missing key is 403, and a delete could not be told from a refusal. */
const LIST = ["s3:ListBucket"];
const CONSUME = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/** Uploads in parts that would become an original again. */
const LIST_PARTS = ["s3:ListBucketMultipartUploads"];
const ABORT = ["s3:AbortMultipartUpload"];

const TELL = { [queue("EventsQueue")]: ["sqs:SendMessage"] };

/** By function: resource, and the actions on it. */
const table: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  presign: {
    [`${UPLOADS}/originals/*`]: ["s3:PutObject"],
  },
  multipart: {
    [`${UPLOADS}`]: LIST,
    [`${UPLOADS}/originals/*`]: [
      "s3:PutObject",
      "s3:GetObject",
      "s3:AbortMultipartUpload",
      "s3:ListMultipartUploadParts",
    ],
  },
  images: {
    ...TELL,
    [`${UPLOADS}`]: [...LIST, ...LIST_PARTS],
    [`${MEDIA}`]: LIST,
    [`${UPLOADS}/originals/*`]: ["s3:GetObject", "s3:DeleteObject", ...ABORT],
    [`${UPLOADS}/owners/*`]: ["s3:GetObject", "s3:PutObject"],
    [`${UPLOADS}/failures/*`]: ["s3:DeleteObject"],
    [`${MEDIA}/images/*/meta.json`]: ["s3:GetObject", "s3:PutObject"],
    [`${MEDIA}/images/*`]: ["s3:DeleteObject"],
  },
  reprocess: {
    [queue("BackfillQueue")]: ["sqs:SendMessage"],
    [`${UPLOADS}`]: LIST,
    [`${MEDIA}`]: LIST,
    [`${UPLOADS}/originals/*`]: ["s3:GetObject"],
    [`${UPLOADS}/jobs/*`]: ["s3:GetObject", "s3:PutObject"],
    [`${UPLOADS}/jobs/*/stopped/*`]: ["s3:DeleteObject"],
    [`${MEDIA}/images/*/meta.json`]: ["s3:GetObject"],
  },
  worker: {
    ...TELL,
    [queue("ImagesQueue")]: [...CONSUME, "sqs:ChangeMessageVisibility"],
    [queue("BackfillQueue")]: [...CONSUME, "sqs:ChangeMessageVisibility", "sqs:SendMessage"],
    [`${UPLOADS}`]: [...LIST, ...LIST_PARTS],
    [`${MEDIA}`]: LIST,
    [`${UPLOADS}/originals/*`]: ["s3:GetObject", "s3:DeleteObject", ...ABORT],
    [`${UPLOADS}/owners/*`]: ["s3:PutObject"],
    [`${UPLOADS}/failures/*`]: ["s3:PutObject", "s3:DeleteObject"],
    [`${UPLOADS}/jobs/*`]: ["s3:GetObject"],
    [`${UPLOADS}/jobs/*/pages/*`]: ["s3:PutObject"],
    [`${UPLOADS}/jobs/*/results/*`]: ["s3:PutObject"],
    [`${MEDIA}/images/*/meta.json`]: ["s3:GetObject"],
    [`${MEDIA}/images/*`]: ["s3:PutObject", "s3:DeleteObject"],
  },
  failures: {
    ...TELL,
    [queue("ImagesDeadLetters")]: CONSUME,
    [queue("BackfillDeadLetters")]: CONSUME,
    [`${UPLOADS}`]: [...LIST, ...LIST_PARTS],
    [`${MEDIA}`]: LIST,
    [`${UPLOADS}/originals/*`]: ["s3:GetObject", "s3:DeleteObject", ...ABORT],
    [`${UPLOADS}/owners/*`]: ["s3:PutObject"],
    [`${UPLOADS}/failures/*`]: ["s3:PutObject", "s3:DeleteObject"],
    [`${UPLOADS}/jobs/*/stopped/*`]: ["s3:PutObject"],
    [`${UPLOADS}/jobs/*/results/*`]: ["s3:GetObject", "s3:PutObject"],
    [`${MEDIA}/images/*/meta.json`]: ["s3:GetObject", "s3:PutObject"],
    [`${MEDIA}/images/*`]: ["s3:DeleteObject"],
  },
  sweep: {
    ...TELL,
    [queue("BackfillQueue")]: ["sqs:SendMessage"],
    [`${UPLOADS}`]: [...LIST, ...LIST_PARTS],
    [`${MEDIA}`]: LIST,
    [`${UPLOADS}/originals/*`]: ["s3:GetObject", "s3:DeleteObject", ...ABORT],
    [`${UPLOADS}/owners/*`]: ["s3:DeleteObject"],
    [`${UPLOADS}/failures/*`]: ["s3:PutObject", "s3:DeleteObject"],
    [`${UPLOADS}/sweep/*`]: ["s3:GetObject", "s3:PutObject"],
    [`${MEDIA}/images/*/meta.json`]: ["s3:GetObject", "s3:PutObject"],
    [`${MEDIA}/images/*`]: ["s3:DeleteObject"],
  },
  events: {
    [queue("EventsQueue")]: [...CONSUME, "sqs:ChangeMessageVisibility", "sqs:SendMessage"],
    [`${UPLOADS}/events/*`]: ["s3:PutObject", "s3:GetObject"],
    [`arn:aws:cloudfront::${ACCOUNT}:distribution/MediaDistribution`]: ["cloudfront:CreateInvalidation"],
  },
  webhooks: {
    ...TELL,
    [queue("EventsDeadLetters")]: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
    [`${UPLOADS}`]: LIST,
    [`${UPLOADS}/events/*`]: ["s3:GetObject"],
  },
};

/** `Allow ACTION RESOURCE`, one for each; every function writes its own logs, and X-Ray's segments where that is on. */
export function grants(name: string): ReadonlySet<string> {
  const logs = `arn:aws:logs:eu-central-1:${ACCOUNT}:log-group:/aws/lambda/darkroom-dev-${name}:*`;
  const all: Record<string, readonly string[]> = {
    ...table[name],
    [logs]: ["logs:CreateLogStream", "logs:PutLogEvents"],
    "*": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  };
  return new Set(
    Object.entries(all).flatMap(([resource, actions]) =>
      actions.map((action) => `Allow ${action} ${resource}`),
    ),
  );
}

/** The functions that the table speaks of. */
export const granted = Object.keys(table);
