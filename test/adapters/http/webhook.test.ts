import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Webhook } from "standardwebhooks";
import { isPublicAddress, publicLookup } from "../../../adapters/http/public-address.ts";
import { webhookSender } from "../../../adapters/http/webhook.ts";
import { DarkroomError } from "../../../core/errors.ts";
import { assertSigned, Receiver } from "../../receiver.ts";

const SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
const BODY = JSON.stringify({
  type: "image.ready",
  timestamp: "2026-11-20T12:00:00Z",
  data: { umlaut: "ü" },
});
let receiver: Receiver;
let clock = Date.now();

before(async () => {
  receiver = await Receiver.start();
});
after(() => receiver.close());

const sender = (options: { allowPrivate?: boolean; timeoutMs?: number; secrets?: string[] } = {}) =>
  webhookSender({
    secrets: SECRETS,
    allowPrivate: true,
    timeoutMs: 10_000,
    now: () => new Date(clock),
    ...options,
  });
const refused = (why: RegExp) => (error: unknown) =>
  error instanceof DarkroomError && error.code === "unavailable" && why.test(error.message);

test("a webhook is signed by every secret, as any library for Standard Webhooks verifies", async () => {
  receiver.received.length = 0;
  assert.equal(await sender()(receiver.url, "abc-1", BODY), 204);
  const [got] = receiver.received;
  assert.ok(got);
  assert.equal(got.body, BODY);
  assert.equal(got.headers["webhook-id"], "abc-1");
  assert.equal(got.headers["webhook-timestamp"], String(Math.floor(clock / 1000)));
  assert.equal(got.headers["content-type"], "application/json");
  for (const secret of SECRETS) {
    assertSigned(got, secret);
    new Webhook(secret).verify(got.body, got.headers as Record<string, string>);
  }
  assert.throws(() => assertSigned({ ...got, body: `${got.body} ` }, SECRETS[0] ?? ""));
});

test("the status is what counts: a redirect is not followed, a body without end is not read", async (t) => {
  t.after(() => {
    receiver.answer = ({ response }) => response.writeHead(204).end();
  });
  receiver.received.length = 0;
  receiver.answer = ({ response }) => response.writeHead(307, { location: receiver.url }).end();
  assert.equal(await sender()(receiver.url, "a-1", BODY), 307);
  assert.equal(receiver.received.length, 1);
  receiver.answer = ({ response }) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(10_000)));
    };
    response.writeHead(200).on("drain", more);
    more();
  };
  assert.equal(await sender()(receiver.url, "a-1", BODY), 200);
});

test("a receiver that hangs is given up, and then left alone for a minute", async (t) => {
  t.after(() => {
    receiver.answer = ({ response }) => response.writeHead(204).end();
  });
  receiver.received.length = 0;
  receiver.answer = () => {};
  const send = sender({ timeoutMs: 50 });
  await assert.rejects(
    send(receiver.url, "a-1", BODY),
    refused(/^127\.0\.0\.1:\d+: no answer within 50 ms$/),
  );
  await assert.rejects(send(receiver.url, "a-1", BODY), refused(/left alone/));
  // On a busy machine 50 ms may be too short for the first to arrive at all.
  assert.ok(receiver.received.length <= 1, "passed over");
  clock += 60_000;
  await assert.rejects(send(receiver.url, "a-1", BODY), refused(/no answer/));
});

test("what cannot be reached is said without the URL's path", async () => {
  const gone = await Receiver.start();
  const { url } = gone;
  gone.close();
  await assert.rejects(sender()(url, "a-1", BODY), (error: Error) => {
    assert.match(error.message, /ECONNREFUSED/);
    assert.doesNotMatch(error.message, /hook|private/);
    return true;
  });
});

test("private addresses are refused, whatever they are dressed in", async () => {
  const { port } = receiver;
  receiver.received.length = 0;
  const send = sender({ allowPrivate: false });
  for (const host of [
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "localhost",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "10.1.2.3",
    "0.0.0.0",
  ]) {
    await assert.rejects(send(`https://${host}:${port}/`, "a-1", BODY), refused(/private address/), host);
  }
  await assert.rejects(send(receiver.url, "a-1", BODY), refused(/only https/));
  assert.equal(receiver.received.length, 0);
});

test("a name is judged by all it resolves to, at the moment of connecting", async () => {
  const resolve = (name: string, all: boolean) =>
    new Promise((done, fail) =>
      publicLookup(name, { all }, (error, address) => (error ? fail(error) : done(address))),
    );
  // The only name that resolves everywhere, offline too.
  for (const all of [true, false]) await assert.rejects(resolve("localhost", all), /private address/);
  assert.deepEqual(await resolve("1.1.1.1", true), [{ address: "1.1.1.1", family: 4 }]);
  assert.equal(await resolve("1.1.1.1", false), "1.1.1.1");
});

test("an address is public or it is not", () => {
  for (const address of ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
    assert.ok(isPublicAddress(address), address);
  for (const address of [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
    "2002:a00:1::",
    "not an address",
    "",
  ])
    assert.ok(!isPublicAddress(address), address);
});
