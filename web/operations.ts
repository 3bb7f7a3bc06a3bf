/** The admin routes of the API (`docs/api.md`), and lists that keep themselves up to date. */
import type { Darkroom } from "darkroom/client";
import type { Job as Progress } from "darkroom/server";
import { useCallback, useEffect, useRef, useState } from "react";
import { plural } from "./words.ts";

export type Api = Darkroom["api"];

export type Action = "develop" | "delete";

export interface Job extends Progress {
  readonly action: Action | "import";
  readonly select: Readonly<Record<string, string | number>>;
  readonly force: boolean;
  readonly scanned: number;
  readonly rate: number;
}

export interface Estimate {
  readonly exact: boolean;
  readonly sample: number;
  readonly images: number;
  readonly changed: number;
  /** Images whose preset there is no more, by its name. */
  readonly gone: Readonly<Record<string, number>>;
  readonly variants: number;
  readonly lambdaSeconds: number;
  readonly dollars: number;
}

export interface DeleteEstimate {
  readonly action: "delete";
  readonly exact: boolean;
  readonly sample: number;
  readonly images: number;
  readonly bytes: { readonly originals: number; readonly variants: number };
  readonly uploadedBefore?: string;
  readonly dollars: number;
  readonly savesMonthly: number;
}

export interface Order {
  readonly action: Action;
  readonly select: Select;
  readonly force: boolean;
}

export interface Select {
  readonly ids?: readonly string[];
  readonly status?: string;
  readonly owner?: string;
  readonly preset?: string;
  readonly uploadedAfter?: string;
  readonly uploadedBefore?: string;
}

export const estimate = async (api: Api, order: Order) =>
  (
    await api.call<Estimate | DeleteEstimate>("POST", "/admin/reprocess", {
      json: { ...order, dryRun: true },
    })
  ).json;
// Once: a job that was started by a request whose answer was lost would refuse the same request again.
export const start = async (api: Api, order: Partial<Order>) =>
  (await api.call<Job>("POST", "/admin/reprocess", { json: order, once: true })).json;
export const resume = async (api: Api, id: string) =>
  (await api.call<Job>("POST", "/admin/reprocess", { json: { resume: id }, once: true })).json;
export const cancel = async (api: Api, id: string) =>
  (await api.call<Job>("DELETE", `/admin/jobs/${id}`)).json;

/** Of what is held; repeated it is answered the same. */
export const judge = (api: Api, id: string, verdict: "release" | "reject", reason: string) =>
  api.call("POST", `/images/${id}/${verdict}`, {
    json: verdict === "reject" && reason.trim() !== "" ? { reason } : {},
  });

/** How often a running job is asked for. */
const WATCH_MS = 1000;

/** The last jobs, watched while one of them is running. `over` changes when one of them has ended. */
export function useJobs(api: Api) {
  const [jobs, setJobs] = useState<readonly Job[]>();
  const [problem, setProblem] = useState<string>();
  const [asked, ask] = useState(0);
  const [over, setOver] = useState(0);
  const watched = useRef(new Set<string>());
  const running = jobs?.some(({ state }) => state === "running") ?? false;

  // Asked again with every answer, as long as there is something to watch.
  useEffect(() => {
    const controller = new AbortController();
    const load = async () => {
      const { json } = await api.call<{ jobs: Job[] }>("GET", "/admin/jobs?limit=5", {
        signal: controller.signal,
      });
      setProblem(undefined);
      setJobs(json.jobs);
      const runs = json.jobs.filter(({ state }) => state === "running").map(({ id }) => id);
      const ended = [...watched.current].filter((id) => !runs.includes(id));
      watched.current = new Set(runs);
      if (ended.length > 0) setOver((count) => count + 1);
    };
    const timer = setTimeout(
      () =>
        void load().catch((error: Error) => {
          if (!controller.signal.aborted) setProblem(error.message);
        }),
      asked === 0 ? 0 : WATCH_MS,
    );
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [api, asked]);
  useEffect(() => {
    if (running && jobs) ask((count) => count + 1);
  }, [running, jobs]);

  const put = useCallback((job: Job) => {
    watched.current.add(job.id);
    setJobs((before = []) => [job, ...before.filter(({ id }) => id !== job.id)]);
  }, []);
  return { jobs, problem, over, put, reload: useCallback(() => ask((count) => count + 1), []) };
}

export interface ImageInTrouble {
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly preset?: string;
  readonly at: string;
  /** Shown as before; only its last re-process went wrong. */
  readonly ready: boolean;
  readonly thumbnail?: string;
  readonly context?: {
    readonly owner?: string;
    readonly ref?: string;
    readonly clientRef?: string;
    readonly name?: string;
  };
}

/** A list that comes in pages; `version` starts it anew. */
export function usePages<T>(api: Api, path: string, version: number) {
  const [rows, setRows] = useState<readonly T[]>();
  const [cursor, setCursor] = useState<string>();
  const [problem, setProblem] = useState<string>();
  /** A page that is asked for already: a second click must not add it twice. */
  const asked = useRef<string>(undefined);
  const load = useCallback(
    async (from: string | undefined) => {
      if (from !== undefined && asked.current === from) return;
      asked.current = from;
      try {
        const query = from === undefined ? "" : `&cursor=${encodeURIComponent(from)}`;
        const { json } = await api.call<{ images: T[]; cursor?: string }>("GET", path + query);
        setRows((before = []) => (from === undefined ? json.images : [...before, ...json.images]));
        setCursor(json.cursor);
        setProblem(undefined);
      } catch (error) {
        asked.current = undefined;
        setProblem((error as Error).message);
      }
    },
    [api, path],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version is the wish to load again.
  useEffect(() => void load(undefined), [load, version]);
  return { rows, problem, more: cursor === undefined ? undefined : () => void load(cursor), setRows };
}

/** `stale images of preset photo`, for people. */
export function selectionWords({ ids, status, owner, preset, uploadedAfter, uploadedBefore }: Job["select"]) {
  const what = ids !== undefined ? plural(Number(ids), "image") : `${status ?? "all"} images`;
  return [
    status === "all" ? "all images" : what,
    owner && `of ${owner}`,
    preset && `of preset ${preset}`,
    uploadedAfter && `from ${dayOf(uploadedAfter)} on`,
    uploadedBefore && `before ${dayOf(uploadedBefore)}`,
  ]
    .filter(Boolean)
    .join(" ");
}
const dayOf = (iso: string | number) => String(iso).replace(/T00:00:00\.000Z$/, "");
