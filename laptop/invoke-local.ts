/** What `serverless invoke local -s local` needs to run a handler against the running local stack. */
import { s3Client, s3Store } from "../adapters/aws/s3-store.ts";
import { typed } from "../adapters/project.ts";
import { type Note, noteFile, readNote } from "../host/note.ts";
import { readTemplate } from "../host/template.ts";
import { fillPlaceholders } from "./placeholders.ts";
import { seedSamples } from "./samples.ts";

export interface Invocation {
  /** Of the stack: what the CLI and the SDK are to find instead of the user's own. */
  readonly connection: Readonly<Record<string, string>>;
  /**
   * Makes the originals that a sample event speaks of, and fills in its tokens.
   * @param settings the function's environment, as `serverless.yml` has it for the local stage
   * @returns what differs in it for this stack, and the event
   */
  ready(
    settings: Readonly<Record<string, unknown>>,
    event: unknown,
    notice: (text: string) => void,
  ): Promise<{ environment: Record<string, string>; event: unknown }>;
}

/** @throws Error with a sentence for the user when no stack runs */
export async function prepareInvocation(env: NodeJS.ProcessEnv): Promise<Invocation> {
  const data = env["DARKROOM_DATA"] ?? ".darkroom";
  const stack = await runningStack(data);
  // Servers of the user's own come with the user's credentials, as for `npm start`.
  const own = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL_SQS"] ? env : {};
  const connection = {
    AWS_REGION: stack.region,
    AWS_ACCESS_KEY_ID: own["AWS_ACCESS_KEY_ID"] ?? "darkroom",
    AWS_SECRET_ACCESS_KEY: own["AWS_SECRET_ACCESS_KEY"] ?? "darkroom-local-secret",
    AWS_ENDPOINT_URL_S3: own["AWS_ENDPOINT_URL_S3"] ?? stack.s3,
    AWS_ENDPOINT_URL_SQS: own["AWS_ENDPOINT_URL_SQS"] ?? stack.sqs,
    AWS_ENDPOINT_URL_CLOUDFRONT: stack.media,
  };
  return {
    connection,
    async ready(settings, event, notice) {
      const uploadIds = await seed(event, readTemplate().buckets, stack.page, notice);
      // Only what the template gives this function: one that lacks a setting shall fail here as it would on AWS.
      const set = Object.entries(stack.settings).filter(([name]) => Object.hasOwn(settings, name));
      const secret = stack.settings["AUTH_SECRET"] ?? "";
      return {
        environment: Object.fromEntries(set),
        event: await fillPlaceholders(event, secret, new Date(), uploadIds, `${stack.page}/webhooks`),
      };
    },
  };
}

async function runningStack(data: string): Promise<Note> {
  const note = noteFile(data);
  const start = `Start it in another terminal with: ${typed("start")}; DARKROOM_DATA says where its data is.`;
  const stack = await readNote(data);
  if (!stack) throw new Error(`The local stack is not running: there is no ${note}. ${start}`);
  await fetch(stack.media).catch((cause: unknown) => {
    throw new Error(
      `The local stack is not running: ${note} names ${stack.media}, where nothing answers. ${start}`,
      { cause },
    );
  });
  return stack;
}

async function seed(
  event: unknown,
  buckets: Record<"uploads" | "media", string>,
  page: string,
  notice: (text: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const s3 = s3Client({ forcePathStyle: true });
  try {
    const stores = { uploads: s3Store(s3, buckets.uploads), media: s3Store(s3, buckets.media) };
    return await seedSamples(event, { s3, bucket: buckets.uploads, ...stores, page, consumed: true, notice });
  } finally {
    s3.destroy();
  }
}
