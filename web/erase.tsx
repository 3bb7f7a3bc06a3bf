/** All of an owner's images, deleted for good; and how to prove that nothing names him. */
import { useState } from "react";
import type { Api, Job } from "./operations.ts";
import { Plan, useOrder } from "./order.tsx";

export function Erase({ api, onJob }: { api: Api; onJob: (job: Job) => void }) {
  const [owner, setOwner] = useState("");
  const form = useOrder(api, onJob);
  return (
    <section aria-labelledby="erase">
      <h2 id="erase">Erase</h2>
      <p className="note">
        Deletes all that an owner has. When the job is done, <code>darkroom erased {owner || "OWNER"}</code>{" "}
        proves that nothing names him, and says until when the CDN holds something.
      </p>
      <form
        className="job-form"
        onSubmit={(event) => {
          event.preventDefault();
          form.look({ action: "delete", select: { owner: owner.trim() }, force: false });
        }}
      >
        <label>
          Whose images
          <input
            required
            value={owner}
            autoComplete="off"
            spellCheck={false}
            onChange={({ target }) => {
              form.drop();
              setOwner(target.value);
            }}
          />
        </label>
        <div className="actions">
          <button type="submit" aria-disabled={form.busy}>
            See what would go
          </button>
        </div>
        <Plan form={form} />
      </form>
    </section>
  );
}
