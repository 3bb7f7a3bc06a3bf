/** Checks of the buckets: there, shut, open to browsers' uploads, tidied up, heard of by the queue, of presets there are. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import {
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  HeadBucketCommand,
  type LifecycleRule,
} from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { s3Store } from "../../adapters/aws/s3-store.ts";
import config, { presetsFile } from "../../adapters/presets.ts";
import { dryRunJob } from "../../core/job/dry-run.ts";
import { ATTACH, COUNTS, EDITS, HELD, HOMES, ORIGINALS } from "../../core/keys.ts";
import { goneAdvice } from "../reprocess.ts";
import { counted } from "../terminal.ts";
import { type Check, configured, deploymentOf, type Finding, type Patient } from "./check.ts";

const buckets: Check = {
  name: "buckets",
  async run(patient) {
    const { s3 } = patient;
    const findings: Finding[] = [];
    for (const Bucket of Object.values(deploymentOf(patient).buckets)) {
      const status = await s3.send(new HeadBucketCommand({ Bucket })).then(
        () => 200,
        (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode,
      );
      if (status === 404)
        findings.push({ message: `The bucket ${Bucket} is not there.`, advice: patient.repair });
      else if (status !== 200)
        findings.push({
          message: `The bucket ${Bucket} cannot be reached (${status ?? "no answer"}).`,
          advice: "Use credentials that may read it (s3:ListBucket), and the region it is in.",
        });
      else if (await isOpen(patient, Bucket))
        findings.push({
          message: `Anybody may list the bucket ${Bucket}.`,
          advice: "Turn on Block Public Access for it, at once, and remove the policy or ACL that opened it.",
        });
    }
    return findings;
  },
};

/** Asked as anybody: without a signature. */
async function isOpen({ s3 }: Patient, bucket: string): Promise<boolean> {
  const endpoint = await s3.config.endpoint?.();
  const base = endpoint
    ? `${endpoint.protocol}//${endpoint.hostname}${endpoint.port ? `:${endpoint.port}` : ""}`
    : `https://s3.${await s3.config.region()}.amazonaws.com`;
  const response = await fetch(`${base}/${bucket}?list-type=2&max-keys=1`);
  await response.body?.cancel();
  return response.ok;
}

/** What a signed upload may send (`x-amz-meta-*` as written by `core/upload-metadata.ts`). */
const SIGNED = [
  "content-type",
  "if-none-match",
  "x-amz-checksum-sha256",
  "x-amz-sdk-checksum-algorithm",
  ...[
    "owner",
    "preset",
    "filename",
    "focus",
    "sha256",
    "ref",
    "client-ref",
    "attach-within",
    "max-images",
    "max-owner-bytes",
    "access",
  ].map((name) => `x-amz-meta-${name}`),
];

const cors: Check = {
  name: "CORS",
  async run(patient) {
    const Bucket = deploymentOf(patient).buckets.uploads;
    const { repair } = patient;
    const found = await configured(
      patient.s3.send(new GetBucketCorsCommand({ Bucket })),
      "NoSuchCORSConfiguration",
    );
    const rules = found?.CORSRules ?? [];
    if (rules.length === 0)
      return [{ message: `The bucket ${Bucket} has no CORS rules: no browser can upload.`, advice: repair }];
    // A browser needs one rule that has all of it.
    const missing = rules.map(({ AllowedHeaders = [], AllowedMethods = [], ExposeHeaders = [] }) => {
      const allowed = AllowedHeaders.map((header) => header.toLowerCase());
      const has = (header: string) =>
        allowed.some(
          (one) => one === header || (one.includes("*") && header.startsWith(one.split("*")[0] ?? "")),
        );
      return [
        ...["PUT", "POST"]
          .filter((method) => !AllowedMethods.includes(method))
          .map((method) => `method ${method}`),
        ...SIGNED.filter((header) => !has(header)).map((header) => `header ${header}`),
        ...(ExposeHeaders.some((header) => header.toLowerCase() === "etag") ? [] : ["exposed header ETag"]),
      ];
    });
    const [least = []] = missing.sort((a, b) => a.length - b.length);
    if (least.length === 0) return [];
    return [
      { message: `CORS of ${Bucket} lacks ${least.join(", ")}: browsers refuse to upload.`, advice: repair },
    ];
  },
};

/** What no rule may let expire. */
const KEPT = {
  uploads: [ORIGINALS, "owners/", ATTACH, EDITS, HELD, COUNTS],
  media: ["images/", "private/", HOMES, "static/"],
};

const lifecycle: Check = {
  name: "lifecycle",
  async run(patient) {
    const places = deploymentOf(patient).buckets;
    const findings: Finding[] = [];
    for (const [role, Bucket] of Object.entries(places) as ["uploads" | "media", string][]) {
      const found = await configured(
        patient.s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })),
        "NoSuchLifecycleConfiguration",
      );
      const rules = (found?.Rules ?? []).filter(({ Status }) => Status === "Enabled");
      if (!rules.some((rule) => rule.AbortIncompleteMultipartUpload && prefixOf(rule) === ""))
        findings.push({
          message: `Unfinished uploads in parts stay in ${Bucket} for ever, unseen and paid for.`,
          advice: patient.repair,
        });
      // Ours is there because the deployment asks for it, and the sweep knows of it.
      const others = rules.filter(
        ({ ID, Expiration }) =>
          (Expiration?.Days ?? Expiration?.Date) !== undefined && ID !== "let-originals-go",
      );
      for (const rule of others) {
        const prefix = prefixOf(rule);
        const lost = KEPT[role].filter((kept) => kept.startsWith(prefix) || prefix.startsWith(kept));
        if (lost.length > 0)
          findings.push({
            message: `The lifecycle rule ${rule.ID ?? `for "${prefix}"`} of ${Bucket} deletes what is under ${lost.join(", ")}.`,
            advice:
              "Remove the rule. Where originals are to go after some time: the parameter originalsDays, which the sweep knows of.",
          });
      }
    }
    return findings;
  },
};

const prefixOf = ({ Filter, Prefix }: LifecycleRule) => Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? "";

/** How an original comes and goes, and what is missed without. */
const EVENTS = {
  "s3:ObjectCreated:*": "uploads never become ready",
  "s3:ObjectRemoved:*": "images whose original is deleted by hand stay",
  "s3:LifecycleExpiration:*": "images whose original expires stay",
} as const;

const notifications: Check = {
  name: "notifications",
  async run(patient) {
    const { buckets, imagesQueue } = deploymentOf(patient);
    const [configuration, queue] = await Promise.all([
      patient.s3.send(new GetBucketNotificationConfigurationCommand({ Bucket: buckets.uploads })),
      patient.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: imagesQueue, AttributeNames: ["QueueArn"] }),
      ),
    ]);
    const arn = queue.Attributes?.["QueueArn"];
    const heard = (configuration.QueueConfigurations ?? [])
      .filter(({ QueueArn, Filter }) => {
        const rules = Filter?.Key?.FilterRules ?? [];
        const prefix = rules.find(({ Name }) => Name?.toLowerCase() === "prefix")?.Value ?? "";
        return QueueArn === arn && ORIGINALS.startsWith(prefix) && rules.length <= 1;
      })
      .flatMap(({ Events }) => Events ?? []);
    return Object.entries(EVENTS)
      .filter(([event]) => !heard.some((one) => one === event))
      .map(([event, without]) => ({
        message: `${buckets.uploads} does not tell the queue of ${event} under ${ORIGINALS}: ${without}.`,
        advice: patient.repair,
      }));
  },
};

const presets: Check = {
  name: "presets",
  async run(patient) {
    const { uploads, media } = deploymentOf(patient).buckets;
    const { s3, now } = patient;
    const stores = { uploads: s3Store(s3, uploads), media: s3Store(s3, media) };
    const { gone } = await dryRunJob(
      { ...stores, config, now, random: randomBytes },
      { status: "stale" },
      false,
    );
    return Object.entries(gone).map(([name, images]) => ({
      message: `${counted(images, "image")} of the preset ${name}, which is gone.`,
      advice: `In ${basename(presetsFile)} ${goneAdvice(name)}`,
    }));
  },
};

export const storageChecks = [buckets, cors, notifications, lifecycle, presets];
