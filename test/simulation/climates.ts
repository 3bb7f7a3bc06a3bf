/** Kinds of histories: what may happen in them, and so what can be expected of them. */
import { type Mended, mended } from "./mended.ts";

export interface Climate {
  /** Notifications get lost, time is skipped, and the sweep mends; without, the workers alone keep what they promise. */
  readonly swept: boolean;
  /** Outages, accidents of operators, dead receivers, what the last release left: days of virtual time. */
  readonly rough: boolean;
  readonly expects: Mended;
}

const none: Mended = {
  evidence: false,
  patience: false,
  lineage: false,
  telling: false,
  forgetting: false,
  keeping: false,
};
const all: Mended = {
  evidence: true,
  patience: true,
  lineage: true,
  telling: true,
  forgetting: true,
  keeping: true,
};

export const climates = {
  busy: {
    swept: false,
    rough: false,
    expects: { ...none, lineage: mended.lineage, telling: mended.telling },
  },
  swept: { swept: true, rough: false, expects: none },
  rough: { swept: true, rough: true, expects: mended },
  /** With everything, mended or not. */
  unmended: { swept: true, rough: true, expects: all },
} as const satisfies Record<string, Climate>;
