/** Asked when the API refuses the token that was typed. Whatever is on its way waits for the new one. */
import { useSyncExternalStore } from "react";
import type { TypedToken } from "./typed-token.ts";

export function NewToken({ typed }: { typed: TypedToken }) {
  const wanted = useSyncExternalStore(typed.subscribe, typed.wanted);
  if (!wanted) return undefined;
  return (
    <form
      className="notice renewal"
      aria-label="Connection"
      onSubmit={(event) => {
        event.preventDefault();
        typed.renew(String(new FormData(event.currentTarget).get("token")).trim());
      }}
    >
      <p role="alert">The API does not accept the token, or no longer. Everything waits for a new one.</p>
      <label>
        New token
        <input name="token" required autoComplete="off" spellCheck={false} />
      </label>
      <button type="submit" className="primary">
        Go on
      </button>
    </form>
  );
}
