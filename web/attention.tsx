/** Images that failed, were rejected or have lost their original: why, and what can be done. */
import type { Darkroom } from "darkroom/client";
import { useState } from "react";
import { announce } from "./announce.ts";
import { RemoveButton } from "./developed.tsx";
import { Facts, ImageRow, timeWords } from "./image-row.tsx";
import { type ImageInTrouble, type Job, start, usePages } from "./operations.ts";

interface Props {
  readonly admin: Darkroom;
  /** Jobs that have ended: what they were for may be in order now. */
  readonly over: number;
  readonly onJob: (job: Job) => void;
}

const LISTS = [
  {
    status: "failed",
    title: "Failed",
    note: "Every try was used up. The files are kept; try again once the cause is gone.",
  },
  {
    status: "rejected",
    title: "Rejected",
    note: "The files are at fault, or a limit is: try again after it was changed.",
  },
  {
    status: "original-gone",
    title: "Original gone",
    note: "Nobody deleted these here: they are shown as they were, and nothing new can be made of them.",
  },
] as const;

export function Attention({ admin, over, onJob }: Props) {
  const [looked, look] = useState(0);
  return (
    <section aria-labelledby="attention">
      <h2 id="attention">Needs attention</h2>
      {LISTS.map(({ status, title, note }) => (
        <List
          key={status}
          status={status}
          title={title}
          note={note}
          admin={admin}
          version={over + looked}
          onJob={onJob}
        />
      ))}
      <button type="button" className="more" onClick={() => look((count) => count + 1)}>
        Look again
      </button>
    </section>
  );
}

interface ListProps {
  readonly status: string;
  readonly title: string;
  readonly note: string;
  readonly admin: Darkroom;
  readonly version: number;
  readonly onJob: (job: Job) => void;
}

function List({ status, title, note, admin, version, onJob }: ListProps) {
  const path = `/admin/images?status=${status}&limit=24`;
  const { rows, problem, more, setRows } = usePages<ImageInTrouble>(admin.api, path, version);
  const remove = async (id: string) => {
    await admin.remove(id);
    setRows((before) => before?.filter((one) => one.id !== id));
    announce("Deleted.");
  };
  return (
    <>
      <h3 className="part">{title}</h3>
      {problem ? (
        <p className="problem" role="alert">
          This list cannot be shown. {problem}
        </p>
      ) : rows === undefined ? (
        <p className="note">Looking…</p>
      ) : rows.length === 0 ? (
        <p className="note">None.</p>
      ) : (
        <>
          <p className="note">{note}</p>
          <ul className="rows" aria-label={title}>
            {rows.map((image) => (
              <Row
                key={image.id}
                image={image}
                admin={admin}
                onJob={onJob}
                onRemove={() => remove(image.id)}
              />
            ))}
          </ul>
        </>
      )}
      {more && (
        <button type="button" className="more" onClick={more}>
          Show more
        </button>
      )}
    </>
  );
}

interface RowProps {
  readonly image: ImageInTrouble;
  readonly admin: Darkroom;
  readonly onJob: (job: Job) => void;
  readonly onRemove: () => Promise<void>;
}

function Row({ image, admin, onJob, onRemove }: RowProps) {
  const { id, code, message, preset, at, ready, thumbnail, context } = image;
  const [said, say] = useState<string>();
  const again = async () => {
    say("Queued…");
    await start(admin.api, { select: { ids: [id] } }).then(onJob, (error: Error) => say(error.message));
  };
  return (
    <ImageRow
      id={id}
      thumbnail={thumbnail}
      actions={
        <>
          <button type="button" onClick={() => void again()}>
            Try again<span className="visually-hidden"> {id}</span>
          </button>
          <RemoveButton name={id} word="Delete" onRemove={onRemove} />
        </>
      }
    >
      <p>
        <strong>{message}</strong>
      </p>
      <Facts
        of={[
          <code key="code">{code}</code>,
          timeWords(at),
          preset,
          context?.owner,
          context?.ref ?? context?.clientRef,
          ready && "still shown as before",
        ]}
      />
      {said && (
        <p className="note" role="status">
          {said}
        </p>
      )}
    </ImageRow>
  );
}
