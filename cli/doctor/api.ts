/** Checks that need nothing but the API: its clock against ours, who may call it, and an image all the way. */
import { createHash } from "node:crypto";
import { DarkroomError, hasCode } from "../../client/errors.ts";
import type { Image, Variant } from "../../client/image.ts";
import type { Put } from "../../client/sign.ts";
import { originalKey } from "../../core/keys.ts";
import type { Api } from "../api.ts";
import { type Check, type Finding, NotChecked, type Patient } from "./check.ts";

/** S3 refuses what is 15 minutes off; a signature that lives for five should lose little of them. */
const MAX_SKEW_MS = 60_000;

const clock: Check = {
  name: "clock",
  async run({ apiUrl, now }) {
    const asked = now().getTime();
    const response = await fetch(apiUrl, { method: "HEAD" });
    const date = Date.parse(response.headers.get("date") ?? "");
    if (Number.isNaN(date)) throw new NotChecked("the API's answer has no date");
    // The header has whole seconds and was written while we waited.
    const skew = date + 500 - (asked + now().getTime()) / 2;
    if (Math.abs(skew) < MAX_SKEW_MS) return [];
    const seconds = Math.round(Math.abs(skew) / 1000);
    return [
      {
        message: `This machine's clock is ${seconds} seconds ${skew > 0 ? "behind" : "ahead of"} the API's.`,
        advice:
          "Set it by NTP (timedatectl set-ntp true): S3 refuses requests that are 15 minutes off, and signatures live for five.",
      },
    ];
  },
};

const strangers: Check = {
  name: "strangers",
  async run({ apiUrl }) {
    const response = await fetch(`${apiUrl}/images`);
    await response.body?.cancel();
    if (response.status === 401) return [];
    return [
      {
        message: `GET /images without a token is answered with ${response.status} instead of 401.`,
        advice: response.ok
          ? "Whatever answers there lets everybody in: see what stands between it and the functions."
          : "Is that URL Darkroom's API? The images function's log says what went wrong.",
      },
    ];
  },
};

/** A PNG of one pixel. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const roundTrip: Check = {
  name: "round trip",
  async run(patient) {
    const { api } = patient;
    if (!api) throw new NotChecked("give a --token with the scope upload to have a test image sent");
    const file = {
      name: "darkroom-doctor.png",
      type: "image/png",
      size: PIXEL.length,
      sha256: sha256(PIXEL),
    };
    const { uploads } = await api.call<{ uploads: Put[] }>("POST", "/uploads", { files: [file] });
    const [signed] = uploads;
    if (signed?.method !== "PUT") return [{ message: "The API signs no PUT.", advice: "See presign's log." }];
    try {
      return await travel(patient, api, signed);
    } finally {
      await api.call("DELETE", `/images/${signed.id}`).catch(() => {});
    }
  },
};

async function travel(patient: Patient, api: Api, { id, url, headers }: Put): Promise<Finding[]> {
  const put = () => fetch(url, { method: "PUT", headers, body: PIXEL });
  const first = await put();
  if (!first.ok) {
    const code = /<Code>(\w+)/.exec(await first.text())?.[1] ?? first.status;
    return [
      {
        message: `S3 refuses a signed upload: ${code}.`,
        advice:
          "AccessDenied: presign's role may not put originals. SignatureDoesNotMatch: something between here and S3 changes headers.",
      },
    ];
  }
  const findings: Finding[] = [];
  const again = await put();
  await again.body?.cancel();
  if (again.status !== 412 && again.status !== 409)
    findings.push({
      message: `A second upload under the same signature is answered with ${again.status} instead of 412.`,
      advice:
        "This S3 server does not keep If-None-Match: whoever sees a signature can replace the file. Use one that does.",
    });
  let image: Image;
  try {
    image = await api.waitUntilReady(id, patient.timeout);
  } catch (error) {
    if (!(error instanceof DarkroomError)) throw error;
    const message = `The test image did not become ready: ${error.code}. ${error.message}`;
    const advice =
      "Where notifications, queue and its policy are as they should be, the worker does not run, or fails: see its log.";
    return [...findings, { message, advice }];
  }
  const [variant] = image.variants;
  findings.push(
    ...(variant
      ? await served(variant, id)
      : [{ message: "The test image has no variants.", advice: "See darkroom.config.ts." }]),
  );
  await api.call("DELETE", `/images/${id}`);
  const isGone = await api.call("GET", `/images/${id}`).then(
    () => false,
    (error: unknown) => hasCode(error, "gone"),
  );
  if (!isGone)
    findings.push({
      message: "The deleted test image is not answered with 410.",
      advice: "See the log of the images function: its role may not be allowed to delete.",
    });
  return findings;
}

/** The headers a variant has to come with; `deploy/infra/media.yml` and `core/image/develop-image.ts` set them. */
const HEADERS: Readonly<Record<string, RegExp>> = {
  "cache-control": /immutable/,
  "x-content-type-options": /^nosniff$/,
  "content-security-policy": /sandbox/,
};

async function served(variant: Variant, id: string): Promise<Finding[]> {
  const response = await fetch(variant.url);
  const bytes = (await response.arrayBuffer()).byteLength;
  if (response.status !== 200 || bytes !== variant.bytes)
    return [
      {
        message: `The CDN answers ${response.status} with ${bytes} bytes for ${new URL(variant.url).origin}/images/…`,
        advice:
          "Does MEDIA_URL name the distribution, and may it read the media bucket (the policy CloudFrontReads)?",
      },
    ];
  const wrong = Object.entries({ ...HEADERS, "content-type": new RegExp(`^${variant.type}$`) })
    .filter(([name, expected]) => !expected.test(response.headers.get(name) ?? ""))
    .map(([name]) => name);
  const original = await fetch(new URL(`/${originalKey(id)}`, variant.url));
  await original.body?.cancel();
  return [
    ...(wrong.length === 0
      ? []
      : [
          {
            message: `The CDN serves images without the right ${wrong.join(", ")}.`,
            advice: "Deploy again; a CDN of your own needs the response headers of deploy/infra/media.yml.",
          },
        ]),
    ...(original.ok
      ? [
          {
            message: "The CDN serves originals.",
            advice: "Take the uploads bucket away from it: what users send must never be served as it came.",
          },
        ]
      : []),
  ];
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("base64");

export const apiChecks = { before: [clock, strangers], after: [roundTrip] };
