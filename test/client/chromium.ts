/** A real browser with the client in it, on a page whose origin is neither the API's nor S3's, so that CORS counts. */
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type * as Client from "../../client/darkroom.ts";
import type * as ResumeStore from "../../client/resume-store.ts";
import type { Stack } from "../../laptop/stack.ts";
import { findChromium } from "./find-chromium.ts";

declare global {
  /** In the page. */
  var client: typeof Client & typeof ResumeStore;
}

const ENTRY = `
export * from "./client/darkroom.ts";
export * from "./client/resume-store.ts";
`;

export interface Chromium {
  /** Of the page. */
  readonly url: string;
  /** A page with the client as `client`; `problems` collects what its console complains of. */
  open(): Promise<{ page: Page; context: BrowserContext; problems: string[] }>;
  close(): Promise<void>;
}

/** For whatever a page is to do. Playwright's 30 s are not enough on a machine that is busy with other things. */
export const PATIENCE_MS = 300_000;

/** @param flags besides those it needs here. @throws Error where there is no Chromium */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath || !existsSync(executablePath)) {
    throw new Error(
      `There is no Chromium${executablePath ? ` at ${executablePath}` : ""}. Install one, or set CHROMIUM_PATH.`,
    );
  }
  // Chromium's own sandbox needs a user namespace, which containers and root do not have.
  const args = ["--no-sandbox", ...flags];
  const browser = await chromium.launch({ executablePath, args, timeout: PATIENCE_MS });
  // Here for all of them: a page that somebody opens otherwise would have Playwright's own patience.
  const open = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await open(options);
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
  };
  return browser;
}

/** Collects what the page's console complains of. @param but what is none of the page's */
export function problemsOf(page: Page, but = /^$/): string[] {
  const problems: string[] = [];
  page.on("console", (message) => {
    const isProblem = message.type() === "error" || message.type() === "warning";
    if (isProblem && !but.test(message.text())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return problems;
}

export async function startChromium(): Promise<Chromium> {
  const scripts = new Map<string | undefined, string>();
  for (const [path, contents] of [
    ["/client.js", ENTRY],
    ["/service-worker.js", `import "./client/service-worker.ts"`],
  ] as const) {
    const stdin = { contents, resolveDir: process.cwd(), loader: "ts" } as const;
    const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false });
    scripts.set(path, outputFiles[0]?.text ?? "");
  }
  const server = createServer((request, response) => {
    const script = scripts.get(request.url);
    const type = script === undefined ? "text/html" : "text/javascript";
    const body = script ?? `<!doctype html><link rel="icon" href="data:,"><body></body>`;
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
  const browser = await launchChromium();
  return {
    url,
    async open() {
      const context = await browser.newContext();
      const page = await context.newPage();
      const problems = problemsOf(page);
      await load(page, url);
      return { page, context, problems };
    },
    async close() {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Goes to the page, or to it again. */
export async function load(page: Page, url = page.url()): Promise<void> {
  await page.goto(url);
  await page.evaluate(async () => {
    // A variable, so that nobody looks for the file before the page does.
    const path = "/client.js";
    globalThis.client = (await import(path)) as typeof client;
  });
}

/** What `createDarkroom` needs to reach the stack. */
export const settingsOf = (stack: Stack) => ({ endpoint: stack.api, token: stack.uploadToken });
