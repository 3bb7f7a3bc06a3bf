/** The frame: who is connected to what, and the tabs. */
import { createDarkroom } from "darkroom/client";
import { useUpload } from "darkroom/react";
import { Activity, type ComponentType, useMemo, useState, useSyncExternalStore } from "react";
import { Admin } from "./admin.tsx";
import { Connect } from "./connect.tsx";
import { goingOn } from "./going-on.ts";
import { Images } from "./images.tsx";
import { NewToken } from "./new-token.tsx";
import { forgetSettings, type Settings } from "./settings.ts";
import type { TabProps } from "./tab.ts";

interface Tab {
  /** In the address, after `#`. */
  readonly hash: string;
  readonly label: string;
  readonly admin: boolean;
  readonly View: ComponentType<TabProps>;
}

/** Add a tab by adding a row. */
const tabs: readonly [Tab, ...Tab[]] = [
  { hash: "images", label: "Images", admin: false, View: Images },
  { hash: "admin", label: "Operations", admin: true, View: Admin },
];

export function App({ known }: { known: Settings | undefined }) {
  const [settings, setSettings] = useState(known);
  if (!settings) return <Connect onConnect={setSettings} />;
  const leave = () => {
    forgetSettings();
    setSettings(undefined);
  };
  return (
    <Connected key={settings.endpoint} settings={settings} onLeave={settings.typed ? leave : undefined} />
  );
}

function Connected({ settings, onLeave }: { settings: Settings; onLeave: (() => void) | undefined }) {
  const darkroom = useMemo(() => createDarkroom(settings), [settings]);
  const admin = useMemo(() => {
    const { endpoint, adminToken: token } = settings;
    return token === undefined ? undefined : createDarkroom({ endpoint, token });
  }, [settings]);
  const uploads = useUpload(useMemo(() => goingOn(darkroom), [darkroom]));
  const hash = useHash();
  const mine = tabs.filter((tab) => admin || !tab.admin);
  const current = mine.find((tab) => tab.hash === hash) ?? tabs[0];
  return (
    <>
      <header className="top">
        <p className="brand">
          <img src="./favicon.svg" alt="" width="28" height="28" /> Darkroom
        </p>
        {mine.length > 1 && (
          <nav aria-label="Views">
            {mine.map(({ hash, label }) => (
              <a key={hash} href={`#${hash}`} aria-current={hash === current.hash ? "page" : undefined}>
                {label}
              </a>
            ))}
          </nav>
        )}
        {onLeave && (
          <button type="button" className="quiet" onClick={onLeave}>
            Disconnect
          </button>
        )}
      </header>
      {settings.typed && <NewToken typed={settings.typed} />}
      {mine.map(({ hash, View }) => (
        // What was done in a tab is still there when one comes back.
        <Activity key={hash} mode={hash === current.hash ? "visible" : "hidden"}>
          <View darkroom={darkroom} uploads={uploads} admin={admin} local={!settings.typed} />
        </Activity>
      ))}
    </>
  );
}

const useHash = () =>
  useSyncExternalStore(
    (changed) => {
      addEventListener("hashchange", changed);
      return () => removeEventListener("hashchange", changed);
    },
    () => location.hash.slice(1),
  );
