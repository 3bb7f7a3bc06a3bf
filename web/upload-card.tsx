/** One file: on its way, refused, or developed. */

import type { Darkroom, Image } from "darkroom/client";
import { explain } from "darkroom/client";
import type { FileUpload } from "darkroom/react";
import { memo, useEffect, useState } from "react";
import { Developed, RemoveButton } from "./developed.tsx";
import { presetOfFile } from "./going-on.ts";
import type { Shown } from "./lightbox.tsx";
import { presetOf } from "./presets.ts";
import { bytes } from "./words.ts";

interface Props {
  readonly darkroom: Darkroom;
  readonly upload: FileUpload;
  /** As it is now, where it was edited since. */
  readonly edited: Image | undefined;
  readonly onRetry: (key: number) => void;
  readonly onRemove: (id: string | undefined, key: number) => Promise<void>;
  readonly onShow: (shown: Shown) => void;
}

/** Redrawn only when its own upload has changed: there may be a thousand. */
export const UploadCard = memo(function UploadCard(props: Props) {
  const { darkroom, upload, edited, onRetry, onRemove, onShow } = props;
  const { key, file, status, id, image } = upload;
  const name = file instanceof File ? file.name : "Picture";
  if (status === "ready" && image) {
    return (
      <li className="card" data-status="ready">
        <Developed
          darkroom={darkroom}
          image={edited ?? image}
          name={name}
          onShow={onShow}
          onRemove={() => onRemove(id, key)}
        />
      </li>
    );
  }
  const failed = status === "failed";
  return (
    <li className="card" data-status={status}>
      <Preview file={file} />
      <div className="body">
        <h3 title={name} dir="auto">
          {name}
        </h3>
        {status === "held" ? (
          <p className="note">It has arrived. It is shown once somebody has looked at it.</p>
        ) : failed ? (
          <Refusal upload={upload} />
        ) : (
          <Progress upload={upload} name={name} />
        )}
        <div className="actions">
          {failed && !isFinal(upload) && (
            <button type="button" onClick={() => onRetry(key)}>
              Try again<span className="visually-hidden"> {name}</span>
            </button>
          )}
          {id ? (
            <RemoveButton name={name} onRemove={() => onRemove(id, key)} />
          ) : (
            <button type="button" className="quiet" onClick={() => void onRemove(undefined, key)}>
              {failed ? "Remove" : "Cancel"}
              <span className="visually-hidden"> {name}</span>
            </button>
          )}
        </div>
      </div>
    </li>
  );
});

function Progress({ upload: { status, sent, total }, name }: { upload: FileUpload; name: string }) {
  const said =
    status === "offline"
      ? "Waiting for the network…"
      : status === "developing"
        ? "Developing…"
        : sent === 0
          ? `Waiting, ${bytes(total)}`
          : `${bytes(sent)} of ${bytes(total)}`;
  return (
    <>
      <progress
        aria-label={`Upload of ${name}`}
        max={total}
        value={status === "developing" ? undefined : sent}
      />
      <p className="note">{said}</p>
    </>
  );
}

function Refusal({ upload: { error, file } }: { upload: FileUpload }) {
  const { what, todo } = error ? explain(error, presetOf(presetOfFile(file))) : {};
  return (
    <p className="problem">
      <strong>{what}</strong> {todo}
    </p>
  );
}

/** The same again would end the same. */
const isFinal = ({ error, file }: FileUpload) =>
  error !== undefined && explain(error, presetOf(presetOfFile(file))).final;

/** The file itself. Browsers cannot show all that we accept, HEIC above all: those get its name's end. */
function Preview({ file }: { file: Blob }) {
  const [url, setUrl] = useState<string>();
  const [blank, setBlank] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  const extension = file instanceof File ? /\.(\w{1,5})$/.exec(file.name)?.[1] : undefined;
  return (
    <div className="frame">
      {url && !blank ? (
        <img
          className="preview"
          src={url}
          alt=""
          loading="lazy"
          decoding="async"
          onError={() => setBlank(true)}
        />
      ) : (
        <span className="blank">{extension}</span>
      )}
    </div>
  );
}
