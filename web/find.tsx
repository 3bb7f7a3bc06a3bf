/** Anybody's images: by whose they are, what your application calls them, what became of them, and when. */
import type { Darkroom } from "darkroom/client";
import { useState } from "react";
import { announce } from "./announce.ts";
import { RemoveButton } from "./developed.tsx";
import { Facts, ImageRow, timeWords } from "./image-row.tsx";
import { type ImageInTrouble, usePages } from "./operations.ts";
import { OriginalButton } from "./original-button.tsx";
import { Selection, selectionOf } from "./selection.tsx";
import { bytes } from "./words.ts";

type Found = Partial<Omit<ImageInTrouble, "id">> & {
  readonly id: string;
  readonly status: string;
  readonly bytes?: number;
  readonly uploadedAt?: string;
};

export function Find({ admin }: { admin: Darkroom }) {
  // Two searches for the same are two.
  const [search, setSearch] = useState<{ readonly number: number; readonly query: string }>();
  return (
    <section aria-labelledby="find">
      <h2 id="find">Find</h2>
      <form
        className="job-form"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          const { uploadedAfter: after, uploadedBefore: before, ...rest } = selectionOf(data);
          const asked = { ...rest, ref: String(data.get("ref")).trim(), after, before };
          const query = new URLSearchParams(
            Object.entries(asked).flatMap(([name, value]) => (value ? [[name, value]] : [])),
          );
          setSearch((last) => ({ number: (last?.number ?? 0) + 1, query: String(query) }));
        }}
      >
        <Selection first="all" />
        <label>
          Reference
          <input name="ref" placeholder="any" maxLength={256} autoComplete="off" spellCheck={false} />
        </label>
        <div className="actions">
          <button type="submit">Find</button>
        </div>
      </form>
      {search && <List key={search.number} admin={admin} query={search.query} />}
    </section>
  );
}

function List({ admin, query }: { admin: Darkroom; query: string }) {
  const path = `/admin/images?${query}&limit=24`;
  const { rows, problem, more, setRows } = usePages<Found>(admin.api, path, 0);
  const remove = async (id: string) => {
    await admin.remove(id);
    setRows((before) => before?.filter((one) => one.id !== id));
    announce("Deleted.");
  };
  return (
    <>
      {problem && (
        <p className="problem" role="alert">
          They cannot be looked for. {problem}
        </p>
      )}
      {!rows && !problem && <p className="note">Looking…</p>}
      {/* A page may be empty while more follow. */}
      {rows?.length === 0 && <p className="note">{more ? "None so far." : "Nothing fits."}</p>}
      <ul className="rows" aria-label="Found">
        {rows?.map((image) => (
          <Row key={image.id} admin={admin} image={image} onRemove={() => remove(image.id)} />
        ))}
      </ul>
      {more && (
        <button type="button" className="more" onClick={more}>
          Look further
        </button>
      )}
    </>
  );
}

interface RowProps {
  readonly admin: Darkroom;
  readonly image: Found;
  readonly onRemove: () => Promise<void>;
}

function Row({ admin, image, onRemove }: RowProps) {
  const { id, status, code, message, preset, at, uploadedAt = at, bytes: size, thumbnail, context } = image;
  return (
    <ImageRow
      id={id}
      thumbnail={thumbnail}
      actions={
        <>
          <OriginalButton darkroom={admin} id={id} name={id} />
          <RemoveButton name={id} word="Delete" onRemove={onRemove} />
        </>
      }
    >
      <p>
        <strong>{context?.name ?? preset}</strong> {code ? `${status}: ${code}` : status}
      </p>
      {message && <p className="note">{message}</p>}
      <Facts
        of={[
          uploadedAt && timeWords(uploadedAt),
          preset,
          size !== undefined && bytes(size),
          context?.owner,
          context?.ref,
          context?.clientRef,
        ]}
      />
    </ImageRow>
  );
}
