/** An order for a job: what it would do comes first, and the button that begins it is only there behind that. */
import { useState } from "react";
import { announce } from "./announce.ts";
import {
  type Api,
  type DeleteEstimate,
  type Estimate,
  estimate,
  type Job,
  type Order,
  start,
} from "./operations.ts";
import { plural, bytes as sizeWords } from "./words.ts";

interface Planned {
  readonly order: Order;
  readonly words: string;
  readonly images: number;
}

export interface OrderForm {
  readonly planned: Planned | undefined;
  readonly busy: boolean;
  readonly problem: string | undefined;
  look(order: Order): void;
  begin(): void;
  /** Whatever was planned was planned for something else. */
  drop(): void;
}

export function useOrder(api: Api, onJob: (job: Job) => void): OrderForm {
  const [planned, plan] = useState<Planned>();
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const attempt = async (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    await work().catch((error: Error) => setProblem(error.message));
    setBusy(false);
  };
  return {
    planned,
    busy,
    problem,
    drop: () => plan(undefined),
    look: (order) =>
      void attempt(async () => {
        const would = await estimate(api, order);
        const deletes = "savesMonthly" in would;
        const words = deletes ? deleteWords(would) : estimateWords(would);
        const until = deletes ? would.uploadedBefore : undefined;
        // What is uploaded while somebody reads this was not in it.
        const select = until ? { ...order.select, uploadedBefore: until } : order.select;
        plan({ order: { ...order, select }, words, images: would.images });
        announce(words);
      }),
    begin: () =>
      void attempt(async () => {
        if (!planned) return;
        onJob(await start(api, planned.order));
        plan(undefined);
        announce("The job has begun.");
      }),
  };
}

/** What the order would do, and the button that begins it: asked once more where there is no way back. */
export function Plan({ form: { planned, busy, problem, begin } }: { form: OrderForm }) {
  const [sure, setSure] = useState<Planned>();
  const deletes = planned?.order.action === "delete";
  return (
    <>
      {planned && (
        <div className="notice">
          <p>{planned.words}</p>
          {!(deletes && planned.images === 0) && (
            <button
              type="button"
              className="primary"
              aria-disabled={busy}
              onClick={() => (deletes && sure !== planned ? setSure(planned) : begin())}
            >
              {!deletes ? "Start" : sure === planned ? "Really? They cannot come back" : "Delete them"}
            </button>
          )}
        </div>
      )}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

function estimateWords({
  images,
  changed,
  gone,
  variants,
  lambdaSeconds,
  dollars,
  exact,
  sample,
}: Estimate): string {
  if (images === 0) return "No image fits this.";
  const about = exact ? "" : "about ";
  const cost = dollars < 0.01 ? "less than a cent" : `${about}$${dollars.toFixed(2)}`;
  const lost = Object.entries(gone).map(
    ([name, of]) => ` ${plural(of, "image")} of ${name}, a preset that is gone.`,
  );
  const source = exact ? "" : ` Extrapolated from ${plural(sample, "image")}.`;
  return (
    `${about}${plural(images, "image")}, ${plural(changed, "of them", "of them")} to change: ` +
    `${plural(variants, "variant")}, ${Math.ceil(lambdaSeconds).toLocaleString("en")} s of Lambda, ${cost}.${source}${lost.join("")}`
  ).replace(/^a/, "A");
}

function deleteWords({ images, bytes, savesMonthly, exact, sample }: DeleteEstimate): string {
  if (images === 0) return "No image fits this.";
  const about = exact ? "" : "about ";
  const saves = savesMonthly < 0.01 ? "less than a cent" : `${about}$${savesMonthly.toFixed(2)}`;
  const source = exact ? "" : ` Extrapolated from ${plural(sample, "image")}.`;
  const size = sizeWords(bytes.originals + bytes.variants);
  return `${about}${plural(images, "image")} to delete, ${about}${size}; saves ${saves} a month.${source}`.replace(
    /^a/,
    "A",
  );
}
