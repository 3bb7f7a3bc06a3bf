/** The first tab: drop pictures, watch them, see what there was before. */
import type { Image } from "darkroom/client";
import type { Unfinished } from "darkroom/client/resume";
import { useImages } from "darkroom/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { announce } from "./announce.ts";
import { DropZone } from "./drop-zone.tsx";
import { EarlierCard } from "./earlier.tsx";
import { leftOver, listing, useKeepsNone, wasBusy } from "./going-on.ts";
import { useIncoming } from "./incoming.ts";
import { Lightbox, type Shown } from "./lightbox.tsx";
import { Overall } from "./overall.tsx";
import { defaultPreset } from "./presets.ts";
import type { TabProps } from "./tab.ts";
import { UploadCard } from "./upload-card.tsx";
import { plural } from "./words.ts";

export function Images({ darkroom: connected, uploads: { uploads, upload, cancel, retry } }: TabProps) {
  const [preset, setPreset] = useState(defaultPreset);
  const [shown, show] = useState<Shown>();
  const top = useRef<HTMLHeadingElement>(null);
  const darkroom = useMemo(() => listing(connected), [connected]);
  const earlier = useImages(darkroom);
  const { remove: erase } = earlier;
  const [edited, changed] = useEdited(show);

  const take = useCallback(
    (files: Iterable<File>) => {
      const all = [...files];
      upload(all, { preset });
      announce(`${plural(all.length, "file")} added.`);
    },
    [upload, preset],
  );
  const dragging = useIncoming(take);
  const goOn = useCallback(
    (left: readonly Unfinished[]) => {
      for (const { file, options } of left) upload([file], { preset: options.preset });
    },
    [upload],
  );
  const [left, setLeft] = useLeftOver(goOn);

  const remove = useCallback(
    async (id: string | undefined, key?: number) => {
      const card = document.activeElement?.closest("li");
      const beside = card?.nextElementSibling ?? card?.previousElementSibling;
      if (id) await erase(id);
      // What has the focus goes, or is gone: the next one gets it.
      if (
        card?.contains(document.activeElement) ||
        (!card?.isConnected && document.activeElement === document.body)
      )
        (beside?.querySelector("button") ?? top.current)?.focus();
      if (key !== undefined) cancel(key);
      announce("Removed.");
    },
    [erase, cancel],
  );

  const keepsNone = useKeepsNone();
  const ids = new Set(uploads.map(({ id }) => id));
  const before = earlier.images.filter(({ id }) => !ids.has(id));
  return (
    <main>
      <h1 ref={top} tabIndex={-1}>
        Drop a picture.
        <br />
        Get every size a page needs.
      </h1>
      <DropZone preset={preset} onPreset={setPreset} onFiles={take} dragging={dragging} />

      {keepsNone && (
        <p className="notice" role="note">
          This browser keeps no files, as in a private window: stay on this page until yours have arrived.
        </p>
      )}
      {left.length > 0 && <LeftOver left={left} onGoOn={goOn} onDone={() => setLeft([])} />}

      {uploads.length > 0 && (
        <section aria-labelledby="new">
          <h2 id="new">New</h2>
          <ul className="cards">
            {uploads.map((one) => (
              <UploadCard
                key={one.key}
                darkroom={darkroom}
                upload={one}
                edited={edited.get(one.id ?? "")}
                onRetry={retry}
                onRemove={remove}
                onShow={show}
              />
            ))}
          </ul>
        </section>
      )}

      {before.length > 0 && (
        <section aria-labelledby="earlier">
          <h2 id="earlier">Earlier</h2>
          <ul className="cards">
            {before.map((image) => (
              <EarlierCard key={image.id} darkroom={darkroom} image={image} onRemove={remove} onShow={show} />
            ))}
          </ul>
        </section>
      )}
      {earlier.error && (
        <p className="problem" role="alert">
          Your earlier images cannot be shown. {earlier.error.message}
        </p>
      )}
      {earlier.hasMore && (earlier.images.length > 0 || earlier.error) && (
        <button type="button" className="more" disabled={earlier.loading} onClick={earlier.more}>
          {earlier.error ? "Try again" : "Show more"}
        </button>
      )}
      <Overall uploads={uploads} onCancel={cancel} onRetry={retry} />
      <Lightbox darkroom={darkroom} shown={shown} onChange={changed} onClose={() => show(undefined)} />
    </main>
  );
}

/** What was edited here, of this page's own uploads as well. */
function useEdited(show: (next: (before: Shown | undefined) => Shown | undefined) => void) {
  const [edited, setEdited] = useState<ReadonlyMap<string, Image>>(new Map());
  const changed = useCallback(
    (image: Image) => {
      setEdited((before) => new Map(before).set(image.id, image));
      show((before) => before && { ...before, image });
    },
    [show],
  );
  return [edited, changed] as const;
}

interface LeftOverProps {
  readonly left: readonly Unfinished[];
  readonly onGoOn: (left: readonly Unfinished[]) => void;
  readonly onDone: () => void;
}

function LeftOver({ left, onGoOn, onDone }: LeftOverProps) {
  return (
    <section className="notice" aria-label="Unfinished uploads">
      <p>{plural(left.length, "upload")} did not finish last time.</p>
      <button
        type="button"
        className="primary"
        onClick={() => {
          onGoOn(left);
          onDone();
        }}
      >
        Go on
      </button>
      <button
        type="button"
        onClick={() => {
          for (const { options } of left) options.onState?.(undefined);
          onDone();
        }}
      >
        Forget them
      </button>
    </section>
  );
}

/** What an earlier page left: gone on with at once after a reload, else kept here for the person to say. */
function useLeftOver(goOn: (left: readonly Unfinished[]) => void) {
  const [left, setLeft] = useState<readonly Unfinished[]>([]);
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    void leftOver().then(wasBusy ? goOn : setLeft);
  }, [goOn]);
  return [left, setLeft] as const;
}
