/** The browsers in which the page and the examples have to work. */
import { launchChromium } from "./chromium.ts";
import { launchFirefox } from "./firefox.ts";
import { type Engine, shows } from "./tab.ts";
import { launchWebKit } from "./webkit.ts";

/** Each rejects where the browser is not installed: nothing is left out. */
export const engines = {
  chromium: launchChromium,
  firefox: launchFirefox,
  webkit: launchWebKit,
} as const satisfies Record<string, () => Promise<Engine>>;

/**
 * Uploads a file on each page in all engines but Chromium, whose tests do more.
 * @param pages addresses, each with what shows the picture then, by CSS
 * @returns the addresses of the pictures that are shown
 */
export async function uploadElsewhere(
  pages: Readonly<Record<string, string>>,
  path: string,
): Promise<string[]> {
  const sources: string[] = [];
  for (const launch of [engines.firefox, engines.webkit]) {
    const engine = await launch();
    try {
      for (const [page, css] of Object.entries(pages)) {
        const tab = await engine.open(page);
        await shows(tab, "input");
        await tab.choose("input", path);
        await shows(tab, css);
        const source = await tab.run(
          (css) =>
            new Promise<string>((resolve) => {
              const look = () => {
                const img = document.querySelector<HTMLImageElement>(css);
                // It loads what is lazy, too. Firefox rejects where a list is drawn anew meanwhile.
                img?.decode().then(
                  () => resolve(img.currentSrc),
                  () => setTimeout(look, 50),
                );
              };
              look();
            }),
          css,
        );
        sources.push(source);
        await tab.close();
      }
    } finally {
      await engine.close();
    }
  }
  return sources;
}
