/** What became of one task, for logs and metrics. */
export interface Outcome {
  /** Absent where nothing of ours was meant. */
  readonly id?: string;
  /** `skipped`: nothing was to be done. `ignored`: not a message for us. `scanned`: a job's page was chosen from. */
  readonly status: "ready" | "held" | "rejected" | "failed" | "deleted" | "skipped" | "ignored" | "scanned";
  /** The error's code, or why nothing was to be done. */
  readonly reason?: string | undefined;
  readonly sourceBytes?: number | undefined;
  readonly variants?: number | undefined;
  readonly variantBytes?: number | undefined;
  /** From the upload to the commit, of an image that was waited for. */
  readonly readyMs?: number | undefined;
  readonly durationMs?: number | undefined;
  /** Whether it had been given up before, and is ready now. */
  readonly healed?: boolean;
  /** The job it was done for, and of a scan: which page, how many messages. */
  readonly job?: string | undefined;
  readonly page?: number | undefined;
  readonly queued?: number | undefined;
}

export const skipped = (id: string, reason: string): Outcome => ({ id, status: "skipped", reason });
