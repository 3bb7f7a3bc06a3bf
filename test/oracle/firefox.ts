/** A Firefox of this machine, by WebDriver BiDi (w3.org/TR/webdriver-bidi), which Playwright speaks with builds of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Looking, look, type Seen } from "./look.ts";

/** Colours as on a screen of sRGB, whatever this one is. */
const PREFERENCES = `user_pref("gfx.color_management.force_srgb", true);\n`;

/** A page of its own. @throws Error where Firefox does not start */
export async function launchFirefox(home: string) {
  const profile = mkdtempSync(join(tmpdir(), "darkroom-firefox-"));
  writeFileSync(join(profile, "user.js"), PREFERENCES);
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const process_ = spawn(process.env["FIREFOX_PATH"] || "firefox-esr", args, {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const gone = once(process_, "exit").catch(() => {});
  const send = await connected(await addressOf(process_.stderr));
  await send("session.new", { capabilities: {} });
  const { contexts } = await send("browsingContext.getTree", {});
  const context = contexts?.[0]?.context;
  await send("browsingContext.navigate", { context, url: home, wait: "complete" });
  return {
    async look(how: Looking & { most: number }): Promise<Seen> {
      const functionDeclaration = `async (how) => JSON.stringify(await (${look.toString()})(JSON.parse(how)))`;
      const { result, exceptionDetails } = await send("script.callFunction", {
        functionDeclaration,
        awaitPromise: true,
        target: { context },
        arguments: [{ type: "string", value: JSON.stringify(how) }],
      });
      if (!result?.value) throw new Error(`in Firefox: ${exceptionDetails?.text}`);
      return JSON.parse(result.value) as Seen;
    },
    async close() {
      process_.kill("SIGKILL");
      await gone;
      rmSync(profile, { recursive: true, force: true });
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

/** What we read of answers to the four commands above. */
interface Answer {
  readonly contexts?: readonly { readonly context: string }[];
  readonly result?: { readonly value?: string };
  readonly exceptionDetails?: { readonly text: string };
}

async function connected(address: string) {
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
  return (method: string, params: object): Promise<Answer> => {
    const answer = Promise.withResolvers<Answer>();
    waiting.set(++count, answer);
    socket.send(JSON.stringify({ id: count, method, params }));
    return answer.promise;
  };
}
