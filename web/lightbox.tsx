/** One image large, with every variant there is. */
import type { Darkroom, Image } from "darkroom/client";
import { Picture, useRenewed } from "darkroom/react";
import { useEffect, useRef, useState } from "react";
import { Editor } from "./editor.tsx";
import { bytes } from "./words.ts";

export interface Shown {
  readonly image: Image;
  readonly name: string;
}

/** Its own words, else its name. */
export const altOf = ({ image, name }: Shown) => image.alt ?? name.replace(/\.\w+$/, "");

interface Props {
  readonly darkroom: Darkroom;
  readonly shown: Shown | undefined;
  readonly onChange: (image: Image) => void;
  readonly onClose: () => void;
}

export function Lightbox({ shown, ...props }: Props) {
  return shown && <Large shown={shown} {...props} />;
}

function Large({ darkroom, shown, onChange, onClose }: Props & { readonly shown: Shown }) {
  const { name } = shown;
  const image = useRenewed(darkroom, shown.image);
  const [editing, setEditing] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  return (
    // Escape closes it and the focus goes back to where it was: the browser does both.
    <dialog
      ref={dialog}
      aria-labelledby="lightbox-name"
      onClose={() => {
        setEditing(false);
        onClose();
      }}
      closedby="any"
    >
      <header>
        <h2 id="lightbox-name" dir="auto">
          {name}
        </h2>
        <button type="button" aria-pressed={editing} onClick={() => setEditing(!editing)}>
          Edit
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </header>
      {editing ? (
        <Editor darkroom={darkroom} image={image} onChange={onChange} />
      ) : (
        <div className="large">
          <Picture image={image} alt={altOf({ image, name })} sizes="100vw" loading="eager" />
        </div>
      )}
      <ul className="variants">
        {image.variants.map(({ url, name, format, width, height, bytes: size }) => (
          <li key={url}>
            <a href={url} target="_blank" rel="noreferrer">
              {name}.{format}
            </a>{" "}
            <span className="note">
              {width} × {height}, {bytes(size)}
            </span>
          </li>
        ))}
      </ul>
    </dialog>
  );
}
