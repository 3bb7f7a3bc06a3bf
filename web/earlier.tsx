/** Images from before. */
import type { Darkroom, ListedImage } from "darkroom/client";
import { memo } from "react";
import { Developed, RemoveButton } from "./developed.tsx";
import type { Shown } from "./lightbox.tsx";

interface Props {
  readonly darkroom: Darkroom;
  readonly image: ListedImage;
  readonly onRemove: (id: string) => Promise<void>;
  readonly onShow: (shown: Shown) => void;
}

export const EarlierCard = memo(function EarlierCard({ darkroom, image, onRemove, onShow }: Props) {
  const { id, status } = image;
  // File names are nobody's business but the owner's, so the public metadata has none.
  const name = image.uploadedAt ? `Picture of ${dateOf(image.uploadedAt)}` : "Picture";
  const remove = () => onRemove(id);
  return (
    <li className="card" data-status={status}>
      {image.status === "ready" ? (
        <Developed darkroom={darkroom} image={image} name={name} onShow={onShow} onRemove={remove} />
      ) : (
        <>
          <div className="frame" />
          <div className="body">
            <h3>{name}</h3>
            {image.status === "processing" ? (
              <>
                <progress aria-label={`Development of ${name}`} />
                <p className="note">Developing…</p>
              </>
            ) : image.status === "held" ? (
              <p className="note">It is shown once somebody has looked at it.</p>
            ) : (
              <p className="problem">
                <strong>{image.error?.message}</strong>
              </p>
            )}
            <div className="actions">
              <RemoveButton name={name} onRemove={remove} />
            </div>
          </div>
        </>
      )}
    </li>
  );
});

const dateOf = (iso: string) =>
  new Date(iso).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
