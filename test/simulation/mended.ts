/**
 * What the world does to Darkroom already. Each line is a kind of weather that it did not stand when the world learned
 * to make it; whoever mends that turns the line to true, plants today's behaviour in `sabotages.ts`, and removes the line
 * when all is well. `npm run chaos -- --unmended` makes all of it.
 */
export const mended = {
  /** Buckets emptied, mis-addressed or restored in the wrong order, and rules that expire originals, delete nothing. */
  evidence: true,
  /** Outages of minutes to a day end no image for good, and what is `failed` heals. */
  patience: true,
  /** Lambda cuts chains of invocations, and jobs finish. */
  lineage: true,
  /** A dead receiver delays nobody else. */
  telling: true,
  /** The CDN forgets what was deleted, within a day at worst. */
  forgetting: true,
  /** No kept event copies what a deleted image was. */
  keeping: true,
};
export type Mended = typeof mended;
