/** Chromium, asked what it shows of a file: the oracle of what uploaders see before they upload. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../client/chromium.ts";
import { type Looking, look, MOST_FRAMES, type Seen } from "./look.ts";

/** A picture of 65 MP takes it four seconds here, an animation of 300 frames of a megapixel ten. */
const SECONDS = 90;

export interface Oracle {
  /** What a page sees of these bytes, called `type`. @throws Error where the page does not come to an end */
  look(bytes: Uint8Array, how: Omit<Looking, "url">): Promise<Seen>;
  close(): Promise<void>;
}

export async function startOracle(): Promise<Oracle> {
  const files = new Map<string, { bytes: Uint8Array; type: string }>();
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? "");
    if (file)
      response.writeHead(200, { "content-type": file.type, "cache-control": "no-store" }).end(file.bytes);
    else
      response
        .writeHead(200, { "content-type": "text/html" })
        .end(`<!doctype html><link rel="icon" href="data:,">`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // `ImageDecoder` is there in secure contexts alone; localhost is one.
  const home = `http://localhost:${(server.address() as AddressInfo).port}/`;
  // A screen's own profile would stand between a file's colours and the canvas.
  let browser: Browser | undefined;
  let page: Page | undefined;
  let count = 0;

  async function open(): Promise<Page> {
    browser ??= await launchChromium(["--force-color-profile=srgb"]);
    if (page && !page.isClosed()) return page;
    page = await browser.newPage();
    await page.goto(home);
    return page;
  }

  return {
    async look(bytes, how) {
      const path = `/file/${count++}`;
      files.set(path, { bytes, type: how.type });
      const mine = await open();
      let limit: NodeJS.Timeout | undefined;
      try {
        return await Promise.race([
          mine.evaluate(look, { ...how, url: home.slice(0, -1) + path, most: MOST_FRAMES }),
          new Promise<never>((_, reject) => {
            limit = setTimeout(() => reject(new Error(`Chromium took over ${SECONDS} s`)), SECONDS * 1000);
          }),
        ]);
      } catch (error) {
        // A page that hangs, or whose process is gone: the next file gets a browser of its own.
        await browser?.close().catch(() => {});
        browser = page = undefined;
        throw error;
      } finally {
        clearTimeout(limit);
        files.delete(path);
      }
    },
    async close() {
      await browser?.close();
      server.close();
      server.closeAllConnections();
    },
  };
}
