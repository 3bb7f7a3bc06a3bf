/** Memory of the pixel process as the kernel counts it. Linux only. */
import { readFileSync, writeFileSync } from "node:fs";

/** The child processes of this process, in the order of their start. */
export const children = (): number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);

/** The child process of this process that was started last. */
export function lastChild(): number {
  const pid = children().at(-1);
  if (!pid) throw new Error("there is no child process");
  return pid;
}

/** Starts measuring the peak of a process's resident memory anew. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Peak of a process's resident memory in MB (1,000,000 bytes); 0 for one that has ended and not been waited for. */
export function peakMb(pid: number): number {
  const kB = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0;
  return Math.round((Number(kB) * 1024) / 1e6);
}

/** CPU time that a process has taken, all its threads together, in ms; the kernel counts in steps of 10. */
export function cpuMs(pid: number): number {
  // The name in brackets may hold blanks: count from its end. utime and stime are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process now, in MB. */
export function rssMb(pid: number): number {
  const kB = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round((Number(kB) * 1024) / 1e6);
}
