/** A file's bytes, or why they cannot be had. */
import { DarkroomError, networkError } from "./errors.ts";

/** @throws DarkroomError `file-changed`; `unreachable` may pass */
export const read = (file: Blob): Promise<ArrayBuffer> =>
  file.arrayBuffer().catch((cause: unknown) =>
    // In WebKit a page that is being left reads nothing at all until the next one answers, and goes on where none does.
    new Blob([" "]).arrayBuffer().then(
      () => {
        throw new DarkroomError("file-changed", undefined, { cause });
      },
      () => {
        throw networkError(cause);
      },
    ),
  );

/** A file of no bytes is empty, or no longer there: browsers say 0 of both, and reading tells the difference. */
export async function refuseEmpty(file: Blob): Promise<void> {
  if (file.size > 0) return;
  await read(file);
  throw new DarkroomError("file-empty");
}
