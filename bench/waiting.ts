/**
 * Many pages that upload and wait, against the API's throttle, in virtual time: how many are signed, how long that takes,
 * what waiting costs. The pages run the shipped client; the API's answers and what it says of asking again are its own.
 */
import { parameters } from "../adapters/parameters.ts";
import { connect } from "../client/api.ts";
import type { Transport } from "../client/transport.ts";
import { sendFile } from "../client/upload.ts";
import { waiter } from "../client/wait.ts";
import { askAgainSeconds } from "../core/image/ask-again.ts";
import { type Report, round } from "./report.ts";

export interface Rush {
  readonly uploadsPerMinute: number;
  readonly minutes: number;
  /** Of the deployment: for each of the throttles, and images developed at once. */
  readonly requestsPerSecond: number;
  readonly burst: number;
  readonly workers: number;
  /** Whether whoever asks for an image has a throttle apart. */
  readonly apart: boolean;
  /** When the API and S3 are away: every answer is 503. */
  readonly outage?: readonly [from: number, to: number];
  /** What the client makes of an answer of the API. */
  readonly reads?: (answer: Response) => Response;
}

export interface Waited {
  readonly uploads: number;
  readonly signed: number;
  readonly ready: number;
  /** Errors that pages saw. */
  readonly gaveUp: number;
  /** Seconds until the signature was there. */
  readonly signature: { readonly p50: number; readonly p95: number; readonly most: number };
  /** Of `GET /images/{id}` for each upload, those that the throttle refused included. */
  readonly asks: number;
  /** Requests of both kinds that a throttle refused. */
  readonly refused: number;
  /** Minutes until the last image was ready. */
  readonly minutes: number;
}

/** As deployed. */
export const SHIPPED = {
  requestsPerSecond: Number(parameters.requestsPerSecond.default),
  burst: Number(parameters.requestBurst.default),
  workers: Number(parameters.workers.default),
  apart: true,
};
/** Of a photo; log-normal in bench/burst.ts, where it matters. */
const [BYTES, DEVELOP_MS] = [4_000_000, 3000];
/** One way and back; the PUT of a photo over a home's line. */
const [ROUND_TRIP_MS, PUT_MS] = [60, 2000];

export async function rush(options: Rush): Promise<Waited> {
  const time = virtualTime();
  const service = serviceOf(options, time);
  const { fetch: real } = globalThis;
  const { reads = (answer: Response) => answer } = options;
  globalThis.fetch = async (input) => reads(await service.answer(input));
  const signature: number[] = [];
  let [ready, gaveUp, last] = [0, 0, 0];
  try {
    const { uploadsPerMinute, minutes } = options;
    const uploads = Math.round(uploadsPerMinute * minutes);
    const transport: Transport = { pause: time.pause, send: service.put };
    const page = async (n: number) => {
      await time.pause((n * 60_000) / uploadsPerMinute);
      const api = connect("https://api", "token", transport);
      const began = time.now();
      const onState = (state: unknown) => state && signature.push((time.now() - began) / 1000);
      try {
        const id = await sendFile(api, FILE, { sha256: "known", onState });
        await waiter(api, { pause: time.pause, now: time.now })(id);
        ready++;
        last = time.now();
      } catch {
        gaveUp++;
      }
    };
    await time.run(Array.from({ length: uploads }, (_, n) => page(n)));
    signature.sort((a, b) => a - b);
    const share = (part: number) => round(signature[Math.floor(part * (signature.length - 1))] ?? 0, 1);
    return {
      ...{ uploads, signed: signature.length, ready, gaveUp, minutes: round(last / 60_000, 1) },
      signature: { p50: share(0.5), p95: share(0.95), most: share(1) },
      asks: round(service.asks() / uploads, 1),
      refused: service.refused(),
    };
  } finally {
    globalThis.fetch = real;
  }
}

const FILE = new Blob([new Uint8Array(1)]);

interface VirtualTime {
  now(): number;
  readonly pause: Transport["pause"];
  at(ms: number, run: () => void): void;
  /** Lets time go by until nothing is left to happen. */
  run(all: Promise<void>[]): Promise<void>;
}

/** Milliseconds in which nothing happens, before the next that has something is looked for. */
const IDLE = 100;

function virtualTime(): VirtualTime {
  let time = 0;
  /** What happens when, by whole milliseconds; the earliest is looked for among those. */
  const due = new Map<number, (() => void)[]>();
  const at = (ms: number, run: () => void) => {
    const when = Math.ceil(Math.max(ms, time));
    const there = due.get(when);
    if (there) there.push(run);
    else due.set(when, [run]);
  };
  return {
    now: () => time,
    at,
    pause: (ms) => new Promise<void>((resolve) => at(time + ms, resolve)),
    async run(all) {
      let [over, idle] = [false, 0];
      void Promise.all(all).then(() => (over = true));
      for (; !over; time++) {
        // Looked for once it is far: most of the time is full.
        if (!due.has(time) && ++idle > IDLE && due.size > 0) time = Math.min(...due.keys());
        for (let now = due.get(time); now; now = due.get(time)) {
          idle = 0;
          due.delete(time);
          for (const one of now) one();
          // All that follows at once, before time goes on.
          await new Promise(setImmediate);
        }
      }
    },
  };
}

/** AWS's token bucket. */
function throttle({ requestsPerSecond, burst }: Rush, now: () => number): () => boolean {
  let [level, at] = [burst, 0];
  return () => {
    level = Math.min(burst, level + ((now() - at) / 1000) * requestsPerSecond);
    at = now();
    if (level < 1) return false;
    level--;
    return true;
  };
}

/** The API behind its throttles, S3, and workers that take images in the order they come. */
function serviceOf(options: Rush, time: VirtualTime) {
  const { workers, apart, outage = [0, 0] } = options;
  const all = throttle(options, time.now);
  const asking = apart ? throttle(options, time.now) : all;
  const images = new Map<string, { uploadedAt: number; ready: boolean }>();
  const waiting: string[] = [];
  let [busy, taken, asks, signed, refused] = [0, 0, 0, 0, 0];

  const work = () => {
    while (busy < workers && taken < waiting.length) {
      const image = images.get(waiting[taken++] ?? "");
      busy++;
      time.at(time.now() + DEVELOP_MS, () => {
        busy--;
        if (image) image.ready = true;
        work();
      });
    }
  };
  const away = () => time.now() >= outage[0] * 1000 && time.now() < outage[1] * 1000;
  const sayOf = (id: string): Response => {
    const image = images.get(id);
    if (!image) return Response.json({ code: "not-found" }, { status: 404 });
    if (image.ready) return Response.json({ id, status: "ready" });
    const ageSeconds = (time.now() - image.uploadedAt) / 1000;
    const backlog = waiting.length - taken;
    const seconds = askAgainSeconds({ bytes: BYTES, ageSeconds, backlog, workers });
    const headers = { "retry-after": String(seconds) };
    return Response.json({ id, status: "processing" }, { status: 202, headers });
  };

  return {
    asks: () => asks,
    refused: () => refused,
    answer: async (input: unknown): Promise<Response> => {
      await time.pause(ROUND_TRIP_MS);
      const [, route, id = ""] = new URL(String(input)).pathname.split("/");
      const signing = route === "uploads";
      if (!signing) asks++;
      if (away()) return Response.json({ message: "Service Unavailable" }, { status: 503 });
      // AWS's own refusal says no time.
      if (!(signing ? all : asking)()) {
        refused++;
        return Response.json({ message: "Too Many Requests" }, { status: 429 });
      }
      if (!signing) return sayOf(id);
      const upload = { id: `${signed++}`, method: "PUT", url: `https://s3/${signed - 1}`, headers: {} };
      return Response.json({ uploads: [upload] }, { status: 201 });
    },
    put: async ({ url }: { readonly url: string }) => {
      await time.pause(PUT_MS);
      if (away()) return { status: 503, text: "<Code>SlowDown</Code>", header: () => null };
      const id = url.split("/").at(-1) ?? "";
      images.set(id, { uploadedAt: time.now(), ready: false });
      waiting.push(id);
      work();
      return { status: 200, text: "", header: () => null };
    },
  };
}

/** @param quick a minute instead of five */
export async function waiting(quick: boolean): Promise<Report> {
  const { requestsPerSecond, burst, workers } = SHIPPED;
  const minutes = quick ? 1 : 5;
  const found: (Waited & { perMinute: number })[] = [];
  for (const perMinute of [300, 3000, 6000])
    found.push({ perMinute, ...(await rush({ ...SHIPPED, minutes, uploadsPerMinute: perMinute })) });
  const rows = found.map(({ perMinute, uploads, signed, gaveUp, signature, asks, minutes: all }) => ({
    "uploads a minute": perMinute,
    uploads,
    "signed %": round((signed / uploads) * 100, 1),
    "signature p50 s": signature.p50,
    "p95 s": signature.p95,
    "most s": signature.most,
    "asks for each": asks,
    "all ready after min": all,
    "gave up": gaveUp,
  }));
  const of = (perMinute: number) => found.find((one) => one.perMinute === perMinute);
  const figures = [3000, 6000].flatMap((perMinute) => {
    const { signed = 0, uploads = 1, gaveUp = 1 } = of(perMinute) ?? {};
    return [
      {
        what: `${perMinute} uploads a minute: signed`,
        value: (signed / uploads) * 100,
        unit: "%",
        atLeast: 100,
      },
      { what: `${perMinute} uploads a minute: pages that gave up`, value: gaveUp, atMost: 0 },
    ];
  });
  return {
    title: "Pages that wait: the shipped client against the shipped throttle",
    on: `simulated: ${minutes} min of uploads of 4 MB, ${requestsPerSecond} requests a second and ${burst} at once for signatures and for asking each, ${workers} workers, 3 s for an image.`,
    rows,
    figures: [
      ...figures,
      { what: "an image of 3 s is asked for", value: of(300)?.asks ?? 99, unit: "times", atMost: 3 },
    ],
  };
}
