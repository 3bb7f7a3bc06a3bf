/** A tiny picture that goes the whole way, as anybody's does: signed, sent, developed, shown by the CDN, and deleted again. */
import * as v from "valibot";
import { DarkroomError } from "./errors.ts";

/** 16 × 16 pixels, JPEG. */
const PICTURE = Buffer.from(
  "/9j/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09P" +
    "T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAQABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAA" +
    "AAAAAAAAAAAAAAAA/8QAFAEBAAAAAAAAAAAAAAAAAAAABf/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AJwBUc//2Q==",
  "base64",
);
/** The longest pause between two looks, in milliseconds. */
const PAUSE_MS = 5000;

export interface ProbeDeps {
  /** The API's URL, and a token to upload with. */
  readonly api: string;
  readonly token: string;
  readonly fetch: typeof globalThis.fetch;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly now: () => Date;
}

/** How far it came: `done` is all the way. */
type Step = "clear" | "sign" | "send" | "wait" | "show" | "delete" | "done";

export interface Probed {
  readonly step: Step;
  /** Why it came no further: an answer's HTTP status, or what the picture came to. */
  readonly why?: string | number;
  /** From asking for the signature until the picture was ready, or for as long as it was waited for. */
  readonly ms: number;
}

const ProbeRequest = v.object({ seconds: v.optional(v.pipe(v.number(), v.minValue(0)), 60) });

/** How long it is waited for, as a person may say; a schedule says nothing. @throws DarkroomError `bad-request` */
export function readProbeRequest(event: unknown): { readonly seconds: number } {
  const { success, output } = v.safeParse(ProbeRequest, event ?? {});
  if (!success) throw new DarkroomError("bad-request", "seconds: a number from 0.");
  return output;
}

/** What ends a probe at its step. */
class Ended extends Error {
  readonly why: string | number;
  constructor(why: string | number) {
    super(String(why));
    this.why = why;
  }
}

/** Never rejects: that it did not get through is what it is there to say. */
export async function probe(deps: ProbeDeps, seconds: number): Promise<Probed> {
  const began = deps.now().getTime();
  let [step, ms] = ["clear" as Step, 0];
  const passed = () => deps.now().getTime() - began;
  const reach = (next: Step) => {
    step = next;
  };
  const call = async (method: string, path: string, body?: string) => {
    const headers = { authorization: `Bearer ${deps.token}` };
    return well(await deps.fetch(deps.api + path, { method, headers, ...(body ? { body } : {}) }));
  };
  try {
    // What a probe has left that died.
    const { images } = (await (await call("GET", "/images")).json()) as { images: { id: string }[] };
    for (const { id } of images) await call("DELETE", `/images/${id}`);
    reach("sign");
    const files = [{ name: "probe.jpg", type: "image/jpeg", size: PICTURE.length }];
    const signed = await call("POST", "/uploads", JSON.stringify({ files }));
    const [upload] = ((await signed.json()) as { uploads: Upload[] }).uploads;
    if (!upload) throw new Ended("no upload");
    reach("send");
    const { url, headers } = upload;
    await well(await deps.fetch(url, { method: "PUT", headers, body: new Uint8Array(PICTURE) }));
    reach("wait");
    const seen = await whenReady(deps, () => call("GET", `/images/${upload.id}`), began + seconds * 1000);
    ms = passed();
    reach("show");
    await well(await deps.fetch(seen));
    reach("delete");
    await call("DELETE", `/images/${upload.id}`);
    return { step: "done", ms };
  } catch (error) {
    const why = error instanceof Ended ? error.why : error instanceof Error ? error.name : "unknown";
    return { step, why, ms: ms || passed() };
  }
}

interface Upload {
  readonly id: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

async function well(response: Response): Promise<Response> {
  if (!response.ok) throw new Ended(response.status);
  return response;
}

/** @returns the URL of a variant. @throws Ended where it comes to another end, or to none in time */
async function whenReady(deps: ProbeDeps, ask: () => Promise<Response>, until: number): Promise<string> {
  for (;;) {
    const response = await ask();
    const { status, variants = [] } = (await response.json()) as {
      status: string;
      variants?: { url: string }[];
    };
    if (status === "ready" && variants[0]) return variants[0].url;
    const left = until - deps.now().getTime();
    if (status !== "processing" || left <= 0) throw new Ended(status);
    const wished = Number(response.headers.get("retry-after") ?? 1) * 1000;
    await deps.sleep(Math.min(wished, left, PAUSE_MS));
  }
}
