/** An image in a list of Operations: its picture, what is said of it, and what can be done. */
import type { ReactNode } from "react";

interface Props {
  readonly id: string;
  readonly thumbnail: string | undefined;
  readonly alt?: string;
  /** Buttons. */
  readonly actions: ReactNode;
  readonly children: ReactNode;
}

export function ImageRow({ id, thumbnail, alt = "", actions, children }: Props) {
  return (
    <li className="row">
      {thumbnail ? (
        <img src={thumbnail} alt={alt} loading="lazy" />
      ) : (
        <span className="no-picture" aria-hidden="true" />
      )}
      <div>
        {children}
        <p className="note id">{id}</p>
      </div>
      <div className="actions">{actions}</div>
    </li>
  );
}

/** `Nov 20, 2026, 12:00 PM · photo · user-1 · listing 7`: what is known of it. */
export function Facts({ of }: { of: readonly ReactNode[] }) {
  const known = of.filter(Boolean);
  return (
    <p className="note">
      {known.map((fact, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they neither move nor come and go.
        <span key={at}>
          {at > 0 && " · "}
          {/* Whoever wrote it, and in which direction: it turns nothing around it. */}
          <bdi>{fact}</bdi>
        </span>
      ))}
    </p>
  );
}

export const timeWords = (iso: string) =>
  new Date(iso).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
