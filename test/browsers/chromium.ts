/** Chromium, by Playwright. */
import { launchChromium as launch } from "../client/chromium.ts";
import { asText, type Engine, inputOf } from "./tab.ts";

/** @throws Error where there is no Chromium */
export async function launchChromium(): Promise<Engine> {
  const browser = await launch();
  // The page's own service worker would go on in the moment of a reload, with what a test counts.
  const context = await browser.newContext({ serviceWorkers: "block" });
  return {
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      return {
        goto: async (url) => void (await page.goto(url)),
        run: async (inPage, ...args) =>
          JSON.parse(
            (await page.evaluate<string>(`(${asText(inPage)})(${JSON.stringify(JSON.stringify(args))})`)) ??
              "null",
          ),
        async choose(input, ...paths) {
          const element = await page.evaluateHandle(inputOf, input);
          await element.asElement()?.setInputFiles(paths);
        },
        offline: (is) => context.setOffline(is),
        close: () => page.close(),
      };
    },
    close: () => browser.close(),
  };
}
