/** What a Lambda of so much memory gives its pixel process. */

/** Lambda gives a whole vCPU at this much memory, in MB, and its share below and above. */
const MB_PER_VCPU = 1769;
/** Of the worker itself, with the SDK and the originals and variants of its lanes. */
const OWN_BYTES = 300_000_000;
/** Wall-clock, of one image. */
const SECONDS = 60;

export function workerMeans(memoryMb: number) {
  return { memoryBytes: memoryMb * 2 ** 20 - OWN_BYTES, vcpus: memoryMb / MB_PER_VCPU, seconds: SECONDS };
}
