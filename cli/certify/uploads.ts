/** What a server does with signed uploads that were tampered with. */
import { createHash } from "node:crypto";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import {
  type Candidate,
  done,
  FILE,
  form,
  type Probe,
  type Probes,
  type Request,
  refused,
  send,
  signedUpload,
  so,
} from "./candidate.ts";

const LARGER = Buffer.concat([FILE, Buffer.from("!")]);
const SMALLER = FILE.subarray(1);
/** Of the same size. */
const OTHER = Buffer.concat([Buffer.from("W"), SMALLER]);
const sha256 = createHash("sha256").update(FILE).digest("base64");
const minutes = (n: number) => () => new Date(Date.now() + n * 60_000);

type Terms = Parameters<typeof signedUpload>[2];

/** A PUT that was signed under these terms, and then changed. */
const tampered =
  (change: (signed: Request) => Partial<Request>, terms?: Terms): Probe =>
  async (candidate) => {
    const { method, url, headers } = await signedUpload(candidate, "PUT", terms);
    const request = { method, url, headers, body: FILE };
    return refused(await send({ ...request, ...change(request) }));
  };
const withHeader = (name: string, value: string) =>
  tampered(({ headers }) => ({ headers: { ...headers, [name]: value } }));
const without = (name: string, terms?: Terms) =>
  tampered(({ headers: { [name]: _, ...headers } }) => ({ headers }), terms);

export const put: Probes = [
  [
    "as it was signed",
    async (candidate) => {
      const { method, url, headers } = await signedUpload(candidate, "PUT");
      return done(await send({ method, url, headers, body: FILE }));
    },
  ],
  ["a byte more", tampered(() => ({ body: LARGER }))],
  ["a byte less", tampered(() => ({ body: SMALLER }))],
  ["another type", withHeader("content-type", "text/html")],
  ["another owner in the metadata", withHeader("x-amz-meta-owner", "another")],
  ["without its metadata", without("x-amz-meta-owner")],
  ["metadata that was not signed", withHeader("x-amz-meta-admin", "true")],
  ["an ACL that opens", withHeader("x-amz-acl", "public-read")],
  ["without its condition", without("if-none-match")],
  ["another key", tampered(({ url }) => ({ url: url.replace("?", "0?") }))],
  ["another method", tampered(() => ({ method: "DELETE" }))],
  ["expired", tampered(() => ({}), { now: minutes(-10) })],
  ["a longer time", tampered(({ url }) => ({ url: url.replace("Expires=300", "Expires=86400") }))],
  ["signed by somebody else", tampered(() => ({}), { secret: "somebody else's secret" })],
  ["without a signature", tampered(({ url }) => ({ url: url.replace(/\?.*/, "") }))],
];

async function textOf({ s3, bucket: Bucket }: Candidate, url: string) {
  const Key = decodeURIComponent(new URL(url).pathname.slice(1)).replace(`${Bucket}/`, "");
  return (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
}

export const once: Probes = [
  [
    "another file under a signature that was used",
    async (candidate) => {
      const { method, url, headers } = await signedUpload(candidate, "PUT");
      const first = await send({ method, url, headers, body: FILE });
      const second = await send({ method, url, headers, body: OTHER });
      if (first.status >= 300) return done(first);
      if ((await textOf(candidate, url)) !== FILE.toString())
        return so(false, `${second.status}, and replaced`);
      return refused(second);
    },
  ],
  [
    "eight at the same time",
    async (candidate) => {
      const { method, url, headers } = await signedUpload(candidate, "PUT");
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => send({ method, url, headers, body: FILE })),
      );
      const taken = answers.filter(({ status }) => status < 300).length;
      return so(taken === 1, `${taken} of 8 taken`);
    },
  ],
];

export const checksum: Probes = [
  [
    "the file that was signed",
    async (candidate) => {
      const { method, url, headers } = await signedUpload(candidate, "PUT", { sha256 });
      return done(await send({ method, url, headers, body: FILE }));
    },
  ],
  ["another file of the same size", tampered(() => ({ body: OTHER }), { sha256 })],
  ["without the checksum", without("x-amz-checksum-sha256", { sha256 })],
];

/** A form that was signed under these terms, and then changed. */
const posted =
  (
    change: (fields: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
    { file = FILE, ...terms }: Terms & { file?: Buffer } = {},
    judge: typeof refused = refused,
  ): Probe =>
  async (candidate) => {
    const { url, fields } = await signedUpload(candidate, "POST", terms);
    return judge(await send(form(url, change(fields), file)));
  };
const same = (fields: Readonly<Record<string, string>>) => fields;
const field = (name: string, value: string) => posted((fields) => ({ ...fields, [name]: value }));
const OPEN = Buffer.from('{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').toString("base64");

export const forms: Probes = [
  ["as it was signed", posted(same, {}, done)],
  ["a byte more", posted(same, { file: LARGER })],
  ["a byte less", posted(same, { file: SMALLER })],
  ["more than the most, where no size was said", posted(same, { size: undefined, file: LARGER })],
  ["nothing at all, where no size was said", posted(same, { size: undefined, file: Buffer.alloc(0) })],
  ["another type", field("Content-Type", "text/html")],
  ["another owner in the metadata", field("x-amz-meta-owner", "another")],
  ["metadata that was not signed", field("x-amz-meta-admin", "true")],
  ["an ACL that opens", field("acl", "public-read")],
  ["another key", posted((fields) => ({ ...fields, key: `${fields["key"]}0` }))],
  ["another policy", field("policy", OPEN)],
  ["expired", posted(same, { now: minutes(-10) })],
  ["signed by somebody else", posted(same, { secret: "somebody else's secret" })],
  ["another file than its checksum's", posted(same, { sha256, file: OTHER })],
];
