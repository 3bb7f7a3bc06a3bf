/** What the checks of `darkroom doctor` are given, and what they give. */
import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { S3Client } from "@aws-sdk/client-s3";
import type { SQSClient } from "@aws-sdk/client-sqs";
import type { Api } from "../api.ts";
import type { Deployment } from "../deployment.ts";

/** Something that is not as it should be, and what to do about it. */
export interface Finding {
  readonly message: string;
  readonly advice: string;
}

export interface Patient {
  readonly api: Api | undefined;
  readonly apiUrl: string;
  /** Undefined where only the API is known. */
  readonly deployment: Deployment | undefined;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly lambda: LambdaClient;
  /** How to have again what a deploy makes. */
  readonly repair: string;
  readonly now: () => Date;
  /** How long the test image may take, in seconds. */
  readonly timeout: number;
}

/** Why a check could not be made: the result says so, as neither healthy nor ill. */
export class NotChecked extends Error {}

export interface Check {
  readonly name: string;
  /** What it found; nothing is good. May throw: that is a finding too. */
  readonly run: (patient: Patient) => Promise<Finding[]>;
}

/** @throws NotChecked where only the API is known */
export function deploymentOf({ deployment }: Patient): Deployment {
  if (deployment) return deployment;
  throw new NotChecked("name its --stack to have this checked too");
}

/** A configuration that may be absent, or that this S3 server may not know of. */
export async function configured<T>(answer: Promise<T>, absent: string): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    const { name } = error as Error;
    if (name === absent) return undefined;
    if (name === "NotImplemented") throw new NotChecked("this S3 server does not know of it");
    throw error;
  });
}
