/** Images that wait for somebody's judgement: shown to whoever judges, and to nobody else. */
import type { Darkroom } from "darkroom/client";
import { useState } from "react";
import { announce } from "./announce.ts";
import { Facts, ImageRow, timeWords } from "./image-row.tsx";
import { type ImageInTrouble, judge, usePages } from "./operations.ts";

export function Held({ admin }: { admin: Darkroom }) {
  const [looked, look] = useState(0);
  const path = "/admin/images?status=held&limit=24";
  const { rows, problem, more, setRows } = usePages<ImageInTrouble>(admin.api, path, looked);
  const judged = (id: string, said: string) => {
    setRows((before) => before?.filter((one) => one.id !== id));
    announce(said);
  };
  return (
    <section aria-labelledby="held">
      <h2 id="held">Held</h2>
      <p className="note">
        Nobody sees these before you release them: a preset says <code>hold: true</code>.
      </p>
      {problem && (
        <p className="problem" role="alert">
          This list cannot be shown. {problem}
        </p>
      )}
      {rows?.length === 0 && <p className="note">None.</p>}
      <ul className="rows" aria-label="Held">
        {rows?.map((image) => (
          <Row key={image.id} image={image} admin={admin} onJudged={judged} />
        ))}
      </ul>
      {more && (
        <button type="button" className="more" onClick={more}>
          Show more
        </button>
      )}
      <button type="button" className="more" onClick={() => look((count) => count + 1)}>
        Look again
      </button>
    </section>
  );
}

interface RowProps {
  readonly image: ImageInTrouble;
  readonly admin: Darkroom;
  readonly onJudged: (id: string, said: string) => void;
}

function Row({ image: { id, preset, at, thumbnail, context }, admin, onJudged }: RowProps) {
  const [reason, setReason] = useState("");
  const [said, say] = useState<string>();
  const act = async (verdict: "release" | "reject") => {
    say(verdict === "release" ? "Releasing…" : "Rejecting…");
    await judge(admin.api, id, verdict, reason).then(
      () => onJudged(id, verdict === "release" ? "Released." : "Rejected."),
      (error: Error) => say(error.message),
    );
  };
  return (
    <ImageRow
      id={id}
      thumbnail={thumbnail}
      alt={`What waits as ${id}`}
      actions={
        <>
          <button type="button" onClick={() => void act("release")}>
            Release<span className="visually-hidden"> {id}</span>
          </button>
          <button type="button" className="danger" onClick={() => void act("reject")}>
            Reject<span className="visually-hidden"> {id}</span>
          </button>
        </>
      }
    >
      <Facts of={[timeWords(at), preset, context?.owner, context?.ref, context?.clientRef]} />
      <label>
        <span className="visually-hidden">Reason to reject {id}, for whoever uploaded it</span>
        <input
          type="text"
          maxLength={500}
          placeholder="Reason, for whoever uploaded it"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      </label>
      {said && (
        <p className="note" role="status">
          {said}
        </p>
      )}
    </ImageRow>
  );
}
