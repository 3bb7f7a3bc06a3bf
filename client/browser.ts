/** How a page sends bytes and waits. `fetch` has no upload progress in any browser, so this is XMLHttpRequest. */
import { sleep } from "./patience.ts";
import type { Pause, Transport } from "./transport.ts";

/** A connection on which nothing has moved for so long is dead, whatever the browser believes. */
const STALL_MS = 60_000;

const send: Transport["send"] = ({ url, headers, body, onProgress, signal }) =>
  new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    let stalled = setTimeout(abort, STALL_MS);
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(abort, STALL_MS);
    };
    xhr.upload.onprogress = ({ loaded }) => {
      moved();
      onProgress?.(loaded);
    };
    xhr.onprogress = moved;
    xhr.onloadend = () => {
      clearTimeout(stalled);
      signal?.removeEventListener("abort", abort);
      resolve({
        status: xhr.status,
        text: xhr.responseText,
        // Asked for by name, a header that the bucket's CORS rules do not show is an error in the console.
        header: (name) =>
          new RegExp(`^${name}:\\s*(\\S+)`, "im").exec(xhr.getAllResponseHeaders())?.[1] ?? null,
      });
    };
    xhr.open("PUT", url);
    for (const [name, value] of Object.entries(headers ?? {})) xhr.setRequestHeader(name, value);
    signal?.addEventListener("abort", abort);
    xhr.send(body);
  });

/** How long a browser that says it is offline is waited for. */
const OFFLINE_MS = 120_000;

/** Waits; in a browser that is offline, until it is back. */
const pause: Pause = async (ms, signal) => {
  await sleep(ms, signal);
  if (navigator.onLine === false) await sleep(OFFLINE_MS, signal, self);
};

export const browser: Transport = { send, pause };
