/** Works on `lanes` entries at once, each as soon as there is room. The first failure ends it; what runs is waited for. */
export async function inLanes<T>(
  lanes: number,
  entries: Iterable<T>,
  work: (entry: T) => Promise<void>,
): Promise<void> {
  const left = entries[Symbol.iterator]();
  let failed = false;
  const lane = async () => {
    for (let next = left.next(); !next.done && !failed; next = left.next()) {
      await work(next.value).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const results = await Promise.allSettled(Array.from({ length: lanes }, lane));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
