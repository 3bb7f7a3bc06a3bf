import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { CloudFrontClient } from "@aws-sdk/client-cloudfront";
import { cloudFrontForget } from "../../../adapters/aws/cdn.ts";

test("CloudFront is asked to forget a path once, however often we ask, and says when it has enough to forget", async (t) => {
  const requests: string[] = [];
  let status = 201;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      requests.push(`${request.method} ${request.url} ${body}`);
      const answer =
        status === 201
          ? "<Invalidation><Id>I1</Id><Status>InProgress</Status><CreateTime>2026-11-20T12:00:00Z</CreateTime></Invalidation>"
          : "<ErrorResponse><Error><Code>TooManyInvalidationsInProgress</Code></Error></ErrorResponse>";
      response.writeHead(status, { "content-type": "text/xml" }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new CloudFrontClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    maxAttempts: 1,
  });
  t.after(() => {
    client.destroy();
    server.close();
  });
  const forget = cloudFrontForget("E1EXAMPLE", client);
  assert.equal(await forget(["/images/x/*"], "x-2"), true);
  assert.equal(await forget(["/images/x/*"], "x-2"), true);
  const [first = "", second = ""] = requests;
  assert.match(first, /^POST \/2020-05-31\/distribution\/E1EXAMPLE\/invalidation /);
  assert.match(
    first,
    /<Paths><Quantity>1<\/Quantity><Items><Path>\/images\/x\/\*<\/Path><\/Items><\/Paths><CallerReference>x-2</,
  );
  // Byte for byte the same: CloudFront then answers with the invalidation there is.
  assert.equal(second, first);
  status = 400;
  assert.equal(await forget(["/images/y/*"], "y-2"), false);
});
