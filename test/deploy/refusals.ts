/** What no function may do, or not this one: each an attack that somebody who runs code in it would try. */
import { ACCOUNT, arnOf } from "./packaged.ts";

type Refusal = readonly [action: string, resource: string];

const UPLOADS = "arn:aws:s3:::UploadsBucket";
const MEDIA = "arn:aws:s3:::MediaBucket";
const queue = (id: string) => arnOf["AWS::SQS::Queue"]?.(id) ?? "";
const secret = (id: string) => arnOf["AWS::SecretsManager::Secret"]?.(id) ?? "";

/** Takes the account over, or opens what is shut. */
const NOBODY: readonly Refusal[] = [
  ["s3:PutBucketPolicy", UPLOADS],
  ["s3:DeleteBucketPolicy", MEDIA],
  ["s3:PutBucketPublicAccessBlock", UPLOADS],
  ["s3:PutBucketCORS", UPLOADS],
  ["s3:PutBucketNotification", UPLOADS],
  ["s3:PutLifecycleConfiguration", UPLOADS],
  ["s3:DeleteBucket", MEDIA],
  // A delete that can be taken back is final for whoever is no operator, and nobody ends it earlier.
  ["s3:PutBucketVersioning", UPLOADS],
  ...["s3:GetObjectVersion", "s3:DeleteObjectVersion"].flatMap((action): Refusal[] => [
    [action, `${UPLOADS}/originals/x`],
    [action, `${MEDIA}/images/x/meta.json`],
  ]),
  ["s3:ListBucketVersions", MEDIA],
  ["s3:PutObjectAcl", `${UPLOADS}/originals/x`],
  ["s3:ListAllMyBuckets", "*"],
  ["s3:GetObject", "arn:aws:s3:::somebody-elses/originals/x"],
  ["s3:PutObject", "arn:aws:s3:::somebody-elses/images/x"],
  // Outside of the prefixes that roles name.
  ...["s3:GetObject", "s3:PutObject", "s3:DeleteObject"].flatMap((action): Refusal[] => [
    [action, `${UPLOADS}/elsewhere`],
    [action, `${MEDIA}/elsewhere`],
    [action, `${MEDIA}/static/1/a.css`],
  ]),
  ["s3:DeleteObject", `${UPLOADS}/events/2026-11-20/x.json`],
  ["sqs:PurgeQueue", queue("ImagesQueue")],
  ["sqs:DeleteQueue", queue("ImagesDeadLetters")],
  ["sqs:SetQueueAttributes", queue("ImagesQueue")],
  ["sqs:SendMessage", queue("ImagesDeadLetters")],
  ["iam:PassRole", arnOf["AWS::IAM::Role"]?.("WorkerRole") ?? ""],
  ["iam:PutRolePolicy", arnOf["AWS::IAM::Role"]?.("PresignRole") ?? ""],
  ["sts:AssumeRole", arnOf["AWS::IAM::Role"]?.("ImagesRole") ?? ""],
  ["lambda:InvokeFunction", arnOf["AWS::Lambda::Function"]?.("PresignLambdaFunction") ?? ""],
  ["lambda:UpdateFunctionCode", arnOf["AWS::Lambda::Function"]?.("WorkerLambdaFunction") ?? ""],
  ["lambda:GetFunctionConfiguration", arnOf["AWS::Lambda::Function"]?.("PresignLambdaFunction") ?? ""],
  // Resolved at deployment: no function reads a secret, and none could hand one on.
  ["secretsmanager:GetSecretValue", secret("AuthSecret")],
  ["secretsmanager:GetSecretValue", secret("SealSecret")],
  ["secretsmanager:GetSecretValue", secret("WebhookSecret")],
  ["sqs:SendMessage", queue("EventsDeadLetters")],
  ["ssm:GetParameter", `arn:aws:ssm:eu-central-1:${ACCOUNT}:parameter/x`],
  ["kms:Decrypt", `arn:aws:kms:eu-central-1:${ACCOUNT}:key/x`],
  ["ec2:RunInstances", "*"],
  ["logs:CreateLogGroup", "*"],
  [
    "logs:GetLogEvents",
    `arn:aws:logs:eu-central-1:${ACCOUNT}:log-group:/aws/lambda/darkroom-dev-presign:log-stream:x`,
  ],
  ["cloudformation:UpdateStack", "*"],
  ["cloudfront:UpdateDistribution", arnOf["AWS::CloudFront::Distribution"]?.("MediaDistribution") ?? ""],
];

/** Only the sweep takes an image off its owner's list. */
const UNLIST: Refusal = ["s3:DeleteObject", `${UPLOADS}/owners/o/1-x`];

/** Of one function what others may. */
const own: Readonly<Record<string, readonly Refusal[]>> = {
  presign: [
    UNLIST,
    ["s3:GetObject", `${UPLOADS}/originals/x`],
    ["s3:DeleteObject", `${UPLOADS}/originals/x`],
    ["s3:ListBucket", UPLOADS],
    ["s3:ListMultipartUploadParts", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/owners/o/1-x`],
    ["s3:PutObject", `${UPLOADS}/jobs/1/job.json`],
    ["s3:PutObject", `${MEDIA}/images/x/meta.json`],
    ["s3:PutObject", `${MEDIA}/private/o/x/meta.json`],
    ["s3:GetObject", `${MEDIA}/images/x/meta.json`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("ImagesQueue")],
  ],
  multipart: [
    UNLIST,
    ["s3:DeleteObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/owners/o/1-x`],
    ["s3:ListBucket", MEDIA],
    ["s3:GetObject", `${MEDIA}/images/x/meta.json`],
    ["s3:PutObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:PutObject", `${MEDIA}/private/o/x/w320.avif`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("ImagesQueue")],
  ],
  images: [
    UNLIST,
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/held/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/private/o/x/w320.avif`],
    ["s3:PutObject", `${UPLOADS}/failures/failed/x.json`],
    ["s3:GetObject", `${UPLOADS}/jobs/1/job.json`],
    ["sqs:SendMessage", queue("BackfillQueue")],
    ["sqs:ReceiveMessage", queue("ImagesQueue")],
  ],
  reprocess: [
    UNLIST,
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:GetObject", `${UPLOADS}/owners/o/1-x`],
    ["s3:DeleteObject", `${UPLOADS}/jobs/1/job.json`],
    ["s3:PutObject", `${UPLOADS}/sweep/stopped.json`],
    ["s3:GetObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/private/o/x/w320.avif`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("BackfillQueue")],
  ],
  // Whoever breaks out of the decoder and into its parent: no original can be made or changed, nothing of another
  // kind be published, nobody's list be read.
  worker: [
    UNLIST,
    ["s3:PutObject", `${UPLOADS}/jobs/1/job.json`],
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/edits/x.json`],
    ["s3:GetObject", `${UPLOADS}/owners/o/1-x`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("ImagesDeadLetters")],
  ],
  failures: [
    UNLIST,
    ["s3:PutObject", `${UPLOADS}/jobs/1/job.json`],
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:PutObject", `${MEDIA}/private/o/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/private/o/x/w320.avif`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("ImagesQueue")],
  ],
  // It may delete anything of an image, and make nothing that anybody is served.
  sweep: [
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/owners/o/1-x`],
    ["s3:GetObject", `${UPLOADS}/owners/o/1-x`],
    ["s3:PutObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:PutObject", `${MEDIA}/private/o/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/images/x/w320.avif`],
    ["s3:GetObject", `${MEDIA}/private/o/x/w320.avif`],
    ["s3:DeleteObject", `${UPLOADS}/sweep/cursor.json`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("BackfillQueue")],
  ],
  // It talks to strangers: of the images themselves it sees nothing.
  events: [
    UNLIST,
    ["s3:GetObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:GetObject", `${MEDIA}/images/x/meta.json`],
    ["s3:GetObject", `${UPLOADS}/deliveries/x`],
    ["s3:PutObject", `${MEDIA}/images/x/meta.json`],
    ["s3:PutObject", `${MEDIA}/private/o/x/meta.json`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:ReceiveMessage", queue("ImagesQueue")],
    ["cloudfront:CreateInvalidation", arnOf["AWS::CloudFront::Distribution"]?.("MediaDistribution") ?? ""],
  ],
  // It reads what strangers serve: of the images there are it sees nothing, and makes nothing that anybody is served.
  imports: [
    UNLIST,
    ["s3:GetObject", `${UPLOADS}/originals/x`],
    ["s3:DeleteObject", `${UPLOADS}/originals/x`],
    ["s3:GetObject", `${UPLOADS}/jobs/1/results/0000000-1/x`],
    ["s3:PutObject", `${UPLOADS}/jobs/1/job.json`],
    ["s3:PutObject", `${UPLOADS}/owners/o/1-x`],
    ["s3:PutObject", `${MEDIA}/images/x/meta.json`],
    ["s3:PutObject", `${MEDIA}/private/o/x/meta.json`],
    ["s3:GetObject", `${MEDIA}/images/x/w320.avif`],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["sqs:SendMessage", queue("BackfillQueue")],
    ["sqs:ReceiveMessage", queue("ImagesQueue")],
  ],
  // It has a token, and goes by the API.
  probe: [
    UNLIST,
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:GetObject", `${MEDIA}/images/x/meta.json`],
    ["sqs:SendMessage", queue("ImagesQueue")],
  ],
  parked: [
    UNLIST,
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/deliveries/x`],
    ["s3:PutObject", `${MEDIA}/images/x/meta.json`],
    ["s3:PutObject", `${MEDIA}/private/o/x/meta.json`],
    ["sqs:ReceiveMessage", queue("EventsQueue")],
    ["sqs:SendMessage", queue("ImagesQueue")],
    ["cloudfront:DeleteDistribution", arnOf["AWS::CloudFront::Distribution"]?.("MediaDistribution") ?? ""],
  ],
  webhooks: [
    ["s3:PutObject", `${UPLOADS}/originals/x`],
    ["s3:PutObject", `${UPLOADS}/events/2026-11-20/x.json`],
    ["s3:PutObject", `${MEDIA}/images/x/meta.json`],
    ["s3:PutObject", `${MEDIA}/private/o/x/meta.json`],
    ["sqs:ReceiveMessage", queue("EventsQueue")],
    ["sqs:ReceiveMessage", queue("ImagesDeadLetters")],
    ["sqs:SendMessage", queue("ImagesQueue")],
  ],
};

export const refusals = (name: string): readonly Refusal[] => [...NOBODY, ...(own[name] ?? [])];
