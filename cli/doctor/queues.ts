/** Checks of the queue that new originals are told to: who may send, where what fails goes. */
import { GetQueueAttributesCommand, GetQueueUrlCommand } from "@aws-sdk/client-sqs";
import * as v from "valibot";
import { PATIENT_RECEIVES } from "../../adapters/aws/sqs-batch.ts";
import { type Check, deploymentOf, type Finding, type Patient } from "./check.ts";

const several = v.pipe(
  v.optional(v.union([v.string(), v.array(v.string())]), []),
  v.transform((value) => [value].flat()),
);
const Statement = v.object({
  Effect: v.string(),
  Principal: v.optional(v.union([v.string(), v.object({ Service: several })])),
  Action: several,
  Condition: v.optional(v.record(v.string(), v.record(v.string(), several)), {}),
});
const Policy = v.object({
  Statement: v.pipe(
    v.union([v.array(v.unknown()), v.unknown()]),
    v.transform((s) => [s].flat()),
  ),
});

const queuePolicy: Check = {
  name: "queue policy",
  async run(patient) {
    const { imagesQueue, buckets } = deploymentOf(patient);
    const { Policy: text } = await attributesOf(patient, imagesQueue);
    const name = imagesQueue.split("/").at(-1);
    const parsed = v.safeParse(Policy, JSON.parse(text ?? '{"Statement":[]}'));
    const statements = (parsed.success ? parsed.output.Statement : []).flatMap((statement) => {
      const one = v.safeParse(Statement, statement);
      return one.success && one.output.Effect === "Allow" ? [one.output] : [];
    });
    const sending = statements.filter(
      ({ Principal, Action }) =>
        Action.some((action) => /^(\*|sqs:(\*|SendMessage))$/i.test(action)) &&
        (Principal === "*" ||
          (typeof Principal === "object" && Principal.Service.includes("s3.amazonaws.com"))),
    );
    const sources = ({ Condition }: v.InferOutput<typeof Statement>) =>
      Object.values(Condition).flatMap((condition) =>
        Object.entries(condition).flatMap(([key, values]) =>
          key.toLowerCase() === "aws:sourcearn" ? values : [],
        ),
      );
    if (
      !sending.some(
        (one) => sources(one).length === 0 || sources(one).some((arn) => arn.endsWith(`:${buckets.uploads}`)),
      )
    )
      return [
        {
          message: `S3 may not send to the queue ${name}: uploads never become ready.`,
          advice: patient.repair,
        },
      ];
    if (sending.some((one) => sources(one).length === 0))
      return [
        {
          message: `Buckets of anybody may send to the queue ${name}.`,
          advice: `Add the condition aws:SourceArn with the bucket ${buckets.uploads} to its policy. ${patient.repair}`,
        },
      ];
    return [];
  },
};

const deadLetters: Check = {
  name: "dead letters",
  async run(patient) {
    const { imagesQueue } = deploymentOf(patient);
    const name = imagesQueue.split("/").at(-1);
    const { RedrivePolicy } = await attributesOf(patient, imagesQueue);
    if (!RedrivePolicy)
      return [
        {
          message: `The queue ${name} has no dead letters: a message that always fails is tried until it expires.`,
          advice: patient.repair,
        },
      ];
    const { deadLetterTargetArn = "", maxReceiveCount = 0 } = JSON.parse(RedrivePolicy) as {
      deadLetterTargetArn?: string;
      maxReceiveCount?: number | string;
    };
    const findings: Finding[] = [];
    if (Number(maxReceiveCount) < PATIENT_RECEIVES)
      findings.push({
        message: `The queue ${name} gives a message up after ${maxReceiveCount} receives, throttled ones included.`,
        advice: `An outage of two days takes ${PATIENT_RECEIVES}. `.concat(patient.repair),
      });
    const QueueName = deadLetterTargetArn.split(":").at(-1);
    const { QueueUrl = "" } = await patient.sqs.send(new GetQueueUrlCommand({ QueueName }));
    const { ApproximateNumberOfMessages: waiting = "0" } = await attributesOf(patient, QueueUrl);
    if (Number(waiting) > 0)
      findings.push({
        message: `${waiting} dead letters lie in ${QueueName}.`,
        advice:
          "The failures function takes them and marks their images failed: see its log. Once the cause is gone, process the failed images again.",
      });
    return findings;
  },
};

async function attributesOf({ sqs }: Patient, QueueUrl: string): Promise<Record<string, string>> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  return Attributes ?? {};
}

export const queueChecks = [queuePolicy, deadLetters];
