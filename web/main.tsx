import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { keptSettings, localSettings } from "./settings.ts";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App known={(await localSettings()) ?? keptSettings()} />);
