/** The keys of private images, made at a deployment: once, three at any time, and one after the other without a gap. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import test from "node:test";
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { cdnSigner } from "../../adapters/aws/cdn-signer.ts";
import { cdnKeyResources, makeCdnKeys, secretOf } from "../../deploy/cdn-keys.ts";
import { refusalOf } from "../../laptop/cdn-signature.ts";

const STACK = "darkroom-prod";

test("keys follow one another: what one has signed opens after the next has taken over", async () => {
  let secret: string | undefined;
  const sent: string[] = [];
  const client = {
    send: async (command: object) => {
      sent.push(command.constructor.name.replace("Command", ""));
      if (command instanceof GetSecretValueCommand) {
        assert.equal(command.input.SecretId, secretOf(STACK));
        if (secret === undefined) throw new ResourceNotFoundException({ message: "none", $metadata: {} });
        return { SecretString: secret };
      }
      assert.ok(command instanceof CreateSecretCommand || command instanceof PutSecretValueCommand);
      secret = command.input.SecretString;
      return {};
    },
  } as unknown as SecretsManagerClient;
  /** As CloudFront knows them after a deployment, by the ids that CloudFormation gives. */
  const deployed = async (current: number) => {
    const made = await makeCdnKeys(client, STACK, current);
    const keys = JSON.parse(secret ?? "{}") as Record<string, string>;
    const { Resources } = cdnKeyResources(STACK, "eu-central-1", current);
    const { CdnKeyGroup, ...pairs } = Resources as Record<string, { Properties: { [name: string]: object } }>;
    const known = Object.entries(pairs).map(([id, { Properties }]) => {
      const { EncodedKey = "" } = Properties["PublicKeyConfig"] as { EncodedKey?: string };
      const [, field = ""] =
        /^\{\{resolve:secretsmanager:darkroom-prod-cdn-keys:SecretString:(\w+)\}\}$/.exec(EncodedKey) ??
        assert.fail(EncodedKey);
      return [id, createPublicKey(keys[field] ?? assert.fail(field))] as const;
    });
    assert.ok(CdnKeyGroup);
    const { Items } = CdnKeyGroup.Properties["KeyGroupConfig"] as { Items: { Ref: string }[] };
    assert.deepEqual(Items.map(({ Ref }) => Ref).sort(), known.map(([id]) => id).sort());
    return { made, known: new Map(known), sign: cdnSigner(`CdnKey${current}`, keys[`private${current}`]) };
  };
  const first = await deployed(1);
  assert.equal(first.made, 3);
  assert.equal((await deployed(1)).made, 0);
  assert.deepEqual(sent, ["GetSecretValue", "CreateSecret", "GetSecretValue"]);
  const second = await deployed(2);
  assert.equal(second.made, 1);
  const third = await deployed(3);
  const until = new Date(Date.now() + 60_000);
  const opens = (by: typeof first, at: typeof first) => {
    const url = new URL("https://cdn.example/private/o/i/w1.webp");
    url.search = new URLSearchParams(by.sign?.(`${url}`, until).query).toString();
    return refusalOf({ url }, at.known, new Date()) === undefined;
  };
  assert.ok(opens(first, first) && opens(first, second) && opens(second, first), "before and after a change");
  assert.ok(!opens(first, third), "two changes later a leaked key is worth nothing");
  // A name of its own each: CloudFront can change no key.
  assert.equal(new Set([...first.known.keys(), ...third.known.keys()]).size, 5);
});
