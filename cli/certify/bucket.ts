/** What a server knows of a bucket's rules. They are changed only in a bucket that was made for this. */
import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { s3Store } from "../../adapters/aws/s3-store.ts";
import { s3Versions } from "../../adapters/aws/s3-versions.ts";
import type { KeptVersion } from "../../core/ports.ts";
import {
  answerOf,
  type Candidate,
  done,
  FILE,
  freshKey,
  type Probe,
  type Probes,
  send,
  signedUpload,
  so,
} from "./candidate.ts";

const inOwn =
  (run: Probe): Probe =>
  async (candidate) =>
    candidate.own ? run(candidate) : { is: "not asked", saw: "the bucket is yours" };

const ORIGIN = "https://app.example.com";

async function preflight(candidate: Candidate, origin: string, header = "content-type") {
  const { url } = await signedUpload(candidate, "PUT");
  return send({
    method: "OPTIONS",
    url,
    headers: { origin, "access-control-request-method": "PUT", "access-control-request-headers": header },
  });
}
const allows = ({ headers }: Awaited<ReturnType<typeof send>>, origin: string) =>
  [origin, "*"].includes(String(headers["access-control-allow-origin"]));

export const browsers: Probes = [
  [
    "an origin that may upload",
    inOwn(async (candidate) => {
      const { s3, bucket: Bucket } = candidate;
      const rule = {
        AllowedOrigins: [ORIGIN],
        AllowedMethods: ["PUT", "POST"],
        AllowedHeaders: ["content-type", "if-none-match", "x-amz-meta-owner"],
        ExposeHeaders: ["ETag"],
      };
      const set = await answerOf(
        s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } })),
      );
      const answer = await preflight(candidate, ORIGIN);
      if (allows(answer, ORIGIN)) return so(true, `${answer.status}`);
      return set.status >= 300 ? done(set) : { is: "unsupported", saw: `${answer.status}, not allowed` };
    }),
  ],
  [
    "another origin",
    inOwn(async (candidate) => {
      const answer = await preflight(candidate, "https://other.example.com");
      return so(!allows(answer, "https://other.example.com"), `${answer.status}`);
    }),
  ],
  [
    "a header that no rule allows",
    inOwn(async (candidate) => {
      const answer = await preflight(candidate, ORIGIN, "x-amz-acl");
      const listed = String(answer.headers["access-control-allow-headers"] ?? "");
      return so(!allows(answer, ORIGIN) || !/\*|x-amz-acl/i.test(listed), `${answer.status}`);
    }),
  ],
  [
    "a page can read the ETag, and why it is refused",
    inOwn(async (candidate) => {
      const { url, headers } = await signedUpload(candidate, "PUT");
      const request = { method: "PUT", url, headers: { ...headers, origin: ORIGIN }, body: FILE };
      const [first, second] = [await send(request), await send(request)];
      const etag = /\*|etag/i.test(String(first.headers["access-control-expose-headers"]));
      return so(etag && allows(first, ORIGIN) && allows(second, ORIGIN), `${first.status}, ${second.status}`);
    }),
  ],
];

export const notifications: Probes = [
  [
    "uploads are told to a queue",
    inOwn(async ({ s3, bucket: Bucket, settings: { region } }) => {
      // A queue of nobody's. Who knows notifications stores the rule, or says that the queue is not there.
      const QueueArn = `arn:aws:sqs:${region}:000000000000:darkroom-certify`;
      const rule = { Id: "certify", QueueArn, Events: ["s3:ObjectCreated:*" as const] };
      const NotificationConfiguration = { QueueConfigurations: [rule] };
      const set = await answerOf(
        s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration })),
      );
      if (set.status === 400 && set.code === "InvalidArgument")
        return { is: "enforced", saw: "400, it looks for the queue" };
      if (set.status >= 300) return done(set);
      const { QueueConfigurations = [] } = await s3.send(
        new GetBucketNotificationConfigurationCommand({ Bucket }),
      );
      return so(QueueConfigurations.length === 1, "kept", "forgotten");
    }),
  ],
];

export const lifecycle: Probes = [
  [
    "old uploads in parts, and keys by prefix and age",
    inOwn(async ({ s3, bucket: Bucket }) => {
      const Rules = [
        {
          ID: "parts",
          Status: "Enabled" as const,
          Filter: { Prefix: "" },
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        },
        { ID: "events", Status: "Enabled" as const, Filter: { Prefix: "events/" }, Expiration: { Days: 30 } },
      ];
      const set = await answerOf(
        s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } })),
      );
      if (set.status >= 300) return done(set);
      const found = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
      const kept = found.Rules ?? [];
      const whole =
        kept.some(({ AbortIncompleteMultipartUpload: abort }) => abort?.DaysAfterInitiation === 1) &&
        kept.some(({ Expiration }) => Expiration?.Days === 30);
      return so(whole, "kept", "forgotten");
    }),
  ],
];

/** The last, as nothing is deleted for good afterwards. */
export const versions: Probes = [
  [
    "what was deleted can be read, and put back",
    inOwn(async (candidate) => {
      const { s3, bucket: Bucket } = candidate;
      const set = await answerOf(
        s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } })),
      );
      if (set.status >= 300) return done(set);
      const [store, kept] = [s3Store(s3, Bucket), s3Versions(s3, Bucket)];
      const key = freshKey(candidate);
      await store.put(key, "one");
      await store.delete(key);
      const all: KeptVersion[] = [];
      for await (const one of kept.list(key)) all.push(one);
      const before = all.find(({ marker }) => !marker);
      if (!before || !all.some(({ marker }) => marker)) return so(false, `${all.length} of 2 kept`);
      if ((await kept.read(before)) !== "one") return so(false, "another content");
      await kept.restore(before);
      return so((await store.head(key)) !== undefined, "back", "not back");
    }),
  ],
];
