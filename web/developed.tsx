/** An image that is ready: the picture over its placeholder, what each format costs, and what to copy. */
import { type Darkroom, type Image, picture, placeholderUrl } from "darkroom/client";
import { Picture, useRenewed } from "darkroom/react";
import { useState } from "react";
import { CopyButton } from "./copy-button.tsx";
import { altOf, type Shown } from "./lightbox.tsx";
import { OriginalButton } from "./original-button.tsx";
import { bytes, plural, saving, sizesByFormat } from "./words.ts";

interface Props {
  readonly darkroom: Darkroom;
  readonly image: Image;
  readonly name: string;
  readonly onShow: (shown: Shown) => void;
  readonly onRemove: () => Promise<void>;
}

export function Developed({ darkroom, image: given, name, onShow, onRemove }: Props) {
  const image = useRenewed(darkroom, given);
  const { source, durationMs } = image;
  const facts = [
    source?.width && source.height && `${source.width} × ${source.height}`,
    source && bytes(source.bytes),
    image.access === "private" ? "only for you" : "public",
    durationMs && `developed in ${(durationMs / 1000).toFixed(1)}\u00a0s`,
  ];
  const alt = altOf({ image, name });
  return (
    <>
      <button
        type="button"
        className="frame"
        aria-label={`Show ${name} large`}
        onClick={() => onShow({ image, name })}
      >
        <FadingPicture image={image} alt={alt} />
      </button>
      <div className="body">
        <h3 title={name} dir="auto">
          {name}
        </h3>
        <p className="note">{facts.filter(Boolean).join(" · ")}</p>
        {image.alt && (
          <p className="note" dir="auto">
            “{image.alt}”
          </p>
        )}
        <Sizes image={image} />
        <div className="actions">
          <CopyButton label={`Copy markup of ${name}`} text={() => picture(image, { alt }).html}>
            Markup
          </CopyButton>
          <CopyButton label={`Copy JSON of ${name}`} text={() => JSON.stringify(image, undefined, 2)}>
            JSON
          </CopyButton>
          <CopyButton label={`Copy URL of ${name}`} text={() => picture(image, { alt }).img.src}>
            URL
          </CopyButton>
          <OriginalButton darkroom={darkroom} id={image.id} name={name} />
          <RemoveButton name={name} onRemove={onRemove} />
        </div>
      </div>
    </>
  );
}

/** The placeholder stays behind; the picture comes up over it when the browser has it. */
function FadingPicture({ image, alt }: { image: Image; alt: string }) {
  const [loaded, setLoaded] = useState(false);
  const behind = image.source?.alpha ? undefined : placeholderUrl(image);
  return (
    <span
      className="developed"
      data-loaded={loaded}
      style={behind ? { backgroundImage: `url(${behind})` } : undefined}
      // In the capture phase, as `load` does not bubble up from the <img>.
      onLoadCapture={() => setLoaded(true)}
    >
      <Picture image={image} alt={alt} placeholder={false} sizes="(max-width: 42rem) 100vw, 24rem" />
    </span>
  );
}

function Sizes({ image }: { image: Image }) {
  const original = image.source?.bytes ?? 0;
  const rows = sizesByFormat(image);
  return (
    <table>
      <caption className="visually-hidden">Bytes by format</caption>
      <thead>
        <tr>
          <th scope="col">Format</th>
          <th scope="col">{rows[0]?.width} px wide</th>
          <th scope="col">Saved</th>
          <th scope="col">All sizes</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.format}>
            <th scope="row">
              {row.format}
              {row.still && <span className="note"> still</span>}
            </th>
            <td title={`${row.width} pixels wide`}>{bytes(row.bytes)}</td>
            <td className={row.bytes < original ? "saved" : undefined}>
              {original > 0 && saving(row.bytes, original)}
            </td>
            <td title={plural(row.count, "variant")}>{bytes(row.total)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Asks once more, as there is no way back. */
export function RemoveButton(props: { name: string; word?: string; onRemove: () => Promise<void> }) {
  const { name, word = "Remove", onRemove } = props;
  const [state, setState] = useState<"idle" | "sure" | "busy" | "failed">("idle");
  const says = { idle: word, sure: "Really?", busy: "Removing…", failed: "Try again" }[state];
  return (
    <button
      type="button"
      className={state === "sure" ? "danger" : "quiet"}
      aria-disabled={state === "busy"}
      onBlur={() => state === "sure" && setState("idle")}
      onClick={() => {
        if (state === "busy") return;
        if (state === "idle") return setState("sure");
        setState("busy");
        onRemove().catch(() => setState("failed"));
      }}
    >
      {says}
      <span className="visually-hidden"> {name}</span>
    </button>
  );
}
