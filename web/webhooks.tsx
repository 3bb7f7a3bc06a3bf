/** What the local stack's own receiver was told (`laptop/webhooks.ts`), as an app's back end would be. */
import { useCallback, useEffect, useState } from "react";

interface Received {
  readonly id: string;
  readonly receivedAt: string;
  readonly event: { readonly type: string; readonly data: { readonly id: string } };
}

export function Webhooks() {
  const [received, setReceived] = useState<readonly Received[]>([]);
  const look = useCallback(async () => {
    const answer = await fetch("webhooks.json");
    setReceived(((await answer.json()) as { webhooks: Received[] }).webhooks);
  }, []);
  useEffect(() => void look(), [look]);
  return (
    <section aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks received</h2>
      {received.length === 0 ? (
        <p className="note">None since the start. Upload a picture, then look again.</p>
      ) : (
        <ul className="rows log" aria-label="Webhooks">
          {received.map(({ id, receivedAt, event }) => (
            <li className="row" key={`${id} ${receivedAt}`}>
              <details>
                <summary>
                  <strong>{event.type}</strong> <span className="id">{event.data.id}</span>{" "}
                  <span className="note">{new Date(receivedAt).toLocaleTimeString("en")}</span>
                </summary>
                {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
                <pre tabIndex={0}>{JSON.stringify(event, undefined, 2)}</pre>
              </details>
            </li>
          ))}
        </ul>
      )}
      <button type="button" className="more" onClick={() => void look()}>
        Look again
      </button>
    </section>
  );
}
