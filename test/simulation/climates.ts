/** Kinds of histories: what may happen in them, and so what can be expected of them. */
const none = {
  /** Buckets emptied, mis-addressed or restored in the wrong order, and rules that expire originals, delete nothing. */
  evidence: false,
  /** Outages of minutes to a day end no image for good, and what is `failed` heals. */
  patience: false,
  /** Lambda cuts chains of invocations, and jobs finish. */
  lineage: false,
  /** A dead receiver delays nobody else. */
  telling: false,
  /** The CDN forgets what was deleted, within a day at worst. */
  forgetting: false,
  /** No kept event copies what a deleted image was. */
  keeping: false,
};

export interface Climate {
  /** Notifications get lost, time is skipped, and the sweep mends; without, the workers alone keep what they promise. */
  readonly swept: boolean;
  /** Outages, accidents of operators, dead receivers, what the last release left: days of virtual time. */
  readonly rough: boolean;
  readonly expects: Readonly<typeof none>;
}

export const climates: Readonly<Record<"busy" | "swept" | "rough", Climate>> = {
  busy: { swept: false, rough: false, expects: { ...none, lineage: true, telling: true } },
  swept: { swept: true, rough: false, expects: none },
  rough: {
    swept: true,
    rough: true,
    expects: {
      evidence: true,
      patience: true,
      lineage: true,
      telling: true,
      forgetting: true,
      keeping: true,
    },
  },
};
