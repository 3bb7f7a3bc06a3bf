import assert from "node:assert/strict";
import test from "node:test";
import { unchunk } from "../../s3/aws-chunked.ts";
import { type RawRequest, readClaim, SigV4Error, verify, verifyPolicy } from "../../sigv4.ts";

/** "Examples: Signature Calculations in AWS Signature Version 4", Amazon S3 API reference. */
const s3 = {
  credentials: {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  },
  region: "us-east-1",
  service: "s3",
  now: new Date("2013-05-24T00:00:00Z"),
};
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const WELCOME = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";

type Header = readonly [string, string];
const common: Header[] = [
  ["host", "examplebucket.s3.amazonaws.com"],
  ["x-amz-date", "20130524T000000Z"],
];
const streaming: Header[] = [
  ["host", "s3.amazonaws.com"],
  ["x-amz-date", "20130524T000000Z"],
  ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
  ["content-encoding", "aws-chunked"],
  ["x-amz-decoded-content-length", "66560"],
];

function withAuthorization(
  method: string,
  path: string,
  query: string,
  headers: readonly Header[],
  signature: string,
): RawRequest {
  const names = headers.map(([name]) => name).sort();
  const credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
  const value = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names.join(";")},Signature=${signature}`;
  return { method, path, query, headers: [...headers, ["authorization", value]] };
}

const published = {
  "GET Object": {
    request: withAuthorization(
      "GET",
      "/test.txt",
      "",
      [...common, ["x-amz-content-sha256", EMPTY], ["range", "bytes=0-9"]],
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    payload: EMPTY,
  },
  "PUT Object": {
    request: withAuthorization(
      "PUT",
      "/test$file.text",
      "",
      [
        ...common,
        ["x-amz-content-sha256", WELCOME],
        ["date", "Fri, 24 May 2013 00:00:00 GMT"],
        ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ],
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    payload: WELCOME,
  },
  "GET Bucket Lifecycle": {
    request: withAuthorization(
      "GET",
      "/",
      "lifecycle",
      [...common, ["x-amz-content-sha256", EMPTY]],
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    payload: EMPTY,
  },
  "GET Bucket (List Objects)": {
    request: withAuthorization(
      "GET",
      "/",
      "max-keys=2&prefix=J",
      [...common, ["x-amz-content-sha256", EMPTY]],
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    payload: EMPTY,
  },
  "presigned GET": {
    request: {
      method: "GET",
      path: "/test.txt",
      query:
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
      headers: [["host", "examplebucket.s3.amazonaws.com"]] as Header[],
    },
    payload: "UNSIGNED-PAYLOAD",
  },
  "chunked upload": {
    request: withAuthorization(
      "PUT",
      "/examplebucket/chunkObject.txt",
      "",
      [
        ...streaming,
        ["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
        ["content-length", "66824"],
      ],
      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    ),
    payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  },
  "chunked upload with a trailer": {
    request: withAuthorization(
      "PUT",
      "/examplebucket/chunkObject.txt",
      "",
      [
        ...streaming,
        ["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"],
        ["x-amz-trailer", "x-amz-checksum-crc32c"],
      ],
      "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    ),
    payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
  },
};

function check(request: RawRequest, payload: string, verifier = s3) {
  const claim = readClaim(request);
  assert.ok(claim);
  return verify(request, claim, payload, verifier);
}

const refusal = (reason: string) => (error: unknown) =>
  error instanceof SigV4Error && error.reason === reason;

for (const [name, { request, payload }] of Object.entries(published)) {
  test(`published example: ${name}`, () => {
    check(request, payload);
    assert.throws(() => check({ ...request, path: `${request.path}x` }, payload), refusal("mismatch"));
    assert.throws(() => check({ ...request, method: "DELETE" }, payload), refusal("mismatch"));
    assert.throws(() => check(request, `${payload.slice(1)}0`), refusal("mismatch"));
    assert.throws(() => check({ ...request, query: `${request.query}&a=b` }, payload), refusal("mismatch"));
  });
}

const chunks = [
  ["10000", "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "a".repeat(65_536)],
  ["400", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "a".repeat(1024)],
  ["0", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", ""],
] as const;
const trailerChunks = [
  ["10000", "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "a".repeat(65_536)],
  ["400", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7", "a".repeat(1024)],
  ["0", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992", undefined],
] as const;
const wire = (list: readonly (readonly [string, string, string | undefined])[]): string =>
  list
    .map(
      ([size, sig, data]) => `${size};chunk-signature=${sig}\r\n${data === undefined ? "" : `${data}\r\n`}`,
    )
    .join("");
const TRAILER =
  "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";

/** In pieces of an awkward size, so that every boundary falls in the middle of a piece sometime. */
async function* pieces(text: string, size = 1021): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decoded(
  text: string,
  name: keyof typeof published,
  trailer: string | undefined,
): Promise<{ size: number; trailer?: string | undefined }> {
  const { request, payload } = published[name];
  const body = unchunk(pieces(text), { seed: check(request, payload), trailer });
  let size = 0;
  for await (const piece of body.stream) size += piece.length;
  return { size, trailer: body.trailer() };
}

test("published example: the chunks of a chunked upload", async () => {
  const body = wire(chunks);
  assert.equal(body.length, 66_824, "the example's own content-length");
  assert.deepEqual(await decoded(body, "chunked upload", undefined), { size: 66_560, trailer: undefined });
  const last = body.length - 86;
  for (const at of [30, 100, 40_000, 65_700, 66_000, last + 20]) {
    const altered = `${body.slice(0, at)}${body[at] === "a" ? "b" : "a"}${body.slice(at + 1)}`;
    await assert.rejects(
      decoded(altered, "chunked upload", undefined),
      { name: "S3Error", code: "SignatureDoesNotMatch" },
      `byte ${at}`,
    );
  }
  await assert.rejects(decoded(body.slice(0, -100), "chunked upload", undefined), { code: "IncompleteBody" });
  await assert.rejects(decoded(wire([chunks[0], chunks[2]]), "chunked upload", undefined), {
    code: "SignatureDoesNotMatch",
  });
});

test("published example: the trailer of a chunked upload", async () => {
  const [body, name] = [wire(trailerChunks), "chunked upload with a trailer" as const];
  assert.deepEqual(await decoded(body + TRAILER, name, "x-amz-checksum-crc32c"), {
    size: 66_560,
    trailer: "sOO8/Q==",
  });
  const altered = TRAILER.replace("sOO8", "sOO9");
  await assert.rejects(decoded(body + altered, name, "x-amz-checksum-crc32c"), {
    code: "SignatureDoesNotMatch",
  });
  await assert.rejects(decoded(`${body}\r\n`, name, "x-amz-checksum-crc32c"), {
    code: "MalformedTrailerError",
  });
  await assert.rejects(decoded(body + TRAILER, name, "x-amz-checksum-sha256"), {
    code: "MalformedTrailerError",
  });
});

test("published example: the POST policy", () => {
  const policy =
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
  const form = {
    algorithm: "AWS4-HMAC-SHA256",
    credential: "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
    timestamp: "20151229T000000Z",
    signature: "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
    token: undefined,
    policy,
  };
  verifyPolicy(form, s3);
  assert.throws(
    () => verifyPolicy({ ...form, policy: policy.replace("eyAi", "eyAj") }, s3),
    refusal("mismatch"),
  );
  assert.throws(() => verifyPolicy({ ...form, timestamp: "20151230T000000Z" }, s3), refusal("wrong-scope"));
});

/** AWS's signature test suite, for the services that normalise paths. */
const suite = {
  ...s3,
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
  service: "service",
  now: new Date("2015-08-30T12:36:00Z"),
};
const suiteCases = {
  "get-vanilla": ["/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
  "get-vanilla-query-order-key-case": [
    "/",
    "Param2=value2&Param1=value1",
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  ],
  "get-utf8": ["/\u00e1\u0088\u00b4", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"],
  "get-slashes": ["//example//", "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"],
  "get-relative": ["/example/..", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
} as const;

for (const [name, [path, query, signature]] of Object.entries(suiteCases)) {
  test(`AWS signature test suite: ${name}`, () => {
    const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`;
    const headers: Header[] = [
      ["host", "example.amazonaws.com"],
      ["x-amz-date", "20150830T123600Z"],
      ["authorization", authorization],
    ];
    check({ method: "GET", path, query, headers }, EMPTY, suite);
    assert.throws(
      () => check({ method: "GET", path, query, headers }, EMPTY, { ...suite, service: "s3" }),
      refusal("wrong-scope"),
    );
  });
}
