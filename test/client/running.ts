/** What a file of tests in Chromium has for itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Page } from "playwright-core";
import { s3Client } from "../../adapters/aws/s3-store.ts";
import { type Stack, type StackOptions, startStack } from "../../laptop/stack.ts";
import { type Chromium, startChromium } from "./chromium.ts";

export interface Running {
  /** The stack's folder. */
  readonly data: string;
  readonly stack: Stack;
  /** Of the stack's S3. */
  readonly s3: S3Client;
  readonly chromium: Chromium;
}

/** Begun before the first test of the file, ended after the last one. */
export function running(options: Partial<StackOptions> = {}): Running {
  const data = mkdtempSync(join(tmpdir(), "darkroom-"));
  const it: { data: string; stack?: Stack; s3?: S3Client; chromium?: Chromium } = { data };
  before(async () => {
    it.stack = await startStack({ port: 0, data, logLevel: "error", ...options });
    // The stack has put its endpoint and credentials where clients look for them.
    it.s3 = s3Client({ forcePathStyle: true });
    it.chromium = await startChromium();
  });
  after(async () => {
    await it.chromium?.close();
    it.s3?.destroy();
    await it.stack?.close();
    rmSync(data, { recursive: true, force: true });
  });
  return it as Running;
}

/** Once S3 has taken this part of the page's. */
export const arrived = (page: Page, part: number) =>
  page.waitForResponse(
    (response) =>
      response.url().includes(`partNumber=${part}&`) &&
      response.request().method() === "PUT" &&
      response.status() === 200,
  );
