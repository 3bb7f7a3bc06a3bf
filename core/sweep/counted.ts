/** Owners' entries, each with what its image is counted as: two listings that are sorted alike. */
import { COUNTS, countsBeside, OWNERS } from "../keys.ts";
import { listed } from "../listing.ts";
import type { ListedObject, ObjectStore } from "../ports.ts";

export interface Counted {
  /** Absent: these counts are beside no entry. */
  readonly entry?: ListedObject;
  /** One, where all is well. */
  readonly counts: readonly ListedObject[];
}

/** @param after the key of an entry; those that follow it */
export async function* withCounts(
  uploads: Pick<ObjectStore, "list">,
  after: string | undefined,
): AsyncGenerator<Counted, void> {
  // "~" sorts behind all digits.
  const all = listed(uploads, COUNTS, after === undefined ? undefined : `${countsBeside(after)}~`);
  try {
    let head = await all.next();
    for await (const entry of listed(uploads, OWNERS, after)) {
      const mine = countsBeside(entry.key);
      const [counts, others]: [ListedObject[], ListedObject[]] = [[], []];
      for (; head.value && head.value.key < `${mine}~`; head = await all.next())
        (head.value.key.startsWith(mine) ? counts : others).push(head.value);
      if (others.length > 0) yield { counts: others };
      yield { entry, counts };
    }
    for (; head.value; head = await all.next()) yield { counts: [head.value] };
  } finally {
    await all.return();
  }
}
