/** Browsers, asked what they show of a file: the oracles of what uploaders see before they upload. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { launchFirefox } from "../browsers/firefox.ts";
import { launchChromium } from "../client/chromium.ts";
import { type Looking, look, MOST_FRAMES, type Seen } from "./look.ts";

/** A picture of 65 MP takes it four seconds here, an animation of 300 frames of a megapixel ten; beside other work, many times that. */
const SECONDS = 300;

export interface Oracle {
  /** What a page sees of these bytes, called `type`. @throws Error where the page does not come to an end */
  look(bytes: Uint8Array, how: Omit<Looking, "url">): Promise<Seen>;
  close(): Promise<void>;
}

/** A page at `home` in a browser of its own. */
interface Viewer {
  look(how: Looking & { most: number }): Promise<Seen>;
  close(): Promise<void>;
}

const viewers = {
  async chromium(home: string): Promise<Viewer> {
    // A screen's own profile would stand between a file's colours and the canvas.
    const browser = await launchChromium(["--force-color-profile=srgb"]);
    const page = await browser.newPage();
    await page.goto(home);
    return { look: (how) => page.evaluate(look, how), close: () => browser.close() };
  },
  async firefox(home: string): Promise<Viewer> {
    const firefox = await launchFirefox();
    const page = await firefox.open(home);
    return { look: (how) => page.run(look, how), close: firefox.close };
  },
};

export async function startOracle(name: keyof typeof viewers = "chromium"): Promise<Oracle> {
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
  let viewer: Viewer | undefined;
  let count = 0;

  return {
    async look(bytes, how) {
      const path = `/file/${count++}`;
      files.set(path, { bytes, type: how.type });
      viewer ??= await viewers[name](home);
      let limit: NodeJS.Timeout | undefined;
      try {
        return await Promise.race([
          viewer.look({ ...how, url: home.slice(0, -1) + path, most: MOST_FRAMES }),
          new Promise<never>((_, reject) => {
            limit = setTimeout(() => reject(new Error(`${name} took over ${SECONDS} s`)), SECONDS * 1000);
          }),
        ]);
      } catch (error) {
        // A page that hangs, or whose process is gone: the next file gets a browser of its own.
        await viewer?.close().catch(() => {});
        viewer = undefined;
        throw error;
      } finally {
        clearTimeout(limit);
        files.delete(path);
      }
    },
    async close() {
      await viewer?.close();
      server.close();
      server.closeAllConnections();
    },
  };
}
