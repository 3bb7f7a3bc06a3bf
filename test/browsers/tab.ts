/** What tests ask of a browser, whichever it is. */

export interface Tab {
  /** Also to where it is, which is a reload. Resolves when the page is loaded. */
  goto(url: string): Promise<void>;
  /** Runs it in the page, where it goes as text: it stands on its own, and what it takes and gives is JSON. */
  run<A extends readonly unknown[], R>(inPage: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
  /** Chooses files of this disk. @param input CSS; an element's own is looked for in its shadow as well */
  choose(input: string, ...paths: string[]): Promise<void>;
  /** Whether the page has a network, and is told so. */
  offline(is: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface Engine {
  /** Another tab: all of them share what the browser keeps. */
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
}

/** For whatever a page is to do. */
const PATIENCE_MS = 300_000;

/** Resolves once the page shows it. @param css what shows it, in which case `text` is a part of it */
export const shows = (tab: Tab, css: string, text = ""): Promise<void> =>
  tab.run(
    (css, text, patience) =>
      new Promise<void>((resolve, reject) => {
        const all = { attributes: true, characterData: true, childList: true, subtree: true };
        const look = () => {
          // Shadows as well that have come since.
          for (const root of roots()) observer.observe(root, all);
          if (!every(css).some((one) => one.textContent.includes(text))) return;
          observer.disconnect();
          clearTimeout(timer);
          resolve();
        };
        const observer = new MutationObserver(look);
        const timer = setTimeout(
          () => reject(new Error(`no ${css} with "${text}" in: ${document.body.innerText}`)),
          patience,
        );
        look();
      }),
    css,
    text,
    PATIENCE_MS,
  );

/** Resolves once nothing is there. */
export const gone = (tab: Tab, css: string): Promise<void> =>
  tab.run(
    (css) =>
      new Promise<void>((resolve) => {
        const look = () => every(css).length === 0 && resolve();
        const observer = new MutationObserver(look);
        for (const root of roots()) observer.observe(root, { childList: true, subtree: true });
        look();
      }),
    css,
  );

/** Resolves with what the picture shows, once it does. */
export async function drawn(tab: Tab, css: string): Promise<string> {
  await shows(tab, css);
  return tab.run(
    (css) =>
      new Promise<string>((resolve) => {
        const look = () => {
          const [img] = every(css) as HTMLImageElement[];
          // It loads what is lazy, too. A list may be drawn anew meanwhile, without the picture that was asked.
          const decoded = img ? img.decode() : Promise.reject(new Error("gone for now"));
          decoded.then(
            () => resolve(img?.currentSrc ?? ""),
            () => setTimeout(look, 50),
          );
        };
        look();
      }),
    css,
  );
}

/**
 * In the page, until it goes: it asks for an image at once, and not when the API says by its bytes, which is after 8 s for 9 MB
 * that are padding. Between two tries it waits 5 s at most, and time-outs are half a minute and more: both stay.
 */
export const hurry = (): void => {
  const wait = globalThis.setTimeout;
  const short = (run: () => void, ms = 0) => wait(run, ms > 5000 && ms < 20_000 ? 250 : ms);
  globalThis.setTimeout = short as typeof wait;
};

/** Clicks on the first one with such a text. */
export const click = (tab: Tab, css: string, text: string): Promise<void> =>
  tab.run(
    (css, text) => {
      const button = every(css).find((one) => one.textContent.startsWith(text));
      if (!(button instanceof HTMLElement)) throw new Error(`no ${css} with ${text}`);
      button.click();
    },
    css,
    text,
  );

/** In the page, for whatever runs there: elements of our own show what they show in a shadow. */
declare global {
  function roots(): (Document | ShadowRoot)[];
  /** All that CSS finds. */
  function every(css: string): Element[];
}
const ROOTS = `const roots = () => [document, ...[...document.querySelectorAll("*")].flatMap((one) => one.shadowRoot ?? [])];
  const every = (css) => roots().flatMap((root) => [...root.querySelectorAll(css)]);`;

/** The function as a page can be sent it, that takes and gives JSON in one string. */
export const asText = (inPage: (...args: never[]) => unknown) =>
  `async (args) => { ${ROOTS} return JSON.stringify(await (${inPage.toString()})(...JSON.parse(args))); }`;

/** In the page: its input, or the one that an element of ours has. */
export const inputOf = (css: string): Element | null => {
  const found = document.querySelector(css);
  return found?.shadowRoot?.querySelector("input[type=file]") ?? found;
};
