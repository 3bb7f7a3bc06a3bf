import assert from "node:assert/strict";
import test from "node:test";
import { CreateBucketCommand, GetObjectCommand } from "@aws-sdk/client-s3";
import {
  type Field,
  failure,
  formBody,
  md5,
  policyFields,
  type RawAnswer,
  send,
  sha256,
  startFixture,
} from "./fixture.ts";

const fixture = await startFixture();
const { client } = fixture;
const Bucket = "forms";
await client.send(new CreateBucketCommand({ Bucket }));

const post = (
  fields: readonly Field[],
  file: string | Buffer | undefined = "hello",
  options: Parameters<typeof formBody>[2] = {},
): Promise<RawAnswer> =>
  send(fixture, { method: "POST", path: "/forms", ...formBody(fields, file, options) });
const outcome = async (answer: Promise<RawAnswer>) => {
  const { status, code } = await answer;
  return code ? `${status} ${code}` : `${status}`;
};
const read = async (Key: string) => {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
  return { ...answer, text: await answer.Body?.transformToString() };
};
const bucket = { bucket: Bucket };

test("a form that says what its policy allows", async () => {
  const sum = Buffer.from(sha256("hello"), "hex").toString("base64");
  const said: Field[] = [
    ["key", "a ü/b"],
    ["Content-Type", "image/jpeg"],
    ["Cache-Control", "no-cache"],
    ["x-amz-meta-owner", "u1"],
    ["x-amz-meta-name", "Größe"],
    ["x-amz-checksum-sha256", sum],
    ["success_action_status", "201"],
  ];
  const conditions = [
    bucket,
    ...said.map(([name, value]) => ({ [name.toLowerCase()]: value })),
    ["content-length-range", 5, 5],
  ];
  const { status, body, headers } = await post([...said, ...policyFields(conditions), ["x-ignore-me", "1"]]);
  assert.equal(status, 201);
  const location = `${fixture.url}/forms/a%20%C3%BC/b`;
  assert.match(
    body,
    new RegExp(
      `<PostResponse><Location>${location}</Location><Bucket>forms</Bucket><Key>a ü/b</Key><ETag>&quot;${md5("hello")}&quot;</ETag></PostResponse>`,
    ),
  );
  assert.deepEqual([headers["etag"], headers["location"]], [`"${md5("hello")}"`, location]);
  const stored = await read("a ü/b");
  assert.deepEqual(
    [stored.text, stored.ContentType, stored.CacheControl, stored.ChecksumSHA256],
    ["hello", "image/jpeg", "no-cache", sum],
  );
  assert.deepEqual(stored.Metadata, {
    owner: "u1",
    name: `=?UTF-8?B?${Buffer.from("Größe").toString("base64")}?=`,
  });
});

test("every kind of condition, met and not met", async (t) => {
  const cases: [name: string, condition: unknown, fields: Field[], expected: string][] = [
    ["eq as an object", { "x-amz-meta-a": "1" }, [["x-amz-meta-a", "1"]], "204"],
    ["eq as an object, another value", { "x-amz-meta-a": "1" }, [["x-amz-meta-a", "2"]], "403 AccessDenied"],
    ["eq as an object, no field", { "x-amz-meta-a": "1" }, [], "403 AccessDenied"],
    ["eq as an array", ["eq", "$x-amz-meta-a", "1"], [["x-amz-meta-a", "1"]], "204"],
    [
      "eq as an array, another value",
      ["eq", "$x-amz-meta-a", "1"],
      [["x-amz-meta-a", "1 "]],
      "403 AccessDenied",
    ],
    ["names in any case", ["eq", "$X-Amz-Meta-A", "1"], [["x-AMZ-meta-a", "1"]], "204"],
    ["values in their own case", { "x-amz-meta-a": "a" }, [["x-amz-meta-a", "A"]], "403 AccessDenied"],
    ["starts-with", ["starts-with", "$x-amz-meta-a", "us"], [["x-amz-meta-a", "user"]], "204"],
    [
      "starts-with, another start",
      ["starts-with", "$x-amz-meta-a", "us"],
      [["x-amz-meta-a", "me"]],
      "403 AccessDenied",
    ],
    ["starts-with nothing: anything", ["starts-with", "$x-amz-meta-a", ""], [["x-amz-meta-a", "me"]], "204"],
    ["starts-with nothing, no field", ["starts-with", "$x-amz-meta-a", ""], [], "403 AccessDenied"],
    [
      "a type that starts with image/",
      ["starts-with", "$Content-Type", "image/"],
      [["Content-Type", "image/png"]],
      "204",
    ],
    [
      "a list of such types",
      ["starts-with", "$Content-Type", "image/"],
      [["Content-Type", "image/png,image/gif"]],
      "204",
    ],
    [
      "a list with another type",
      ["starts-with", "$Content-Type", "image/"],
      [["Content-Type", "image/png,text/html"]],
      "403 AccessDenied",
    ],
    [
      "a field twice is a list",
      { "x-amz-meta-a": "1,2" },
      [
        ["x-amz-meta-a", "1"],
        ["x-amz-meta-a", "2"],
      ],
      "204",
    ],
    [
      "a field twice is not its first",
      { "x-amz-meta-a": "1" },
      [
        ["x-amz-meta-a", "1"],
        ["x-amz-meta-a", "2"],
      ],
      "403 AccessDenied",
    ],
    ["the size, exactly", ["content-length-range", 5, 5], [], "204"],
    ["the size, as text", ["content-length-range", "1", "10"], [], "204"],
    ["one byte too many", ["content-length-range", 0, 4], [], "400 EntityTooLarge"],
    ["one byte too few", ["content-length-range", 6, 10], [], "400 EntityTooSmall"],
    [
      "a field without a condition",
      ["content-length-range", 5, 5],
      [["x-amz-meta-a", "1"]],
      "403 AccessDenied",
    ],
    ["x-ignore- needs none", ["content-length-range", 5, 5], [["x-ignore-a", "1"]], "204"],
    ["an ACL needs one", ["content-length-range", 5, 5], [["acl", "private"]], "403 AccessDenied"],
    ["a harmless ACL", { acl: "private" }, [["acl", "private"]], "204"],
    [
      "an ACL that opens",
      { acl: "public-read" },
      [["acl", "public-read"]],
      "400 AccessControlListNotSupported",
    ],
    ["tags", { tagging: "<Tagging/>" }, [["tagging", "<Tagging/>"]], "501 NotImplemented"],
    ["a bucket field", { bucket: "forms" }, [["bucket", "forms"]], "204"],
    ["a bucket field that lies", { bucket: "forms" }, [["bucket", "other"]], "403 AccessDenied"],
    ["another bucket", { bucket: "other" }, [], "403 AccessDenied"],
  ];
  for (const [name, condition, fields, expected] of cases) {
    await t.test(name, async () => {
      const all: Field[] = [["key", name], ...fields, ...policyFields([{ key: name }, condition])];
      assert.equal(await outcome(post(all)), expected);
      assert.equal(await failure(read(name)), expected === "204" ? "no failure" : "404 NoSuchKey");
    });
  }
});

test("who may post", async (t) => {
  const conditions = [bucket, { key: "who" }];
  const with_ = (change: (field: Field) => Field[]): Field[] => [
    ["key", "who"],
    ...policyFields(conditions).flatMap(change),
  ];
  const set = (name: string, value: string) => with_((field) => [field[0] === name ? [name, value] : field]);
  const without = (name: string) => with_((field) => (field[0] === name ? [] : [field]));
  const all = (fields: Field[]): Field[] => [["key", "who"], ...fields];
  const yesterday = new Date(Date.now() - 86_400_000);
  const cases: Record<string, [Field[], string]> = {
    "a signer": [all(policyFields(conditions)), "204"],
    "nobody: no policy": [[["key", "who"]], "403 AccessDenied"],
    "no signature": [without("x-amz-signature"), "400 InvalidArgument"],
    "no credential": [without("x-amz-credential"), "400 InvalidArgument"],
    "no date": [without("x-amz-date"), "400 InvalidArgument"],
    "no algorithm": [without("x-amz-algorithm"), "400 InvalidArgument"],
    "another algorithm": [
      set("x-amz-algorithm", "AWS4-HMAC-SHA512"),
      "400 AuthorizationQueryParametersError",
    ],
    "a wrong secret": [all(policyFields(conditions, { secret: "other" })), "403 SignatureDoesNotMatch"],
    "an unknown key": [all(policyFields(conditions, { accessKeyId: "AKIDOTHER" })), "403 InvalidAccessKeyId"],
    "a changed signature": [set("x-amz-signature", "0".repeat(64)), "403 SignatureDoesNotMatch"],
    "a changed policy": [
      set("policy", Buffer.from('{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').toString("base64")),
      "403 SignatureDoesNotMatch",
    ],
    "another key's policy": [all(policyFields([bucket, { key: "other" }])), "403 AccessDenied"],
    "an expired policy": [all(policyFields(conditions, { expiresIn: -1 })), "403 AccessDenied"],
    "a policy signed yesterday that still holds": [
      all(policyFields(conditions, { date: yesterday, expiresIn: 2 * 86_400 })),
      "204",
    ],
    "no key": [policyFields(conditions), "400 InvalidArgument"],
    "a session token without a condition": [
      [...all(policyFields(conditions)), ["x-amz-security-token", "t"]],
      "403 AccessDenied",
    ],
  };
  for (const [name, [fields, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await outcome(post(fields)), expected));
  }
});

test("policies that are none", async () => {
  const expiration = "2099-01-01T00:00:00Z";
  const documents: unknown[] = [
    "not JSON",
    "[]",
    { conditions: [] },
    { expiration },
    { expiration: "tomorrow", conditions: [] },
    { expiration: 1, conditions: [] },
    { expiration, conditions: [], more: 1 },
    { expiration, conditions: ["key"] },
    { expiration, conditions: [["eq", "key", "x"]] },
    { expiration, conditions: [["ends-with", "$key", "x"]] },
    { expiration, conditions: [["eq", "$key"]] },
    { expiration, conditions: [{ key: 1 }] },
    { expiration, conditions: [{ key: "a", acl: "b" }] },
    { expiration, conditions: [["content-length-range", "a", 1]] },
    { expiration, conditions: [["content-length-range", -1, 1]] },
    { expiration, conditions: [null] },
  ];
  for (const policy of documents) {
    assert.equal(
      await outcome(post([["key", "x"], ...policyFields([], { policy })])),
      "400 InvalidPolicyDocument",
      JSON.stringify(policy),
    );
  }
});

test("what the answer to a success is", async () => {
  const answers = async (...fields: Field[]) => {
    const all: Field[] = [["key", "answer"], ...fields];
    return post([...all, ...policyFields([bucket, ...all.map(([name, value]) => ({ [name]: value }))])]);
  };
  for (const [asked, status] of [
    ["200", 200],
    ["201", 201],
    ["204", 204],
    ["418", 204],
  ] as const) {
    assert.equal((await answers(["success_action_status", asked])).status, status);
  }
  const { status, headers } = await answers(["success_action_redirect", "http://localhost:3000/done?a=b"]);
  assert.equal(status, 303);
  assert.equal(
    headers["location"],
    `http://localhost:3000/done?a=b&bucket=forms&key=answer&etag=%22${md5("hello")}%22`,
  );
  assert.equal((await answers(["success_action_redirect", "not a URL"])).status, 204);
});

/** In a form it stands for the file's name. */
const FILENAME = "$" + "{filename}";
test("the file's name in the key is the file's name, without a path, before conditions are looked at", async () => {
  const named = (key: string, filename: string, condition: unknown) =>
    outcome(post([["key", key], ...policyFields([bucket, condition])], "hello", { filename }));
  const anywhere = ["starts-with", "$key", "up/"];
  assert.equal(await named(`up/${FILENAME}`, "C:\\fakepath\\a b.jpg", anywhere), "204");
  assert.equal((await read("up/a b.jpg")).text, "hello");
  assert.equal(await named(FILENAME, "up/x.jpg", anywhere), "403 AccessDenied");
  assert.equal(await named(`up/${FILENAME}`, "$&.jpg", anywhere), "204");
  assert.equal((await read("up/$&.jpg")).text, "hello");
  assert.equal(await named(`up/${FILENAME}`, "", anywhere), "204");
  assert.equal(await named(`up/${FILENAME}`, "x".repeat(1024), anywhere), "400 KeyTooLongError");
});

test("checksums in fields are verified", async () => {
  const withSum = (name: string, value: string) =>
    outcome(
      post([["key", "sum"], [name, value], ...policyFields([bucket, { key: "sum" }, { [name]: value }])]),
    );
  assert.equal(
    await withSum("x-amz-checksum-sha256", Buffer.from(sha256("jello"), "hex").toString("base64")),
    "400 BadDigest",
  );
  assert.equal(await withSum("x-amz-checksum-crc32", "NhCmhg=="), "204");
  assert.equal(await withSum("x-amz-checksum-crc32", "AAAAAA=="), "400 BadDigest");
  assert.equal(await withSum("x-amz-checksum-crc32", "?"), "400 InvalidRequest");
  assert.equal(await withSum("Content-MD5", Buffer.from(md5("hello"), "hex").toString("base64")), "204");
  assert.equal(
    await withSum("Content-MD5", Buffer.from(md5("jello"), "hex").toString("base64")),
    "400 BadDigest",
  );
});

test("the form itself", async (t) => {
  const good: Field[] = [["key", "form"], ...policyFields([bucket, { key: "form" }])];
  const { body, headers } = formBody(good, "hello");
  const raw = (change: { headers?: Record<string, string>; body?: Buffer | string }) => {
    const bytes = change.body ?? body;
    return outcome(
      send(fixture, {
        method: "POST",
        path: "/forms",
        headers: { ...headers, "content-length": String(Buffer.byteLength(bytes)), ...change.headers },
        body: bytes,
      }),
    );
  };
  const text = body.toString("latin1");
  const cases: Record<string, [() => Promise<string>, string]> = {
    "as it should be": [() => raw({}), "204"],
    "with a quoted boundary": [
      () => raw({ headers: { "content-type": 'multipart/form-data; charset=utf-8; boundary="----x1"' } }),
      "204",
    ],
    "with a preamble": [() => raw({ body: `hello\r\n${text}` }), "204"],
    urlencoded: [
      () => raw({ headers: { "content-type": "application/x-www-form-urlencoded" } }),
      "412 PreconditionFailed",
    ],
    "without a boundary": [
      () => raw({ headers: { "content-type": "multipart/form-data" } }),
      "412 PreconditionFailed",
    ],
    "with another boundary": [
      () => raw({ headers: { "content-type": "multipart/form-data; boundary=other" } }),
      "400 MalformedPOSTRequest",
    ],
    "without a file": [() => raw({ body: formBody(good, undefined).body }), "400 InvalidArgument"],
    "without an end": [() => outcome(post(good, "hello", { end: false })), "400 IncompleteBody"],
    empty: [() => raw({ body: "" }), "400 MalformedPOSTRequest"],
    "cut in its fields": [() => raw({ body: text.slice(0, 200) }), "400 MalformedPOSTRequest"],
    "a part without a name": [
      () => raw({ body: text.replace('; name="key"', "") }),
      "400 MalformedPOSTRequest",
    ],
    "fields after the file do not count": [
      () =>
        outcome(
          post(good, "hello", {
            after: [
              ["x-amz-meta-a", "1"],
              ["key", "other"],
            ],
          }),
        ),
      "204",
    ],
    "a file with boundaries almost in it": [
      () => outcome(post(good, "\r\n-----x1 \r\n----x1\r\n\r\n--\r\n----\r\n-----x\r\n--")),
      "204",
    ],
    "20 KB of fields": [() => outcome(post([["x-ignore-a", "x".repeat(18_000)], ...good])), "204"],
    "more than 20 KB of fields": [
      () => outcome(post([["x-ignore-a", "x".repeat(20_480)], ...good])),
      "400 MaxPostPreDataLengthExceededError",
    ],
    "one endless field": [
      () =>
        raw({ body: `------x1\r\nContent-Disposition: form-data; name="a"\r\n\r\n${"x".repeat(300_000)}` }),
      "400 MaxPostPreDataLengthExceededError",
    ],
    "of unknown length": [
      () =>
        outcome(
          send(fixture, {
            method: "POST",
            path: "/forms",
            headers: { "content-type": headers["content-type"] ?? "", "transfer-encoding": "chunked" },
            body,
          }),
        ),
      "411 MissingContentLength",
    ],
    "to a bucket that is not there": [
      () => outcome(send(fixture, { method: "POST", path: "/nope", headers, body })),
      "404 NoSuchBucket",
    ],
  };
  for (const [name, [run, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.equal(await run(), expected));
  }
  assert.equal((await read("form")).text, "hello");
});

test("bytes of every value, at every place where a piece can end, arrive as they were sent", async () => {
  const file = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
  const tricky = Buffer.concat([file, Buffer.from("\r\n-----x"), file, Buffer.from("\r\n")]);
  assert.equal(
    await outcome(post([["key", "bytes"], ...policyFields([bucket, { key: "bytes" }])], tricky)),
    "204",
  );
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "bytes" }));
  assert.ok(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(tricky));
});

test("a POST is not write-once", async () => {
  for (const text of ["one", "two"]) {
    assert.equal(
      await outcome(post([["key", "twice"], ...policyFields([bucket, { key: "twice" }])], text)),
      "204",
    );
    assert.equal((await read("twice")).text, text);
  }
});
