/** Asked where no local stack answers: the same page against a deployed API. */
import { keepSettings, type Settings } from "./settings.ts";

export function Connect({ onConnect }: { onConnect: (settings: Settings) => void }) {
  return (
    <main className="connect">
      <h1>
        <img src="./favicon.svg" alt="" width="36" height="36" /> Darkroom
      </h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const value = (name: string) => String(form.get(name)).trim();
          onConnect(keepSettings({ endpoint: value("endpoint"), token: value("token") }));
        }}
      >
        <label>
          Address of the API
          <input
            name="endpoint"
            type="url"
            required
            placeholder="https://abc.execute-api.eu-central-1.amazonaws.com"
          />
        </label>
        <label>
          Token
          <input name="token" required autoComplete="off" spellCheck={false} aria-describedby="token-note" />
        </label>
        <p id="token-note" className="note">
          A JWT with the scope <code>upload</code>, as your back end mints them. It stays in this tab and is
          forgotten with it.
        </p>
        <button type="submit" className="primary">
          Connect
        </button>
      </form>
    </main>
  );
}
