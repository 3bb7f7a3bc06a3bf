/** All uploads together, at the foot of the window while there is something to do. */
import { explain } from "darkroom/client";
import type { FileUpload } from "darkroom/react";
import { useEffect, useRef } from "react";
import { announce } from "./announce.ts";
import { plural } from "./words.ts";

interface Props {
  readonly uploads: readonly FileUpload[];
  readonly onCancel: (key: number) => void;
  readonly onRetry: (key: number) => void;
}

export function Overall({ uploads, onCancel, onRetry }: Props) {
  const being = (...of: FileUpload["status"][]) => uploads.filter(({ status }) => of.includes(status));
  const [sending, developing, ready, failed] = [
    being("sending", "offline"),
    being("developing"),
    being("ready"),
    being("failed"),
  ];
  const again = failed.filter(({ error }) => error && !explain(error).final);
  const busy = sending.length + developing.length;
  const refused = failed.length > 0 ? `, ${failed.length} failed` : "";
  const text = `${ready.length} of ${plural(uploads.length, "image")} ready${refused}.`;
  const lastError = failed.at(-1)?.error;
  const lastRefusal = lastError ? explain(lastError).what : "";
  useCalmly(uploads.length > 0 ? `${text} ${lastRefusal}` : "");

  if (busy === 0 && again.length < 2) return undefined;
  const counted = uploads.filter(({ status }) => status !== "failed");
  const total = counted.reduce((sum, one) => sum + one.total, 0);
  const sent = counted.reduce((sum, one) => sum + (sending.includes(one) ? one.sent : one.total), 0);
  return (
    <aside className="overall" aria-label="All uploads">
      <p>{text}</p>
      {busy > 0 && <progress aria-label="All uploads" max={total} value={sent} />}
      {again.length > 1 && (
        <button type="button" onClick={() => each(again, onRetry)}>
          Try {again.length} again
        </button>
      )}
      {sending.length > 1 && (
        <button type="button" className="quiet" onClick={() => each(sending, onCancel)}>
          Cancel {sending.length}
        </button>
      )}
    </aside>
  );
}

function each(uploads: readonly FileUpload[], act: (key: number) => void): void {
  for (const { key } of uploads) act(key);
}

/** At most every ten seconds: sixty images must not talk sixty times. */
function useCalmly(text: string): void {
  const last = useRef(0);
  useEffect(() => {
    if (!text) return undefined;
    const timer = setTimeout(
      () => {
        last.current = performance.now();
        announce(text);
      },
      Math.max(1000, last.current + 10_000 - performance.now()),
    );
    return () => clearTimeout(timer);
  }, [text]);
}
