/** Images from before: `GET /images`, newest first. */
import { type Darkroom, DarkroomError, type Image } from "darkroom/client";
import { memo, useCallback, useEffect, useState } from "react";
import { Developed, RemoveButton } from "./developed.tsx";
import { developing } from "./going-on.ts";
import type { Shown } from "./lightbox.tsx";

export type Listed =
  | Image
  | {
      readonly id: string;
      readonly status: "processing" | "held" | "rejected" | "failed";
      readonly uploadedAt?: string;
      readonly error?: { readonly message: string };
    };

const PAGE = 24;

export function useEarlier({ api }: Darkroom) {
  const [images, setImages] = useState<readonly Listed[]>(() =>
    developing.ids().map((id) => ({ id, status: "processing" })),
  );
  const [cursor, setCursor] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const [loading, setLoading] = useState(false);

  const loadFrom = useCallback(
    async (from: string | undefined) => {
      setLoading(true);
      setProblem(undefined);
      try {
        const query = from === undefined ? "" : `&cursor=${encodeURIComponent(from)}`;
        const { json } = await api.call<{ images: Listed[]; cursor?: string }>(
          "GET",
          `/images?limit=${PAGE}${query}`,
        );
        setImages((before) => newestFirst([...before, ...json.images]));
        setCursor(json.cursor);
      } catch (error) {
        setProblem((error as Error).message);
      } finally {
        setLoading(false);
      }
    },
    [api],
  );
  useEffect(() => void loadFrom(undefined), [loadFrom]);

  /** Another state of one of them; undefined when there is no such image. */
  const change = useCallback((id: string, now: Listed | undefined) => {
    if (now?.status !== "processing") developing.delete(id);
    setImages((before) => before.flatMap((one) => (one.id === id ? (now ?? []) : one)));
  }, []);
  return {
    images,
    problem,
    loading,
    more: cursor !== undefined,
    load: () => void loadFrom(cursor),
    change,
    remove: useCallback((id: string) => change(id, undefined), [change]),
  };
}

/** Of two that are the same, the later. Those that the API does not know of yet are the newest. */
const newestFirst = (images: readonly Listed[]) =>
  [...new Map(images.map((image) => [image.id, image])).values()].sort((a, b) => timeOf(b) - timeOf(a));
const timeOf = ({ uploadedAt }: Listed) => (uploadedAt ? Date.parse(uploadedAt) : Number.MAX_VALUE);

interface Props {
  readonly darkroom: Darkroom;
  readonly image: Listed;
  readonly onChange: (id: string, now: Listed | undefined) => void;
  readonly onRemove: (id: string) => Promise<void>;
  readonly onShow: (shown: Shown) => void;
}

export const EarlierCard = memo(function EarlierCard({ darkroom, image, onChange, onRemove, onShow }: Props) {
  const { id, status } = image;
  useEffect(() => {
    if (status !== "processing") return undefined;
    const controller = new AbortController();
    darkroom.waitUntilReady(id, { signal: controller.signal }).then(
      (ready) => onChange(id, ready),
      (error: Error) => {
        if (controller.signal.aborted) return;
        const code = error instanceof DarkroomError ? error.code : "";
        if (code === "held") onChange(id, { id, status: "held" });
        else onChange(id, ["gone", "not-found"].includes(code) ? undefined : { id, status: "failed", error });
      },
    );
    return () => controller.abort();
  }, [darkroom, id, status, onChange]);

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
