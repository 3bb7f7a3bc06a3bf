/** Debian's WebKitGTK, by its own WebDriver (w3.org/TR/webdriver2), on a screen of its own that nobody sees. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { asText, type Engine, inputOf, type Tab } from "./tab.ts";

const PACKAGES = "webkit2gtk-driver, xvfb, gir1.2-webkit2-4.1 and python3-gi";

/**
 * @param isPrivate MiniBrowser, which keeps nothing whenever it is led by a WebDriver; else a browser of ours that does
 * @throws Error where it is not installed
 */
export async function launchWebKit({ isPrivate = false } = {}): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "darkroom-webkit-"));
  const [mini = ""] = globSync("/usr/lib/*/webkit2gtk-4.1/MiniBrowser");
  const [binary, args] = isPrivate
    ? [mini, ["--automation"]]
    : [fileURLToPath(new URL("webkit.py", import.meta.url)), [folder]];
  if (!existsSync(mini)) throw new Error(`There is no WebKitGTK: install ${PACKAGES}.`);
  const screen = start("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]);
  const [display] = await Promise.race([
    once(screen.child.stdio[3] as NodeJS.ReadableStream, "data"),
    screen.failed,
  ]);
  const port = await freePort();
  const driver = start("WebKitWebDriver", [`--port=${port}`], { DISPLAY: `:${String(display).trim()}` });
  const url = `http://127.0.0.1:${port}`;
  await Promise.race([listening(url), driver.failed]);
  const { sessionId } = await command(url, "POST", "/session", {
    capabilities: {
      alwaysMatch: { "webkitgtk:browserOptions": { binary, args }, timeouts: { script: null } },
    },
  });
  const send: Send = (method, path, body) => command(`${url}/session/${sessionId}`, method, path, body);
  // One command at a time, as it goes to the window that was named last.
  let line: Promise<unknown> = Promise.resolve();
  const within = <T>(handle: string, run: () => Promise<T>) => {
    const mine = line.then(async () => {
      await send("POST", "/window", { handle });
      return run();
    });
    line = mine.catch(() => {});
    return mine;
  };
  // Always there, as a session without a window is over.
  const home = await send<string>("GET", "/window");
  return {
    async open(url) {
      const { handle = "" } = await within(home, () => send("POST", "/window/new", { type: "tab" }));
      const tab = tabOf(send, (run) => within(handle, run));
      await tab.goto(url);
      return tab;
    },
    async close() {
      await send("DELETE", "").catch(() => {});
      await Promise.all([driver.stop(), screen.stop()]);
      // Its processes may write a little longer than it lives.
      rmSync(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
    },
  };
}

function tabOf(send: Send, within: <T>(run: () => Promise<T>) => Promise<T>): Tab {
  return {
    goto: (url) =>
      within(async () => {
        const ask = (script: string) => send<boolean>("POST", "/execute/sync", { script, args: [] });
        await ask("window.left = true");
        await send("POST", "/url", { url });
        // It may answer before the page is another one; what is run in one that goes never answers.
        const is = `return !window.left && document.readyState === "complete"`;
        while (!(await ask(is).catch(() => false))) await sleep(50);
      }),
    run: (inPage, ...args) =>
      within(async () => {
        const script = `const [args, done] = arguments;
          (${asText(inPage)})(args).then((json) => done({ json }), (error) => done({ error: String(error) }))`;
        const { json, error } = await send("POST", "/execute/async", {
          script,
          args: [JSON.stringify(args)],
        });
        if (error) throw new Error(`in WebKit: ${error}`);
        return JSON.parse(json ?? "null");
      }),
    choose: (input, ...paths) =>
      within(async () => {
        const script = `return (${inputOf.toString()})(arguments[0])`;
        const [element] = Object.values(await send("POST", "/execute/sync", { script, args: [input] }));
        await send("POST", `/element/${element}/value`, { text: paths.join("\n") });
      }),
    offline(is) {
      // No WebDriver takes WebKitGTK off the network: the page is told that it is.
      return this.run((is) => {
        Object.defineProperty(navigator, "onLine", { value: !is, configurable: true });
        dispatchEvent(new Event(is ? "offline" : "online"));
      }, is);
    },
    close: () => within(async () => void (await send("DELETE", "/window"))),
  };
}

type Answer = Readonly<Record<string, string>>;
type Send = <T = Answer>(method: string, path: string, body?: object) => Promise<T>;

async function command<T = Answer>(base: string, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(base + path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
  const { value } = (await response.json()) as { value: T & Answer };
  if (!response.ok) throw new Error(`WebKit: ${value["error"]}: ${value["message"]} (${method} ${path})`);
  return value;
}

function start(name: string, args: string[], env: Record<string, string> = {}) {
  const child: ChildProcess = spawn(name, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const gone = once(child, "exit").catch(() => {});
  const failed = once(child, "error").then(([error]) => {
    throw new Error(`There is no ${name}: install ${PACKAGES}. ${error}`);
  });
  const stop = async () => {
    child.kill();
    await gone;
  };
  return { child, failed, stop };
}

/** It takes no 0 for a port. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** It says nothing when it listens. */
async function listening(url: string): Promise<void> {
  while (!(await fetch(`${url}/status`).catch(() => undefined))) await sleep(50);
}
