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
        // Elements of our own show what they show in a shadow.
        const roots = [
          document,
          ...[...document.querySelectorAll("*")].flatMap((one) => one.shadowRoot ?? []),
        ];
        const look = () => {
          const all = roots.flatMap((root) => [...root.querySelectorAll(css)]);
          const found = all.some((one) => one.textContent.includes(text));
          if (!found) return;
          observer.disconnect();
          clearTimeout(timer);
          resolve();
        };
        const observer = new MutationObserver(look);
        const timer = setTimeout(
          () => reject(new Error(`no ${css} with "${text}" in: ${document.body.innerText}`)),
          patience,
        );
        const all = { attributes: true, characterData: true, childList: true, subtree: true };
        for (const root of roots) observer.observe(root, all);
        look();
      }),
    css,
    text,
    PATIENCE_MS,
  );

/** The function as a page can be sent it, that takes and gives JSON in one string. */
export const asText = (inPage: (...args: never[]) => unknown) =>
  `async (args) => JSON.stringify(await (${inPage.toString()})(...JSON.parse(args)))`;

/** In the page. */
export const inputOf = (css: string): Element | null => {
  const found = document.querySelector(css);
  return found?.shadowRoot?.querySelector("input[type=file]") ?? found;
};
