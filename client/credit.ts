/** What a page says of whose a picture is and how it came about, where its preset keeps that. */
import type { Image } from "./image.ts";

export interface Credit {
  /** One line, not yet escaped: who made it, for whom, and the copyright. */
  readonly text: string;
  /** Whether a model made it, or had a part in it, by the IPTC's terms. */
  readonly ai?: "made" | "edited";
}

/** Terms of https://cv.iptc.org/newscodes/digitalsourcetype/ that a model stands behind. */
const MODELS: Readonly<Record<string, NonNullable<Credit["ai"]>>> = {
  trainedAlgorithmicMedia: "made",
  compositeWithTrainedAlgorithmicMedia: "edited",
  compositeSynthetic: "edited",
};

/** Undefined where there is nothing to say. */
export function creditOf({ rights = {} }: Pick<Image, "rights">): Credit | undefined {
  const { creator, credit, copyright, digitalSourceType = "" } = rights;
  const by = [...new Set([creator, credit])].filter(Boolean).join(" / ");
  const text = [by, copyright].filter(Boolean).join(" · ");
  const term = digitalSourceType.slice(digitalSourceType.lastIndexOf("/") + 1);
  const ai = Object.hasOwn(MODELS, term) ? MODELS[term] : undefined;
  return text || ai ? { text, ...(ai && { ai }) } : undefined;
}
