import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { keptSettings, localSettings } from "./settings.ts";

// A file that is dropped must not replace the page, wherever it lands.
for (const name of ["dragover", "drop"] as const) {
  addEventListener(name, (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
}

// Goes on with uploads when the page is gone; where a browser has none, or none of its kind, the next visit does.
navigator.serviceWorker?.register("./service-worker.js").catch(() => {});

const root = document.getElementById("root");
if (root) createRoot(root).render(<App known={(await localSettings()) ?? keptSettings()} />);
