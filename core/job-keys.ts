/**
 * The keys of re-process jobs, `jobs/{jobId}/…`. They are made so that lists alone tell how far a job is: the last
 * page comes first, and a page's folder says how many results there will be in it.
 */
import { DIGIT, invertedTime, isId, newId } from "./keys.ts";

export const JOBS = "jobs/";
const JOB_ID = `[0-9]{13}${DIGIT}{7}`;
/** 10 billion images, 1,000 a page. */
const MAX_PAGE = 9_999_999;
const seven = (n: number) => String(n).padStart(7, "0");

/** Sorts newest first; 35 random bits keep jobs of the same millisecond apart. */
export function newJobId(now: Date, random: (bytes: number) => Uint8Array): string {
  return `${invertedTime(now.getTime())}${newId(random).slice(0, 7)}`;
}
export function isJobId(text: unknown): text is string {
  return typeof text === "string" && new RegExp(`^${JOB_ID}$`).test(text);
}
/** The job a key belongs to; undefined for what is no job's. */
export function jobOf(key: string): string | undefined {
  return new RegExp(`^${JOBS}(${JOB_ID})/`).exec(key)?.[1];
}
/** All that a job has. */
export const jobPrefix = (job: string) => `${JOBS}${job}/`;
/** Sorts behind all keys of a job, before those of the next. */
export const behindJob = (job: string) => `${JOBS}${job}0`;

/** The order: what was asked for. One writer, written once. */
export const orderKey = (job: string) => `${JOBS}${job}/job.json`;
/** The wish to stop. */
export const cancelledKey = (job: string) => `${JOBS}${job}/cancelled`;
/** How it ended, once nothing can change any more. */
export const overKey = (job: string) => `${JOBS}${job}/over.json`;
/** The job that was last started with the selection of this digest. */
export const selectionKey = (digest: string) => `${JOBS}selections/${digest}`;

/** Where a job goes on choosing, as long as it has not seen all. */
export const OPEN_JOBS = `${JOBS}open/`;
export const openKey = (job: string) => `${OPEN_JOBS}${job}`;
export function parseOpenKey(key: string): string | undefined {
  const job = key.slice(OPEN_JOBS.length);
  return key.startsWith(OPEN_JOBS) && isJobId(job) ? job : undefined;
}

/** What was chosen of one page; the last page sorts first. */
export const pagesPrefix = (job: string) => `${JOBS}${job}/pages/`;
export const pageKey = (job: string, page: number) => `${pagesPrefix(job)}${seven(MAX_PAGE - page)}.json`;

/** A page whose messages were dead-lettered; the last one sorts first. */
export const stoppedPrefix = (job: string) => `${JOBS}${job}/stopped/`;
export const stoppedKey = (job: string, page: number) =>
  `${stoppedPrefix(job)}${seven(MAX_PAGE - page)}.json`;

/** `0000012-1000`: the page, and how many messages were sent of it. */
export const pageLabel = (page: number, queued: number) => `${seven(page)}-${queued}`;
export function parsePageLabel(text: unknown): { page: number; queued: number } | undefined {
  const match = typeof text === "string" ? /^([0-9]{7})-([1-9][0-9]{0,3})$/.exec(text) : undefined;
  return match ? { page: Number(match[1]), queued: Number(match[2]) } : undefined;
}

/** What became of one message, by page and image. */
export const resultsPrefix = (job: string) => `${JOBS}${job}/results/`;
export const resultKey = (job: string, label: string, id: string) => `${resultsPrefix(job)}${label}/${id}`;
export function parseResultKey(
  key: string,
): { label: string; page: number; queued: number; id: string } | undefined {
  const [label, id, ...rest] = key.split("/").slice(3);
  const parsed = parsePageLabel(label);
  if (!parsed || label === undefined || !isId(id) || rest.length > 0) return undefined;
  return { label, ...parsed, id };
}
/** Sorts before the results of `page`, and behind those of the page before it. */
export const beforeResults = (job: string, page: number) => `${resultsPrefix(job)}${seven(page)}`;

/** The counts of a page all of whose results are there, in its key: they never change. */
export const sumsPrefix = (job: string) => `${JOBS}${job}/sums/`;
export const sumKey = (job: string, page: number, counts: readonly number[]) =>
  `${sumsPrefix(job)}${seven(page)}-${counts.join("-")}`;
export function parseSumKey(key: string): { page: number; counts: number[] } | undefined {
  const name = key.split("/")[3];
  if (!name || !/^[0-9]{7}(-[0-9]+)+$/.test(name)) return undefined;
  const [page = 0, ...counts] = name.split("-").map(Number);
  return { page, counts };
}
