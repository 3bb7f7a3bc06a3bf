/** Operations: what needs attention or judging, jobs, who has what, anybody's images; on a laptop the webhooks. */
import type { Darkroom } from "darkroom/client";
import { Attention } from "./attention.tsx";
import { Erase } from "./erase.tsx";
import { Find } from "./find.tsx";
import { Held } from "./held.tsx";
import { JobCard, StartJob } from "./jobs.tsx";
import { useJobs } from "./operations.ts";
import type { TabProps } from "./tab.ts";
import { Usage } from "./usage.tsx";
import { Webhooks } from "./webhooks.tsx";

export function Admin({ admin, local }: TabProps) {
  return admin && <Operations admin={admin} local={local} />;
}

function Operations({ admin, local }: { admin: Darkroom; local: boolean }) {
  const { api } = admin;
  const { jobs = [], problem, over, put, reload } = useJobs(api);
  return (
    <main>
      <h1>Operations</h1>
      <Attention admin={admin} over={over} onJob={put} />
      <Held admin={admin} />
      <section aria-labelledby="reprocess">
        <h2 id="reprocess">Re-process</h2>
        <StartJob api={api} onJob={put} />
        {problem && (
          <p className="problem" role="alert">
            The jobs cannot be shown. {problem}{" "}
            <button type="button" onClick={reload}>
              Try again
            </button>
          </p>
        )}
        {jobs.length > 0 && (
          <ul className="rows" aria-label="Jobs">
            {jobs.map((job) => (
              <JobCard key={job.id} api={api} job={job} onChange={put} />
            ))}
          </ul>
        )}
      </section>
      <Usage api={api} />
      <Find admin={admin} />
      <Erase api={api} onJob={put} />
      {local && <Webhooks />}
    </main>
  );
}
