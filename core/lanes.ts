/**
 * Does `work` for every value, at most `lanes` at a time, each as soon as there is room; the results in the values' order.
 * After an error none is begun any more, as a throttling S3 would only be asked in vain; what runs is waited for.
 */
export async function inLanes<T, R>(
  values: Iterable<T>,
  lanes: number,
  work: (value: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = values[Symbol.iterator]();
  let begun = 0;
  let failed = false;
  const lane = async () => {
    for (let next = left.next(); !next.done && !failed; next = left.next()) {
      const index = begun++;
      try {
        results[index] = await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  for (const end of await Promise.allSettled(Array.from({ length: lanes }, lane)))
    if (end.status === "rejected") throw end.reason;
  return results;
}
