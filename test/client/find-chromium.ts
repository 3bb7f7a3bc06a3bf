/** Where browsers of Chromium's kind are installed. */
import { existsSync } from "node:fs";

const { env, platform } = process;

const places: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"]
    .map((name) => `/usr/bin/${name}`)
    .concat("/snap/bin/chromium", "/opt/google/chrome/chrome"),
  darwin: ["Google Chrome", "Chromium", "Microsoft Edge"].map(
    (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
  ),
  win32: [env["PROGRAMFILES"], env["PROGRAMFILES(X86)"], env["LOCALAPPDATA"]].flatMap((folder) => [
    `${folder}\\Google\\Chrome\\Application\\chrome.exe`,
    `${folder}\\Microsoft\\Edge\\Application\\msedge.exe`,
  ]),
};

/** The one that CHROMIUM_PATH names, whether it is there or not, else the first that is installed. */
export function findChromium(): string | undefined {
  return env["CHROMIUM_PATH"] || places[platform]?.find((path) => existsSync(path));
}
