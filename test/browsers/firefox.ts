/** A Firefox of this machine, by WebDriver BiDi (w3.org/TR/webdriver-bidi), which Playwright speaks with builds of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { asText, type Engine, inputOf, type Tab } from "./tab.ts";

/** Colours as on a screen of sRGB, whatever this one is. */
const PREFERENCES = `user_pref("gfx.color_management.force_srgb", true);\n`;

/** @throws Error where Firefox does not start */
export async function launchFirefox(): Promise<Engine> {
  const profile = mkdtempSync(join(tmpdir(), "darkroom-firefox-"));
  writeFileSync(join(profile, "user.js"), PREFERENCES);
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const path = process.env["FIREFOX_PATH"] || "firefox-esr";
  const firefox = spawn(path, args, { stdio: ["ignore", "ignore", "pipe"] });
  const failed = once(firefox, "error").then(([error]) => {
    throw new Error(`There is no Firefox: install firefox-esr, or set FIREFOX_PATH. ${error}`);
  });
  const gone = once(firefox, "exit").catch(() => {});
  const send = await connected(await Promise.race([addressOf(firefox.stderr), failed]));
  await send("session.new", { capabilities: {} });
  return {
    async open(url) {
      const { context = "" } = await send("browsingContext.create", { type: "tab" });
      const tab = tabOf(send, context);
      await tab.goto(url);
      return tab;
    },
    async close() {
      firefox.kill("SIGKILL");
      await gone;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

function tabOf(send: Send, context: string): Tab {
  return {
    async goto(url) {
      await send("browsingContext.navigate", { context, url, wait: "complete" });
    },
    async run(inPage, ...args) {
      const { result, exceptionDetails } = await send("script.callFunction", {
        functionDeclaration: asText(inPage),
        awaitPromise: true,
        target: { context },
        arguments: [{ type: "string", value: JSON.stringify(args) }],
      });
      if (exceptionDetails) throw new Error(`in Firefox: ${exceptionDetails.text}`);
      return JSON.parse(result?.value ?? "null");
    },
    async choose(input, ...files) {
      const { result } = await send("script.evaluate", {
        expression: `(${inputOf.toString()})(${JSON.stringify(input)})`,
        awaitPromise: false,
        target: { context },
      });
      await send("input.setFiles", { context, element: { sharedId: result?.sharedId }, files });
    },
    async offline(is) {
      const networkConditions = is ? { type: "offline" } : null;
      await send("emulation.setNetworkConditions", { contexts: [context], networkConditions });
    },
    async close() {
      await send("browsingContext.close", { context });
    },
  };
}

async function addressOf(stderr: NodeJS.ReadableStream): Promise<string> {
  let said = "";
  for await (const line of createInterface(stderr)) {
    const address = /listening on (ws:\S+)/.exec(line)?.[1];
    if (address) {
      stderr.resume();
      return `${address}/session`;
    }
    said += `${line}\n`;
  }
  throw new Error(`Firefox did not start: ${said}`);
}

/** What we read of answers to the commands above. */
interface Answer {
  readonly context?: string;
  readonly result?: { readonly value?: string; readonly sharedId?: string };
  readonly exceptionDetails?: { readonly text: string };
}
type Send = (method: string, params: object) => Promise<Answer>;

async function connected(address: string): Promise<Send> {
  const socket = new WebSocket(address);
  await once(socket, "open");
  const waiting = new Map<number, PromiseWithResolvers<Answer>>();
  socket.addEventListener("message", ({ data }) => {
    const { id, type, result, message } = JSON.parse(String(data));
    if (type === "success") waiting.get(id)?.resolve(result);
    else if (type === "error") waiting.get(id)?.reject(new Error(`Firefox: ${message}`));
    waiting.delete(id);
  });
  socket.addEventListener("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox is gone"));
  });
  let count = 0;
  return (method, params) => {
    const answer = Promise.withResolvers<Answer>();
    waiting.set(++count, answer);
    socket.send(JSON.stringify({ id: count, method, params }));
    return answer.promise;
  };
}
