/** The page of a running stack in a real Chromium. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import type { Stack, StackOptions } from "../../laptop/stack.ts";
import { launchChromium, problemsOf } from "../client/chromium.ts";

export interface OpenPage {
  readonly page: Page;
  /** What the console complained of, and every request to anywhere but this machine. */
  readonly problems: string[];
  close(): Promise<void>;
}

/** What a file of tests has for itself. */
export interface Running {
  readonly stack: Stack;
  readonly browser: Browser;
  /** The stack's folder. */
  readonly data: string;
}

/** A stack and a browser, begun before the first test of a file and ended after the last. @param s3Fault as the stack's */
export function running(s3Fault?: StackOptions["s3Fault"]): Running {
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  const it: { data: string; stack?: Stack; browser?: Browser } = { data };
  before(async () => {
    // Not before: presets are read with the first module that needs them, and a file may have its own.
    const { startStack } = await import("../../laptop/stack.ts");
    it.stack = await startStack({ port: 0, data, logLevel: "error", ...(s3Fault ? { s3Fault } : {}) });
    it.browser = await launchChromium();
  });
  after(async () => {
    await it.browser?.close();
    await it.stack?.close();
    rmSync(data, { recursive: true, force: true });
  });
  return it as Running;
}

export async function openPage(
  { browser, stack }: Pick<Running, "browser" | "stack">,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    permissions: ["clipboard-read", "clipboard-write"],
    // It would go on in the moment of a reload, with what a test counts.
    serviceWorkers: "block",
    ...options,
  });
  const page = await context.newPage();
  const problems = problemsOf(page, /^Service Worker registration blocked/);
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (/^http/.test(url.protocol) && !/^(localhost|127\.0\.0\.1)$/.test(url.hostname)) {
      problems.push(`asks for ${url.origin}`);
    }
  });
  await page.goto(stack.page);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return { page, problems, close: () => context.close() };
}

export interface TestFile {
  readonly name: string;
  readonly buffer: Buffer;
}

/** A JPEG of one colour; with `bytes`, so large, by what decoders ignore after its end. */
export async function jpeg(
  name: string,
  { width = 700, height = 500, bytes = 0, orientation = 1 } = {},
): Promise<TestFile> {
  const picture = await sharp({ create: { width, height, channels: 3, background: "#1f6f8b" } })
    .withMetadata({ orientation })
    .jpeg()
    .toBuffer();
  const buffer = Buffer.concat([picture, Buffer.alloc(Math.max(0, bytes - picture.length))]);
  return { name, buffer };
}

/** From the disk, as people do: the browser tells the type by the name. */
export async function choose(page: Page, ...files: TestFile[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-"));
  page.context().on("close", () => rmSync(folder, { recursive: true, force: true }));
  const paths = files.map(({ name, buffer }) => {
    const path = join(folder, name);
    writeFileSync(path, buffer);
    return path;
  });
  await page.getByLabel("Choose pictures").setInputFiles(paths);
}

/** The card of a file or image, by its heading. */
export const card = (page: Page, name: string) =>
  page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) });

/** Resolves when the card's picture is developed and drawn. */
export async function ready(page: Page, name: string): Promise<void> {
  await card(page, name).scrollIntoViewIfNeeded();
  await card(page, name).locator('[data-loaded="true"]').waitFor();
}

/** What the clipboard holds, once it is this: writing there takes a browser a moment. */
export async function copied(page: Page, says: RegExp): Promise<string> {
  const text = await page.waitForFunction(
    async ({ source, flags }) => {
      const text = await navigator.clipboard.readText();
      return new RegExp(source, flags).test(text) && text;
    },
    { source: says.source, flags: says.flags },
  );
  return String(await text.jsonValue());
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds, a line each. */
export async function violations(page: Page): Promise<string[]> {
  // By the debugger, where the page's own policy would not let it in.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const axe = (globalThis as unknown as { axe: typeof import("axe-core") }).axe;
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}
