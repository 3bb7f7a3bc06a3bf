/** Where a deployed stack's buckets are: CloudFormation's answer, as AWS writes it, from a server of our own. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import test, { after, before } from "node:test";
import { findDeployment } from "../../cli/deployment.ts";
import { CliError } from "../../cli/exit.ts";

let server: Server;
let outputs: Record<string, string> = {};
const asked: string[] = [];
const settings = ["AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const;

before(async () => {
  server = createServer(async (request, response) => {
    const form = new URLSearchParams((await buffer(request)).toString());
    asked.push(`${form.get("Action")} ${form.get("StackName")}`);
    response.setHeader("content-type", "text/xml");
    if (form.get("StackName") === "none") {
      const message = "Stack with id none does not exist";
      response
        .writeHead(400)
        .end(
          `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
        );
      return;
    }
    const members = Object.entries(outputs)
      .map(
        ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
      )
      .join("");
    response.end(
      `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackName>darkroom-prod</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>${members}</Outputs></member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStacksResponse>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const values = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "key", "secret"];
  for (const [i, name] of settings.entries()) process.env[name] = values[i];
});
after(() => {
  for (const name of settings) delete process.env[name];
  server.close();
  server.closeAllConnections();
});

test("a deployment is found by its stack, with the credentials that the SDK finds", async () => {
  outputs = {
    UploadsBucketName: "u",
    MediaBucketName: "m",
    MediaUrl: "https://cdn.example.com/",
    HttpApiUrl: "https://abc.execute-api.eu-central-1.amazonaws.com",
    ImagesQueueUrl: "https://sqs.eu-central-1.amazonaws.com/1/darkroom-prod-images",
    Another: "x",
  };
  assert.deepEqual(await findDeployment({ stack: "darkroom-prod", region: "eu-central-1" }), {
    local: false,
    stack: "darkroom-prod",
    buckets: { uploads: "u", media: "m" },
    media: "https://cdn.example.com",
    api: "https://abc.execute-api.eu-central-1.amazonaws.com",
    imagesQueue: "https://sqs.eu-central-1.amazonaws.com/1/darkroom-prod-images",
    s3: { region: "eu-central-1" },
    sqs: { region: "eu-central-1" },
  });
  assert.deepEqual(asked, ["DescribeStacks darkroom-prod"]);
});

test("a stack of an earlier version, and one that is not there, are told", async () => {
  outputs = { MediaUrl: "https://cdn.example.com" };
  const failure = (stack: string) =>
    findDeployment({ stack, region: "eu-central-1" }).catch((e: unknown) => e);
  const older = await failure("darkroom-prod");
  assert.ok(older instanceof CliError);
  assert.match(
    older.message,
    /darkroom-prod in eu-central-1 has no output UploadsBucketName: deploy this version/,
  );
  const none = await failure("none");
  assert.ok(none instanceof CliError);
  assert.match(none.message, /none in eu-central-1 cannot be read: Stack with id none does not exist/);
});
