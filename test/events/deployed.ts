/** The deployed handlers on the real local S3 and SQS, each with the rights of its role and no more. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s3Client, s3Store } from "../../adapters/aws/s3-store.ts";
import { fillPlaceholders } from "../../laptop/placeholders.ts";
import { type SampleWorld, seedSamples } from "../../laptop/samples.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { Receiver } from "../receiver.ts";
import { assertOutcome, type SampleEvent, sampleEvents } from "./cases.ts";
import { assertDescribed } from "./described.ts";
import { type Grant, grantFor, grantsOf, queueGrantFor } from "./roles.ts";

export interface Deployed {
  readonly stack: Stack;
  readonly world: SampleWorld;
  /** Configured as well, and takes nothing until told otherwise. */
  readonly refusing: Receiver;
  /** By function: what its role in `deploy/infra/roles.yml` allows. */
  readonly grants: ReadonlyMap<string, readonly Grant[]>;
  /** What was needed so far. */
  readonly used: Set<Grant>;
  /** Runs `work` with the rights of this function; outside of it nobody is denied anything. */
  as<T>(fn: string, work: () => Promise<T>): Promise<T>;
  /** Brings a sample's images into their states, sends the event, and looks at what came of it. */
  play(sample: SampleEvent): Promise<void>;
  close(): Promise<void>;
}

export async function startDeployed(): Promise<Deployed> {
  const data = mkdtempSync(join(tmpdir(), "darkroom-events-"));
  const grants = new Map(sampleEvents.map(({ fn }) => [fn, grantsOf(fn)]));
  const used = new Set<Grant>();
  let running: string | undefined;
  /** True where the role allows it, or nobody's rights hold. */
  const allowed = (grant: (rights: readonly Grant[]) => Grant | undefined) => {
    if (running === undefined) return true;
    const found = grant(grants.get(running) ?? []);
    if (found) used.add(found);
    return found !== undefined;
  };
  const refusing = await Receiver.start();
  refusing.answer = ({ response }) => response.writeHead(500).end();
  process.env["WEBHOOK_URLS"] = refusing.url;
  const stack: Stack = await startStack({
    port: 0,
    data,
    poll: false,
    logLevel: "error",
    s3Fault({ method, bucket, key, query }) {
      const logicalId = bucket?.includes("media") ? "MediaBucket" : "UploadsBucket";
      const grant = (rights: readonly Grant[]) => grantFor(rights, { method, bucket: logicalId, key, query });
      return allowed(grant) ? undefined : { status: 403, code: "AccessDenied" };
    },
    sqsFault: ({ action, queue }) =>
      allowed((rights) => queueGrantFor(rights, action, queue)) ? undefined : "AccessDenied",
  });
  const s3 = s3Client({ forcePathStyle: true });
  const [bucket = "", media = ""] = [stack.env["UPLOADS_BUCKET"], stack.env["MEDIA_BUCKET"]];
  const stores = { uploads: s3Store(s3, bucket), media: s3Store(s3, media) };
  const world = { s3, bucket, ...stores, page: stack.page, consumed: false };
  const as: Deployed["as"] = (fn, work) => {
    running = fn;
    return work().finally(() => {
      running = undefined;
    });
  };
  return {
    stack,
    world,
    refusing,
    grants,
    used,
    as,
    async play(sample) {
      const uploadIds = await seedSamples(sample.event, world);
      const { AUTH_SECRET: secret = "", WEBHOOK_URLS: urls = "" } = stack.env;
      const event = await fillPlaceholders(sample.event, secret, new Date(), uploadIds, urls);
      const answer = await as(sample.fn, () => stack.invoke(sample.fn, event));
      await assertOutcome(sample, answer, world);
      assertDescribed(event, answer);
    },
    async close() {
      s3.destroy();
      await stack.close();
      refusing.close();
      delete process.env["WEBHOOK_URLS"];
      rmSync(data, { recursive: true, force: true });
    },
  };
}
