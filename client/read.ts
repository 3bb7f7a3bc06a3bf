/** A file's bytes, or why they cannot be had. */
import { DarkroomError } from "./errors.ts";
import { sleep } from "./patience.ts";

/**
 * A page that is being left can read nothing either (WebKit): it does not live to try again, and what is kept for the next
 * one is not given up.
 * @throws DarkroomError `file-changed`
 */
export const read = (file: Blob): Promise<ArrayBuffer> =>
  file.arrayBuffer().catch(async () => {
    await sleep(1000, undefined);
    return file.arrayBuffer().catch((cause: unknown) => {
      throw new DarkroomError("file-changed", undefined, { cause });
    });
  });

/** A file of no bytes is empty, or no longer there: browsers say 0 of both, and reading tells the difference. */
export async function refuseEmpty(file: Blob): Promise<void> {
  if (file.size > 0) return;
  await read(file);
  throw new DarkroomError("file-empty");
}
