/** One image large, with every variant there is. */
import type { Image } from "darkroom/client";
import { Picture } from "darkroom/react";
import { useEffect, useRef } from "react";
import { bytes } from "./words.ts";

export interface Shown {
  readonly image: Image;
  readonly name: string;
}

export function Lightbox({ shown, onClose }: { shown: Shown | undefined; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (shown) dialog.current?.showModal();
  }, [shown]);
  if (!shown) return undefined;
  const { image, name } = shown;
  return (
    // Escape closes it and the focus goes back to where it was: the browser does both.
    <dialog ref={dialog} aria-labelledby="lightbox-name" onClose={onClose} closedby="any">
      <header>
        <h2 id="lightbox-name">{name}</h2>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </header>
      <div className="large">
        <Picture image={image} alt={name.replace(/\.\w+$/, "")} sizes="100vw" loading="eager" />
      </div>
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
