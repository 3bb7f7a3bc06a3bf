/** Re-process jobs: what one would do, starting it, how far it is. */
import { useState } from "react";
import { type Api, cancel, type Job, type Order, resume, selectionWords } from "./operations.ts";
import { Plan, useOrder } from "./order.tsx";
import { Selection, selectionOf } from "./selection.tsx";

/** What a form asks for. */
function orderOf(form: HTMLFormElement): Order {
  const data = new FormData(form);
  const action = data.get("action") === "delete" ? "delete" : "develop";
  return { action, select: selectionOf(data), force: data.has("force") };
}

export function StartJob({ api, onJob }: { api: Api; onJob: (job: Job) => void }) {
  const form = useOrder(api, onJob);
  const [deletes, setDeletes] = useState(false);
  return (
    <form
      className="job-form"
      onChange={(event) => {
        form.drop();
        setDeletes(orderOf(event.currentTarget).action === "delete");
      }}
      onSubmit={(event) => {
        event.preventDefault();
        form.look(orderOf(event.currentTarget));
      }}
    >
      <label>
        What to do
        <select name="action" defaultValue="develop">
          <option value="develop">develop again</option>
          <option value="delete">delete for good</option>
        </select>
      </label>
      <Selection first="stale" />
      {!deletes && (
        <label className="check">
          <input name="force" type="checkbox" /> Make everything anew, also what is there
        </label>
      )}
      <div className="actions">
        <button type="submit" aria-disabled={form.busy}>
          {form.busy && !form.planned ? "Counting…" : "See what it would do"}
        </button>
      </div>
      <Plan form={form} />
    </form>
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
          {job.action === "import" && ", from URLs"}
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
