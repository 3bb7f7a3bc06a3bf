/** Uploads in parts by whoever takes all that is given: one ticket, many beginnings, and parts as large as S3 takes. */
import { hasOutcome } from "../../core/errors.ts";
import { newId, originalKey } from "../../core/keys.ts";
import {
  type Agreement,
  createUpload,
  type MultipartDeps,
  type MultipartStore,
  signPart,
} from "../../core/upload/multipart.ts";
import type { Seal } from "../../core/upload/seal.ts";
import { Fault } from "./faults.ts";
import { MAX_BYTES } from "./open-parts.ts";
import { OWNER } from "./promises.ts";
import { MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";

const CALLER = { owner: OWNER, scopes: new Set(["upload"] as const) };
/** What one URL takes where no length is signed. */
const S3_PART = 5 * 2 ** 30;

/** Begins its ticket again and again, and sends to every URL all that fits. */
export async function greedy(scene: Scene, actor: Actor): Promise<void> {
  const { random, scheduler } = scene;
  const id = newId(random.bytes);
  const agreement: Agreement = {
    key: originalKey(id),
    owner: OWNER,
    maxBytes: MAX_BYTES,
    type: "image/jpeg",
    metadata: {},
  };
  const begin = () =>
    new Promise<void>((ended) => {
      const session = (mortal: Actor) => send(scene, mortal, agreement).catch(passes).finally(ended);
      scheduler.start(session, { lifetime: MINUTE, ended });
    });
  for (let rounds = 2; rounds > 0; rounds--) await Promise.all([begin(), begin()]);
  await scheduler.turn(actor);
}

async function send(scene: Scene, actor: Actor, agreement: Agreement): Promise<void> {
  const deps = depsOf(scene, actor);
  const { key, uploadId } = await createUpload(deps, CALLER, agreement);
  for (let part = 1; part <= 5; part++) {
    const { url } = await signPart(deps, CALLER, { key, uploadId }, part);
    const signed: { uploadId: string; size?: number } = JSON.parse(url);
    await scene.scheduler.turn(actor);
    scene.parts.put(key, signed.uploadId, part, signed.size ?? S3_PART);
  }
}

/** What a refusal or a fault amounts to: this session is over. */
function passes(error: unknown): void {
  if (!(error instanceof Fault || hasOutcome(error, "answer") || hasOutcome(error, "rejected"))) throw error;
}

function depsOf({ parts, ports, random, sabotage, scheduler }: Scene, actor: Actor): MultipartDeps {
  const call = <T>(act: () => T) => ports.call(actor, "s3", async () => act());
  const honest: MultipartStore = {
    create: ({ key }) =>
      call(() => {
        const uploadId = newId(random.bytes);
        parts.begin(key, uploadId);
        return uploadId;
      }),
    begun: (key) => call(() => parts.begun(key)),
    listParts: (key, uploadId) => call(() => parts.list(key, uploadId)),
    complete: () => call(() => false),
    abort: (key, uploadId) => call(() => parts.abort(key, uploadId)),
    metadata: () => call(() => undefined),
  };
  const sealed: Seal = { ready: true, close: (content) => JSON.stringify(content), open: JSON.parse };
  return {
    store: { ...honest, ...sabotage.parts?.(honest) },
    sign: async (_, uploadId, part, size) => ({
      url: JSON.stringify({ uploadId, part, size }),
      seconds: 300,
    }),
    tickets: sealed,
    uploads: sealed,
    passes: sealed,
    now: () => new Date(scheduler.now),
    count: () => {},
  };
}
