/**
 * The keys by which CloudFront knows what is signed for private images. CloudFormation can make no key pair, so whoever deploys
 * makes them, before the stack, and keeps them in a secret, from which CloudFormation takes them: neither a file nor the
 * template ever has one.
 *
 * Key `N` signs (the parameter `cdnKey`). CloudFront takes the one before too, by which URLs that are about were signed, and
 * the one after: it is known everywhere long before anything is signed by it. So one more than before changes the key, in one
 * deployment, and nobody meets a URL that does not open. A public key of CloudFront's cannot be changed: each has a name of its own.
 */
import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";

export const secretOf = (stack: string) => `${stack}-cdn-keys`;
const generations = (current: number) => [current - 1, current, current + 1];
const resolved = (stack: string, field: string) =>
  `{{resolve:secretsmanager:${secretOf(stack)}:SecretString:${field}}}`;

/** What CloudFormation makes of them. */
export function cdnKeyResources(stack: string, region: string, current: number) {
  const named = (name: string) => `${stack}-${name}-${region}`;
  const keys = generations(current).map((generation) => [
    `CdnKey${generation}`,
    {
      Type: "AWS::CloudFront::PublicKey",
      Properties: {
        PublicKeyConfig: {
          Name: named(`key-${generation}`),
          CallerReference: named(`key-${generation}`),
          EncodedKey: resolved(stack, `public${generation}`),
        },
      },
    },
  ]);
  const Items = generations(current).map((generation) => ({ Ref: `CdnKey${generation}` }));
  const CdnKeyGroup = {
    Type: "AWS::CloudFront::KeyGroup",
    Properties: { KeyGroupConfig: { Name: named("keys"), Items } },
  };
  return {
    Resources: { ...Object.fromEntries(keys), CdnKeyGroup },
    Outputs: {
      CdnKeyId: { Description: "The key that signs for private images", Value: { Ref: `CdnKey${current}` } },
      CdnKeysSecret: {
        Description: `The secret with the key, as private${current}, for a back end that signs itself`,
        Value: secretOf(stack),
      },
    },
  };
}

/** Makes the keys that are missing. @returns how many */
export async function makeCdnKeys(
  client: Pick<SecretsManagerClient, "send">,
  stack: string,
  current: number,
): Promise<number> {
  const SecretId = secretOf(stack);
  const found = await client.send(new GetSecretValueCommand({ SecretId })).catch((error: unknown) => {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  });
  const keys: Record<string, string> = JSON.parse(found?.SecretString ?? "{}");
  const missing = generations(current).filter((generation) => !keys[`private${generation}`]);
  if (missing.length === 0) return 0;
  for (const generation of missing) {
    const { publicKey, privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
    keys[`public${generation}`] = publicKey.export({ type: "spki", format: "pem" }).toString();
    keys[`private${generation}`] = privateKey.export({ type: "pkcs8", format: "der" }).toString("base64");
  }
  const SecretString = JSON.stringify(keys);
  const Description = "Darkroom, signs for private images";
  if (found) await client.send(new PutSecretValueCommand({ SecretId, SecretString }));
  else await client.send(new CreateSecretCommand({ Name: SecretId, Description, SecretString }));
  return missing.length;
}
