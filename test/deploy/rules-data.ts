/** Buckets and queues. */
import { isDeepStrictEqual } from "node:util";
import { PATIENT_RECEIVES } from "../../adapters/aws/sqs-batch.ts";
import { RETRY_SECONDS } from "../../core/tell/deliver.ts";
import { isAllowed } from "./iam.ts";
import { ACCOUNT, at, holds, ofType, plain, type Resource, type Template } from "./packaged.ts";
import { each, type Rules } from "./rule.ts";

const buckets = (template: Template) =>
  ofType(template, "AWS::S3::Bucket").filter(([id]) => id !== "ServerlessDeploymentBucket");
const queues = (template: Template) => ofType(template, "AWS::SQS::Queue");
const UPLOADS = "Resources.UploadsBucket.Properties";
const POLICY = "Resources.UploadsBucketPolicy.Properties.PolicyDocument.Statement";

/** As S3 names them in a notification's configuration (EventBridge's and those for Glacier aside). */
const S3_EVENTS = new Set(
  [
    ["ObjectCreated", "*", "Put", "Post", "Copy", "CompleteMultipartUpload"],
    ["ObjectRemoved", "*", "Delete", "DeleteMarkerCreated"],
    ["ObjectRestore", "*", "Post", "Completed", "Delete"],
    ["LifecycleExpiration", "*", "Delete", "DeleteMarkerCreated"],
    ["ObjectTagging", "*", "Put", "Delete"],
    ["ObjectAcl", "Put"],
    ["Replication", "*"],
  ].flatMap(([kind, ...ways]) => ways.map((way) => `s3:${kind}:${way}`)),
);

/** In days, by prefix. */
const KEPT_FOR_A_WHILE: Readonly<Record<string, readonly string[]>> = {
  UploadsBucket: ["events/ 30", "deliveries/ 14", "forget/images/ 7", "marks/ 15", "jobs/ 180"],
};

export const bucketRules: Rules = {
  "buckets block public access": {
    check: (template) =>
      ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"].flatMap((name) =>
        each(
          ofType(template, "AWS::S3::Bucket"),
          name,
          ({ Properties }) => at(Properties, `PublicAccessBlockConfiguration.${name}`) === true,
        ),
      ),
    breaks: [
      [`${UPLOADS}.PublicAccessBlockConfiguration.RestrictPublicBuckets`, false],
      ["Resources.MediaBucket.Properties.PublicAccessBlockConfiguration", undefined],
      ["Resources.ServerlessDeploymentBucket.Properties.PublicAccessBlockConfiguration", undefined],
    ],
  },
  "buckets are their owner's and know no ACLs": {
    check: (template) =>
      each(
        buckets(template),
        "bucket-owner-enforced",
        ({ Properties }) =>
          at(Properties, "OwnershipControls.Rules.0.ObjectOwnership") === "BucketOwnerEnforced" &&
          at(Properties, "AccessControl") === undefined,
      ),
    breaks: [
      [`${UPLOADS}.OwnershipControls.Rules.0.ObjectOwnership`, "ObjectWriter"],
      [`${UPLOADS}.AccessControl`, "PublicRead"],
    ],
  },
  "buckets are encrypted": {
    check: (template) =>
      each(ofType(template, "AWS::S3::Bucket"), "encryption", ({ Properties }) =>
        ["AES256", "aws:kms"].includes(
          String(
            at(
              Properties,
              "BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault.SSEAlgorithm",
            ),
          ),
        ),
      ),
    breaks: [["Resources.MediaBucket.Properties.BucketEncryption", undefined]],
  },
  "buckets answer over TLS only": {
    check: (template) =>
      each(buckets(template), "open without TLS", (_, id) =>
        [`arn:aws:s3:::${id}`, `arn:aws:s3:::${id}/originals/x`, `arn:aws:s3:::${id}/images/x`].every(
          (resource) =>
            ["s3:GetObject", "s3:PutObject", "s3:ListBucket"].every((action) =>
              deniedTo(template, resource, { "aws:SecureTransport": "false" }, action),
            ),
        ),
      ),
    breaks: [
      [`${POLICY}.0.Condition.Bool.aws:SecureTransport`, "true"],
      [`${POLICY}.0.Resource`, { "Fn::GetAtt": ["UploadsBucket", "Arn"] }],
      ["Resources.MediaBucketPolicy.Properties.PolicyDocument.Statement.0.Action", "s3:GetObject"],
    ],
  },
  "an old signature is refused": {
    check: (template) => {
      const original = "arn:aws:s3:::UploadsBucket/originals/x";
      const put = (age: string) => deniedTo(template, original, { "s3:signatureAge": age }, "s3:PutObject");
      return [
        ...(put("301000") ? [] : ["five minutes are exceeded unnoticed"]),
        ...(put("300000") ? ["a signature that is still valid is refused"] : []),
      ];
    },
    breaks: [
      [`${POLICY}.1.Condition.NumericGreaterThan.s3:signatureAge`, "604800000"],
      [`${POLICY}.1.Condition.NumericGreaterThan.s3:signatureAge`, "1000"],
      [`${POLICY}.1.Action`, "s3:GetObject"],
    ],
  },
  "an original that was handed out ends after five minutes": {
    check: (template) => {
      const original = "arn:aws:s3:::UploadsBucket/originals/x";
      const get = (age: string) => deniedTo(template, original, { "s3:signatureAge": age }, "s3:GetObject");
      return [
        ...(get("301000") ? [] : ["five minutes are exceeded unnoticed"]),
        ...(get("300000") ? ["a signature that is still valid is refused"] : []),
      ];
    },
    breaks: [
      [`${POLICY}.2.Condition.NumericGreaterThan.s3:signatureAge`, "604800000"],
      [`${POLICY}.2.Effect`, "Allow"],
    ],
  },
  "pictures outlive the stack": {
    check: (template) =>
      each(
        buckets(template),
        "would go with the stack",
        ({ DeletionPolicy = "", UpdateReplacePolicy }) =>
          ["Retain", "RetainExceptOnCreate"].includes(DeletionPolicy) && UpdateReplacePolicy === "Retain",
      ),
    breaks: [
      ["Resources.UploadsBucket.DeletionPolicy", "Delete"],
      ["Resources.MediaBucket.UpdateReplacePolicy", undefined],
    ],
  },
  "unfinished uploads in parts end, kept events go after their time, and no rule deletes pictures": {
    check: (template) =>
      each(buckets(template), "lifecycle", ({ Properties }, id) => {
        const rules = (at(Properties, "LifecycleConfiguration.Rules") ?? []) as Record<string, unknown>[];
        const aborts = rules.some(
          (rule) =>
            rule["Status"] === "Enabled" &&
            rule["Prefix"] === undefined &&
            at(rule, "AbortIncompleteMultipartUpload.DaysAfterInitiation") === 1,
        );
        const ofVersions = ["NoncurrentVersionExpiration", "ExpiredObjectDeleteMarker"];
        const deletes = rules.filter((rule) =>
          Object.keys(rule).some((key) => key.includes("Expiration") && !ofVersions.includes(key)),
        );
        const prefixes = deletes
          .map(({ Prefix, ExpirationInDays }) => `${Prefix} ${ExpirationInDays}`)
          .sort();
        return aborts && isDeepStrictEqual(prefixes, [...(KEPT_FOR_A_WHILE[id] ?? [])].sort());
      }),
    breaks: [
      [`${UPLOADS}.LifecycleConfiguration.Rules.0.Status`, "Disabled"],
      [`${UPLOADS}.LifecycleConfiguration.Rules.3.ExpirationInDays`, 3],
      [`${UPLOADS}.LifecycleConfiguration.Rules.3.Prefix`, "originals/"],
      ["Resources.MediaBucket.Properties.LifecycleConfiguration.Rules.0.ExpirationInDays", 30],
    ],
  },
  "versions are kept where a delete can be taken back, and end": {
    check: (template) =>
      each(buckets(template), "versions", ({ Properties }) => {
        const [name, on, off] = (at(Properties, "VersioningConfiguration.Fn::If") ?? []) as unknown[];
        const rules = (at(Properties, "LifecycleConfiguration.Rules") ?? []) as object[];
        const ends = rules.some(
          (rule) =>
            at(rule, "Status") === "Enabled" &&
            at(rule, "Prefix") === undefined &&
            at(rule, "ExpiredObjectDeleteMarker") === true &&
            isDeepStrictEqual(at(rule, "NoncurrentVersionExpiration.NoncurrentDays"), {
              "Fn::If": ["Undo", "0", 1],
            }),
        );
        const isAsked =
          name === "Undo" && at(on, "Status") === "Enabled" && at(off, "Ref") === "AWS::NoValue";
        return ends && isAsked && !holds({ Condition: "Undo" }, template);
      }),
    breaks: [
      ["Resources.MediaBucket.Properties.VersioningConfiguration", { Status: "Enabled" }],
      [`${UPLOADS}.VersioningConfiguration`, undefined],
      [`${UPLOADS}.LifecycleConfiguration.Rules.1.Status`, "Disabled"],
      ["Resources.MediaBucket.Properties.LifecycleConfiguration.Rules.1", undefined],
    ],
  },
  "originals grow colder, or go, where that is asked for": {
    check: (template) => {
      const rules = (at(template, `${UPLOADS}.LifecycleConfiguration.Rules`) ?? []) as unknown[];
      const asked = (condition: string) =>
        rules.flatMap((rule) => {
          const [name, yes, no] = (at(rule, "Fn::If") ?? []) as [string, object, object];
          return name === condition && at(no, "Ref") === "AWS::NoValue" && at(yes, "Prefix") === "originals/"
            ? [yes]
            : [];
        });
      const [cold] = asked("OriginalsGoCold");
      const [gone] = asked("OriginalsGo");
      const off = ["OriginalsGoCold", "OriginalsGo"].filter((name) => holds({ Condition: name }, template));
      return [
        ...(at(cold, "Transitions.0.StorageClass") === "INTELLIGENT_TIERING" ? [] : ["nowhere to go"]),
        ...(at(gone, "ExpirationInDays") !== undefined ? [] : ["none can be let go"]),
        ...off.map((name) => `${name}, though nobody asked`),
      ];
    },
    breaks: [
      [`${UPLOADS}.LifecycleConfiguration.Rules.8`, undefined],
      [`${UPLOADS}.LifecycleConfiguration.Rules.9.Fn::If.0`, "OriginalsGoCold"],
      ["Conditions.OriginalsGo", { "Fn::Equals": ["0", "0"] }],
    ],
  },
  "pages of the configured origins may upload, and read the ETag": {
    check: (template) =>
      each(
        Object.entries((at(template, `${UPLOADS}.CorsConfiguration.CorsRules`) ?? []) as object),
        "CORS",
        (rule) =>
          isDeepStrictEqual(at(rule, "AllowedOrigins"), ["https://app.example.com", "https://b.example"]) &&
          isDeepStrictEqual(at(rule, "AllowedMethods"), ["PUT", "POST"]) &&
          !(at(rule, "AllowedHeaders") as string[]).includes("*") &&
          (at(rule, "ExposedHeaders") as string[]).includes("ETag"),
      ),
    breaks: [
      [`${UPLOADS}.CorsConfiguration.CorsRules.0.AllowedOrigins`, ["*"]],
      [`${UPLOADS}.CorsConfiguration.CorsRules.0.ExposedHeaders`, ["Location"]],
      [`${UPLOADS}.CorsConfiguration.CorsRules.0.AllowedMethods`, ["PUT", "POST", "DELETE"]],
    ],
  },
  "the queue hears of every way an original comes and goes, by names that S3 knows": {
    check: (template) => {
      const told = (at(template, `${UPLOADS}.NotificationConfiguration.QueueConfigurations`) ??
        []) as object[];
      const filter = { S3Key: { Rules: [{ Name: "prefix", Value: "originals/" }] } };
      const names = told.map((one) => String(at(one, "Event"))).sort();
      const wanted = ["s3:LifecycleExpiration:*", "s3:ObjectCreated:*", "s3:ObjectRemoved:*"];
      return [
        ...names.filter((name) => !S3_EVENTS.has(name)).map((name) => `${name}: S3 has no such event`),
        ...(isDeepStrictEqual(names, wanted) ? [] : [`events: ${names}`]),
        ...each(
          told.map((one) => [String(at(one, "Event")), one] as const),
          "to ImagesQueue, of originals/",
          (one) =>
            at(one, "Queue.Fn::GetAtt.0") === "ImagesQueue" && isDeepStrictEqual(at(one, "Filter"), filter),
        ),
      ];
    },
    breaks: [
      [`${UPLOADS}.NotificationConfiguration.QueueConfigurations.0.Event`, "s3:ObjectCreate:*"],
      [`${UPLOADS}.NotificationConfiguration.QueueConfigurations.1`, undefined],
      [`${UPLOADS}.NotificationConfiguration.QueueConfigurations.2.Filter.S3Key.Rules.0.Value`, ""],
    ],
  },
};

function deniedTo(template: Template, resource: string, context: Record<string, string>, action: string) {
  // An administrator's role, for whom everything else is allowed.
  const admin = { Effect: "Allow", Action: "*", Resource: "*" };
  const Policies = [{ PolicyName: "all", PolicyDocument: { Statement: [admin] } }];
  const Resources = { ...template.Resources, Admin: { Type: "AWS::IAM::Role", Properties: { Policies } } };
  return !isAllowed({ ...template, Resources }, "Admin", { action, resource, context });
}

const DAY = 86_400;
const deadLettersOf = ({ Properties }: Resource) =>
  at(Properties, "RedrivePolicy.deadLetterTargetArn.Fn::GetAtt.0") as string | undefined;

export const queueRules: Rules = {
  "a queue keeps messages 4 days and its dead letters 14; one of images gives up after two days of tries": {
    check: (template) => {
      const letters = new Set(queues(template).map(([, queue]) => deadLettersOf(queue)));
      return each(queues(template), "retention and redrive", (queue, id) => {
        const days = Number(at(queue.Properties, "MessageRetentionPeriod")) / DAY;
        const target = deadLettersOf(queue);
        if (letters.has(id)) return days === 14 && target === undefined;
        const receives = Number(at(queue.Properties, "RedrivePolicy.maxReceiveCount"));
        const enough = id === "EventsQueue" ? 5 : PATIENT_RECEIVES;
        return (
          days === 4 && receives >= enough && template.Resources[target ?? ""]?.Type === "AWS::SQS::Queue"
        );
      });
    },
    breaks: [
      ["Resources.ImagesDeadLetters.Properties.MessageRetentionPeriod", 4 * DAY],
      ["Resources.ImagesQueue.Properties.MessageRetentionPeriod", 14 * DAY],
      ["Resources.ImagesQueue.Properties.RedrivePolicy.maxReceiveCount", 200],
      ["Resources.BackfillQueue.Properties.RedrivePolicy", undefined],
    ],
  },
  "an event that cannot be handed on is tried until its days are over": {
    check: (template) => {
      const { RedrivePolicy, MessageRetentionPeriod: seconds } =
        template.Resources["EventsQueue"]?.Properties ?? {};
      // The longest delay between two tries, as often as its days have room for it.
      const tries = Number(seconds) / Math.max(...RETRY_SECONDS);
      return Number(at({ RedrivePolicy }, "RedrivePolicy.maxReceiveCount")) >= Math.min(1000, tries)
        ? []
        : ["too few receives"];
    },
    breaks: [["Resources.EventsQueue.Properties.RedrivePolicy.maxReceiveCount", 12]],
  },
  "a queue is encrypted, and takes messages of any size that SQS does": {
    check: (template) =>
      each(
        queues(template),
        "encryption and size",
        ({ Properties }) =>
          at(Properties, "SqsManagedSseEnabled") === true &&
          at(Properties, "MaximumMessageSize") === undefined,
      ),
    breaks: [
      ["Resources.ImagesQueue.Properties.SqsManagedSseEnabled", false],
      ["Resources.ImagesQueue.Properties.MaximumMessageSize", 1024],
    ],
  },
  "a message stays invisible for six times the time-out of whoever works on it": {
    check: (template) =>
      sources(template).flatMap(({ queue, timeout, name }) => {
        const visibility = Number(at(template, `Resources.${queue}.Properties.VisibilityTimeout`));
        return visibility >= 6 * timeout ? [] : [`${queue}: ${visibility} s, ${name} may take ${timeout} s`];
      }),
    breaks: [
      ["Resources.ImagesQueue.Properties.VisibilityTimeout", 600],
      ["Resources.FailuresLambdaFunction.Properties.Timeout", 61],
    ],
  },
  "what a killed worker had comes back within 15 minutes, and it had one image": {
    check: (template) =>
      sources(template).flatMap(({ queue, name }) => {
        const visibility = Number(at(template, `Resources.${queue}.Properties.VisibilityTimeout`));
        const mapping = `Resources.WorkerEventSourceMappingSQS${queue}.Properties.BatchSize`;
        if (visibility > 900) return [`${queue}: ${visibility} s`];
        return name === "WorkerLambdaFunction" && at(template, mapping) !== 1
          ? [`${queue}: several to a batch`]
          : [];
      }),
    breaks: [
      ["Resources.BackfillQueue.Properties.VisibilityTimeout", 901],
      ["Resources.WorkerEventSourceMappingSQSImagesQueue.Properties.BatchSize", 2],
    ],
  },
  "every queue is read": {
    check: (template) => {
      const read = new Set(sources(template).map(({ queue }) => queue));
      // Webhooks nobody took stay: only the receiver's owner knows when it is mended.
      return each(queues(template), "nobody reads it", (_, id) => read.has(id) || id === "EventsDeadLetters");
    },
    breaks: [["Resources.FailuresEventSourceMappingSQSBackfillDeadLetters", undefined]],
  },
  "only this account's bucket of originals may notify the queue": {
    check: (template) => {
      const send = (context: Record<string, string>, service = "s3.amazonaws.com") =>
        isAllowed(template, undefined, {
          action: "sqs:SendMessage",
          resource: `arn:aws:sqs:eu-central-1:${ACCOUNT}:ImagesQueue`,
          service,
          context,
        });
      const bucket = { "aws:SourceArn": "arn:aws:s3:::UploadsBucket", "aws:SourceAccount": ACCOUNT };
      return [
        ...(send(bucket) ? [] : ["the bucket may not notify"]),
        ...(send({ ...bucket, "aws:SourceArn": "arn:aws:s3:::another" }) ? ["any bucket may notify"] : []),
        ...(send({ ...bucket, "aws:SourceAccount": "999999999999" }) ? ["any account may notify"] : []),
        ...(send(bucket, "sns.amazonaws.com") ? ["any service may notify"] : []),
      ];
    },
    breaks: [
      ["Resources.ImagesQueuePolicy.Properties.PolicyDocument.Statement.0.Condition.ArnEquals", undefined],
      ["Resources.ImagesQueuePolicy.Properties.PolicyDocument.Statement.0.Condition.StringEquals", undefined],
      ["Resources.ImagesQueuePolicy.Properties.PolicyDocument.Statement.0.Principal", "*"],
      ["Resources.ImagesQueuePolicy.Properties.PolicyDocument.Statement.0.Effect", "Deny"],
    ],
  },
};

/** Who reads which queue. */
export function sources(template: Template) {
  return ofType(template, "AWS::Lambda::EventSourceMapping").map(([, { Properties }]) => {
    const fn = String(at(Properties, "FunctionName.Fn::GetAtt.0"));
    return {
      name: fn,
      role: String(at(template, `Resources.${fn}.Properties.Role.Fn::GetAtt.0`)),
      queue: String(at(Properties, "EventSourceArn.Fn::GetAtt.0")),
      queueArn: String(plain(at(Properties, "EventSourceArn"), template)),
      timeout: Number(at(template, `Resources.${fn}.Properties.Timeout`)),
      properties: Properties,
    };
  });
}
