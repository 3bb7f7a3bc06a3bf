/** The browsers in which the page and the examples have to work. */
import { launchChromium } from "./chromium.ts";
import { launchFirefox } from "./firefox.ts";
import type { Engine } from "./tab.ts";
import { launchWebKit } from "./webkit.ts";

/** Each rejects where the browser is not installed: nothing is left out. */
export const engines = {
  chromium: launchChromium,
  firefox: launchFirefox,
  webkit: launchWebKit,
} as const satisfies Record<string, () => Promise<Engine>>;
