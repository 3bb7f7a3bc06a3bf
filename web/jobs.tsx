/** Re-process jobs: what one would do, starting it, how far it is. */
import { useState } from "react";
import { announce } from "./announce.ts";
import {
  type Api,
  cancel,
  type DeleteEstimate,
  type Estimate,
  estimate,
  type Job,
  type Order,
  resume,
  selectionWords,
  start,
} from "./operations.ts";
import { presets } from "./presets.ts";
import { plural, bytes as sizeWords } from "./words.ts";

const CHOICES = [
  { status: "stale", label: "made by an older recipe" },
  { status: "failed", label: "that failed" },
  { status: "rejected", label: "that were rejected" },
  { status: "original-gone", label: "that have lost their original" },
  { status: "all", label: "all of them" },
] as const;

/** What a form asks for. */
function orderOf(form: HTMLFormElement): Order {
  const data = new FormData(form);
  const text = (name: string) => String(data.get(name) ?? "").trim();
  const named = (["status", "owner", "preset", "uploadedAfter", "uploadedBefore"] as const).flatMap((name) =>
    text(name) ? [[name, text(name)]] : [],
  );
  const action = data.get("action") === "delete" ? "delete" : "develop";
  return { action, select: Object.fromEntries(named), force: data.has("force") };
}

/** The dry run comes first: the button that starts the job is only there behind it. */
export function StartJob({ api, onJob }: { api: Api; onJob: (job: Job) => void }) {
  const [plan, setPlan] = useState<{ order: Order; words: string; none: boolean }>();
  const [deletes, setDeletes] = useState(false);
  const [asked, setAsked] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem(undefined);
    await work().catch((error: Error) => setProblem(error.message));
    setBusy(false);
  };
  const look = (form: HTMLFormElement) =>
    attempt(async () => {
      const order = orderOf(form);
      const would = await estimate(api, order);
      const words = "savesMonthly" in would ? deleteWords(would) : estimateWords(would);
      const until = "savesMonthly" in would ? would.uploadedBefore : undefined;
      // What is uploaded while somebody reads this was not in it.
      const select = until ? { ...order.select, uploadedBefore: until } : order.select;
      setPlan({ order: { ...order, select }, words, none: would.images === 0 });
      setAsked(false);
      announce(words);
    });
  const begin = ({ order }: NonNullable<typeof plan>) =>
    attempt(async () => {
      onJob(await start(api, order));
      setPlan(undefined);
      announce("The job has begun.");
    });

  return (
    <form
      className="job-form"
      // Whatever was planned was planned for something else.
      onChange={(event) => {
        setPlan(undefined);
        setDeletes(orderOf(event.currentTarget).action === "delete");
      }}
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void look(event.currentTarget);
      }}
    >
      <label>
        What to do
        <select name="action" defaultValue="develop">
          <option value="develop">develop again</option>
          <option value="delete">delete for good</option>
        </select>
      </label>
      <label>
        Images
        <select name="status" defaultValue="stale">
          {CHOICES.map(({ status, label }) => (
            <option key={status} value={status}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Preset
        <select name="preset">
          <option value="">any</option>
          {presets.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Owner
        <input name="owner" placeholder="any" autoComplete="off" spellCheck={false} />
      </label>
      <label>
        Uploaded from
        <input name="uploadedAfter" type="date" />
      </label>
      <label>
        Uploaded before
        <input name="uploadedBefore" type="date" />
      </label>
      {!deletes && (
        <label className="check">
          <input name="force" type="checkbox" /> Make everything anew, also what is there
        </label>
      )}
      <div className="actions">
        <button type="submit" aria-disabled={busy}>
          {busy && !plan ? "Counting…" : "See what it would do"}
        </button>
      </div>
      {plan && (
        <div className="notice">
          <p>{plan.words}</p>
          {!(deletes && plan.none) && (
            <button
              type="button"
              className="primary"
              aria-disabled={busy}
              onClick={() => {
                if (deletes && !asked) setAsked(true);
                else if (!busy) void begin(plan);
              }}
            >
              {deletes ? (asked ? "Really? They cannot come back" : "Delete them") : "Start"}
            </button>
          )}
        </div>
      )}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
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

const STATES = {
  running: "Running",
  done: "Done",
  cancelled: "Cancelled",
  failed: "Stopped by an error",
} as const;

export function JobCard({ api, job, onChange }: { api: Api; job: Job; onChange: (job: Job) => void }) {
  const [problem, setProblem] = useState<string>();
  const { id, state, queued, done, skipped, rejected, failed, total, rate, secondsLeft } = job;
  const ended = done + skipped + rejected + failed;
  const words = selectionWords(job.select);
  const change = (act: typeof cancel) => {
    setProblem(undefined);
    act(api, id).then(onChange, (error: Error) => setProblem(error.message));
  };
  const counts = { done, skipped, rejected, failed };
  return (
    <li className="row" data-state={state}>
      <div>
        <p>
          <strong>{STATES[state]}</strong>: {words}
          {job.action === "delete" && ", to delete"}
          {job.force && ", everything anew"}
        </p>
        <progress
          aria-label={`Job for ${words}`}
          max={Math.max(1, total ?? queued)}
          value={total === undefined ? undefined : ended}
        />
        <p className="note">
          {ended.toLocaleString("en")} of{" "}
          {total === undefined ? "as yet unknown" : total.toLocaleString("en")}
          {Object.entries(counts).map(
            ([word, count]) => count > 0 && ` · ${count.toLocaleString("en")} ${word}`,
          )}
          {state === "running" && rate > 0 && ` · ${rate.toFixed(1)} a second`}
          {state === "running" && secondsLeft !== undefined && ` · ${timeWords(secondsLeft)} left`}
        </p>
        <p className="note id">{id}</p>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      {state === "running" && (
        <div className="actions">
          <button type="button" className="quiet" onClick={() => change(cancel)}>
            Cancel<span className="visually-hidden"> job for {words}</span>
          </button>
        </div>
      )}
      {state === "failed" && (
        <div className="actions">
          <button type="button" onClick={() => change(resume)}>
            Go on<span className="visually-hidden"> with job for {words}</span>
          </button>
        </div>
      )}
    </li>
  );
}

function timeWords(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
