/** What a server does with uploads in parts. */
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { multipartStore } from "../../adapters/aws/multipart-store.ts";
import { partSigner } from "../../adapters/aws/upload-signer.ts";
import {
  answerOf,
  type Candidate,
  done,
  freshKey,
  type Probe,
  type Probes,
  refused,
  send,
  so,
} from "./candidate.ts";

const WHOLE = Buffer.alloc(5_242_880, "p");
const LAST = Buffer.from("the last one may be small");
const metadata = { owner: "somebody" };
const storeOf = ({ s3, bucket }: Candidate) => multipartStore(s3, bucket);

interface Open {
  readonly candidate: Candidate;
  readonly key: string;
  readonly uploadId: string;
  /** @param size as signed */
  readonly part: (number: number, body: Buffer, size?: number) => ReturnType<typeof send>;
}
const opened =
  (run: (open: Open) => ReturnType<Probe>): Probe =>
  async (candidate) => {
    const key = freshKey(candidate);
    const store = storeOf(candidate);
    const uploadId = await store.create({ key, type: "image/png", metadata });
    const sign = partSigner({ ...candidate.settings, validitySeconds: 300, now: () => new Date() });
    const part: Open["part"] = async (number, body, size = body.length) => {
      const { url } = await sign(key, uploadId, number, size);
      return send({ method: "PUT", url, headers: {}, body });
    };
    return run({ candidate, key, uploadId, part }).finally(() => store.abort(key, uploadId).catch(() => {}));
  };

/** Sends the parts, then completes with what a change makes of them. */
const completed = (
  bodies: readonly Buffer[],
  judge: typeof refused,
  change: { etag?: string; over?: boolean; size?: number } = {},
): Probe =>
  opened(async ({ candidate, key, uploadId, part }) => {
    for (const [i, body] of bodies.entries()) {
      const answer = await part(i + 1, body);
      if (answer.status >= 300) return done(answer);
    }
    const store = storeOf(candidate);
    const { s3, bucket: Bucket } = candidate;
    if (change.over) await s3.send(new PutObjectCommand({ Bucket, Key: key, Body: "there" }));
    const sent = ((await store.listParts(key, uploadId)) ?? []).map((one) => ({
      ...one,
      ...(change.etag ? { etag: change.etag } : {}),
    }));
    const size = change.size ?? Buffer.concat(bodies).length;
    // Our store answers false where S3 says 412, and where it knows no such upload.
    let taken = false;
    const answer = await answerOf(
      store.complete(key, uploadId, sent, size).then((is) => {
        taken = is;
      }),
    );
    return judge(answer.status < 300 && !taken ? { status: 412 } : answer);
  });

export const parts: Probes = [
  ["two parts become one object", completed([WHOLE, LAST], done)],
  [
    "a part of another length than was signed",
    opened(async ({ part }) => refused(await part(1, LAST, LAST.length - 1))),
  ],
  ["a part that is too small, and not the last", completed([LAST, LAST], refused)],
  ["a part that is another's", completed([WHOLE, LAST], refused, { etag: "0".repeat(32) })],
  ["completed over an object that is there", completed([WHOLE, LAST], refused, { over: true })],
  [
    "what is open is listed",
    opened(async ({ candidate, key, uploadId }) => {
      const begun = await storeOf(candidate).begun(key);
      return so(begun.join() === uploadId, `${begun.length} of 1`);
    }),
  ],
  [
    "the metadata is that of the beginning",
    opened(async ({ candidate, key, uploadId, part }) => {
      await part(1, LAST);
      const store = storeOf(candidate);
      await store.complete(key, uploadId, (await store.listParts(key, uploadId)) ?? [], LAST.length);
      return so((await store.metadata(key))?.["owner"] === "somebody", "kept", "lost");
    }),
  ],
  [
    "a part after the upload was given up",
    opened(async ({ candidate, key, uploadId, part }) => {
      await storeOf(candidate).abort(key, uploadId);
      return refused(await part(1, LAST));
    }),
  ],
];

export const sumOfParts: Probes = [
  ["completed with the size that was agreed", completed([LAST], done)],
  ["completed with another size", completed([LAST], refused, { size: 1 })],
];
