/** What a server does with single objects: conditions, copies, listings, and who is a stranger. */
import { CopyObjectCommand, GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { s3Store } from "../../adapters/aws/s3-store.ts";
import { bucketUrl, downloadSigner } from "../../adapters/aws/upload-signer.ts";
import {
  answerOf,
  type Candidate,
  done,
  freshKey,
  type Probe,
  type Probes,
  refused,
  send,
  signedUpload,
  so,
} from "./candidate.ts";

const storeOf = ({ s3, bucket }: Candidate) => s3Store(s3, bucket);
const NOBODYS = "00000000000000000000000000000000";

/** With an object that says "one", and its ETag. */
const withObject =
  (run: (given: { candidate: Candidate; key: string; etag: string }) => ReturnType<Probe>): Probe =>
  async (candidate) => {
    const key = freshKey(candidate);
    const metadata = { owner: "somebody", empty: "" };
    const written = { type: "image/webp", cacheControl: "public, max-age=5", metadata };
    const { etag } = await storeOf(candidate).put(key, "one", written);
    return run({ candidate, key, etag });
  };

/** What writes like this at the same time come to: only one of them may be taken. */
async function race(write: (i: number) => Promise<unknown>) {
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => answerOf(write(i))));
  const taken = answers.filter(({ status }) => status < 300).length;
  return so(taken === 1, `${taken} of 8 taken`);
}

export const commit: Probes = [
  [
    "write where nothing is",
    async (candidate) =>
      done(await answerOf(storeOf(candidate).put(freshKey(candidate), "one", { ifNoneMatch: "*" }))),
  ],
  [
    "write where nothing is, over something",
    withObject(async ({ candidate, key }) =>
      refused(await answerOf(storeOf(candidate).put(key, "two", { ifNoneMatch: "*" }))),
    ),
  ],
  [
    "write over the version that was read",
    withObject(async ({ candidate, key, etag }) =>
      done(await answerOf(storeOf(candidate).put(key, "two", { ifMatch: etag }))),
    ),
  ],
  [
    "write over another version",
    withObject(async ({ candidate, key }) =>
      refused(await answerOf(storeOf(candidate).put(key, "two", { ifMatch: NOBODYS }))),
    ),
  ],
  [
    "write over a version that is gone",
    async (candidate) =>
      refused(await answerOf(storeOf(candidate).put(freshKey(candidate), "two", { ifMatch: NOBODYS }))),
  ],
  [
    "eight who write where nothing is",
    async (candidate) => {
      const key = freshKey(candidate);
      return race((i) => storeOf(candidate).put(key, `of ${i}`, { ifNoneMatch: "*" }));
    },
  ],
  [
    "eight who write over one version",
    withObject(({ candidate, key, etag }) =>
      race((i) => storeOf(candidate).put(key, `of ${i}`, { ifMatch: etag })),
    ),
  ],
];

export const remove: Probes = [
  [
    "delete the version that was read",
    withObject(async ({ candidate, key, etag }) => {
      const answer = await answerOf(storeOf(candidate).delete(key, { ifMatch: etag }));
      if (answer.status >= 300) return done(answer);
      return so((await storeOf(candidate).head(key)) === undefined, "gone", "still there");
    }),
  ],
  [
    "delete another version",
    withObject(async ({ candidate, key }) => {
      const answer = await answerOf(storeOf(candidate).delete(key, { ifMatch: NOBODYS }));
      return (await storeOf(candidate).head(key)) ? refused(answer) : so(false, `${answer.status}, and gone`);
    }),
  ],
];

export const read: Probes = [
  [
    "what was said of an object comes back",
    withObject(async ({ candidate, key, etag }) => {
      const head = await storeOf(candidate).head(key);
      const lost = [
        ...(head?.etag === etag ? [] : ["ETag"]),
        ...(head?.type === "image/webp" ? [] : ["Content-Type"]),
        ...(head?.cacheControl === "public, max-age=5" ? [] : ["Cache-Control"]),
        ...(head?.metadata["owner"] === "somebody" ? [] : ["metadata"]),
      ];
      return so(lost.length === 0, "all of it", `not ${lost.join(", ")}`);
    }),
  ],
  [
    "GET of another version",
    withObject(async ({ candidate: { s3, bucket: Bucket }, key: Key }) =>
      refused(await answerOf(s3.send(new GetObjectCommand({ Bucket, Key, IfMatch: `"${NOBODYS}"` })))),
    ),
  ],
  [
    "HEAD of another version",
    withObject(async ({ candidate: { s3, bucket: Bucket }, key: Key }) =>
      refused(await answerOf(s3.send(new HeadObjectCommand({ Bucket, Key, IfMatch: `"${NOBODYS}"` })))),
    ),
  ],
  [
    "a signed download has the name that was signed",
    withObject(async ({ candidate: { settings }, key }) => {
      const sign = downloadSigner({ ...settings, validitySeconds: 300, now: () => new Date() });
      const named = 'attachment; filename="IMG 0042.png"';
      const answer = await send({ method: "GET", url: (await sign(key, named)).url, headers: {} });
      if (answer.status >= 300) return done(answer);
      const got = answer.headers["content-disposition"];
      return so(got === named, "200", "another name");
    }),
  ],
];

export const strangers: Probes = [
  [
    "read with a signature",
    withObject(async ({ candidate, key }) => done(await answerOf(storeOf(candidate).get(key)))),
  ],
  [
    "read without one",
    withObject(async ({ candidate, key }) => refused(await unsigned(candidate, "GET", `/${key}`))),
  ],
  ["list without one", async (candidate) => refused(await unsigned(candidate, "GET", "?list-type=2"))],
  [
    "write without one",
    async (candidate) => refused(await unsigned(candidate, "PUT", `/${freshKey(candidate)}`)),
  ],
  [
    "delete without one",
    withObject(async ({ candidate, key }) => refused(await unsigned(candidate, "DELETE", `/${key}`))),
  ],
  [
    "read by an upload's signature",
    async (candidate) => {
      const { url, headers } = await signedUpload(candidate, "PUT");
      return refused(await send({ method: "GET", url, headers }));
    },
  ],
];

const unsigned = (candidate: Candidate, method: string, path: string) =>
  send({
    method,
    url: `${bucketUrl({ ...candidate.settings, validitySeconds: 0, now: () => new Date() })}${path}`,
    headers: {},
    ...(method === "PUT" ? { body: Buffer.from("x") } : {}),
  });

/** Out of order, and with what sorts before and after `/`. */
const NAMES = ["b", "a/2", "a", "a-1", "a/1", "a.x", "c/1", "Z"];

async function listed(candidate: Candidate, limit: number, start?: string) {
  const under = freshKey(candidate);
  const store = storeOf(candidate);
  for (const name of NAMES) await store.put(`${under}/${name}`, name);
  const keys: string[] = [];
  let after = start && `${under}/${start}`;
  for (let page = 0; page < 20; page++) {
    const { objects, next } = await store.list(`${under}/`, { after, limit });
    keys.push(...objects.map(({ key }) => key.slice(under.length + 1)));
    if (next === undefined) break;
    after = next;
  }
  const wanted = [...NAMES].sort().filter((name) => start === undefined || name > start);
  const count = `${keys.length} of ${wanted.length}`;
  return so(keys.join() === wanted.join(), count, `${count}, others or in another order`);
}

export const list: Probes = [
  ["all, in the order of their bytes", (candidate) => listed(candidate, 1000)],
  ["three at a time", (candidate) => listed(candidate, 3)],
  ["after a key that is there", (candidate) => listed(candidate, 1000, "a/1")],
  ["after one that is not", (candidate) => listed(candidate, 2, "a0")],
  [
    "what is deleted is not listed",
    withObject(async ({ candidate, key }) => {
      await storeOf(candidate).delete(key);
      return so((await storeOf(candidate).list(key)).objects.length === 0, "gone", "still listed");
    }),
  ],
];

const copied = (
  condition: (etag: string) => object,
  judge: (answer: Awaited<ReturnType<typeof answerOf>>) => ReturnType<typeof done>,
): Probe =>
  withObject(async ({ candidate, key, etag }) => {
    const { s3, bucket: Bucket } = candidate;
    const CopySource = `${Bucket}/${key}`;
    return judge(
      await answerOf(
        s3.send(new CopyObjectCommand({ Bucket, Key: freshKey(candidate), CopySource, ...condition(etag) })),
      ),
    );
  });
export const copy: Probes = [
  ["a version that was read", copied((etag) => ({ CopySourceIfMatch: `"${etag}"` }), done)],
  ["another version", copied(() => ({ CopySourceIfMatch: `"${NOBODYS}"` }), refused)],
];
