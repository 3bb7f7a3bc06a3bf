/** How a command ends: what its exit status says, and the error whose message is for the user as it stands. */

/** Add a status by adding a row; `--help` of every command prints this table. */
export const exitCodes = {
  done: { status: 0, meaning: "everything went well" },
  failed: { status: 1, meaning: "something did not, and was named" },
  usage: { status: 2, meaning: "wrong options or arguments; nothing was done" },
  interrupted: { status: 130, meaning: "stopped by Ctrl-C; what was done is recorded" },
} as const;

export class CliError extends Error {
  readonly status: number;
  constructor(message: string, exit: keyof typeof exitCodes = "failed", options?: ErrorOptions) {
    super(message, options);
    this.status = exitCodes[exit].status;
  }
}

/** A sentence for whatever was thrown; the file system's most frequent codes in words. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return (code && fileErrors[code]) || error.message;
}

const fileErrors: Readonly<Record<string, string>> = {
  ENOENT: "There is no such file or folder.",
  EACCES: "It may not be read or written.",
  EISDIR: "It is a folder.",
  ELOOP: "Its links lead in a circle.",
  ENOSPC: "The disk is full.",
  EMFILE: "Too many files are open; lower --concurrency.",
};
