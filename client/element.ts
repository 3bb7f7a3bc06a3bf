/**
 * `<darkroom-upload endpoint="…" token-src="/darkroom-token" name="photos" multiple>`: an upload for pages without a
 * framework. In a form it holds the images' ids under its name. `darkroom` may be set in place of the two addresses, `resume`
 * names files that go on after a reload, `everywhere` takes what is dropped or pasted anywhere on the page.
 *
 * Events: `ready` and `failed`, with the upload as `detail`. Parts to style: `input`, `list`, `upload`, `picture`, `button`.
 */
import { createDarkroom, type Darkroom } from "./darkroom.ts";
import { picture } from "./picture.ts";
import { type FileUpload, type Uploads, uploadsOf } from "./uploads.ts";

// On a server there is nothing to be an element of.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class DarkroomUpload extends Base {
  static readonly formAssociated = true;
  /** A client of the page's own, set before files are chosen; also before this module is there, which a field would undo. */
  declare darkroom: Darkroom | undefined;
  #uploads: Uploads | undefined;
  readonly #rows = new Map<number, HTMLLIElement>();
  readonly #ended = new Set<number>();
  readonly #internals = this.attachInternals();
  readonly #list = document.createElement("ul");
  #close = () => {};

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const input = document.createElement("input");
    input.type = "file";
    input.part = "input";
    input.accept = this.getAttribute("accept") ?? "image/*";
    input.multiple = this.hasAttribute("multiple");
    input.ariaLabel = this.getAttribute("label") ?? "Choose pictures";
    input.onchange = (event) =>
      this.#list_().choose(event, { preset: this.getAttribute("preset") ?? undefined });
    this.#list.part = "list";
    this.#list.ariaLive = "polite";
    root.replaceChildren(input, this.#list);
    // What an earlier page left goes on by itself.
    if (this.hasAttribute("resume") || this.hasAttribute("everywhere")) this.#list_();
  }

  disconnectedCallback(): void {
    this.#close();
    this.#uploads = undefined;
    this.#rows.clear();
    this.#ended.clear();
    this.#list.replaceChildren();
    this.#internals.setFormValue(null);
  }

  /** For files that come otherwise, by drop or paste. */
  upload(files: Iterable<Blob>): void {
    this.#list_().upload(files, { preset: this.getAttribute("preset") ?? undefined });
  }

  get uploads(): readonly FileUpload[] {
    return this.#uploads?.state() ?? [];
  }

  #list_(): Uploads {
    if (this.#uploads) return this.#uploads;
    // The same one after the element has moved: what it keeps under a name is the client's.
    this.darkroom ??= this.#client();
    const uploads = uploadsOf(this.darkroom, {
      resume: this.getAttribute("resume") ?? undefined,
      everywhere: this.hasAttribute("everywhere") && (this.getAttribute("preset") ?? true),
    });
    const ends = [uploads.subscribe(() => this.#show(uploads)), uploads.open()];
    this.#close = () => {
      for (const end of ends) end();
    };
    this.#uploads = uploads;
    return uploads;
  }

  #client(): Darkroom {
    return createDarkroom({
      endpoint: this.getAttribute("endpoint") ?? "",
      token: async () => {
        const response = await fetch(this.getAttribute("token-src") ?? "/darkroom-token");
        if (!response.ok) throw new Error(`${response.status}`);
        return response.text();
      },
    });
  }

  #show(uploads: Uploads): void {
    const now = uploads.state();
    for (const [key, row] of this.#rows) {
      if (now.some((one) => one.key === key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    for (const one of now) {
      const row = this.#rows.get(one.key) ?? this.#list.appendChild(document.createElement("li"));
      this.#rows.set(one.key, row);
      if (row.dataset["status"] !== one.status) draw(row, one, uploads);
      // Not drawn anew: a button must not go from under the finger.
      else if (row.firstChild instanceof HTMLProgressElement) row.firstChild.value = one.sent;
      if (!this.#ended.has(one.key) && (one.status === "ready" || one.status === "failed")) {
        this.#ended.add(one.key);
        this.dispatchEvent(new CustomEvent(one.status, { detail: one, bubbles: true }));
      }
      if (one.status === "sending") this.#ended.delete(one.key);
    }
    const ids = new FormData();
    for (const { id, status } of now)
      if (id && status !== "failed") ids.append(this.getAttribute("name") ?? "", id);
    this.#internals.setFormValue(this.hasAttribute("name") ? ids : null);
  }
}

function draw(row: HTMLLIElement, one: FileUpload, uploads: Uploads): void {
  const { key, status, image, error, sent, total, file } = one;
  const name = (file as Partial<File>).name ?? "";
  row.part = `upload ${status}`;
  row.dataset["status"] = status;
  const button = (text: string, run: () => unknown) => {
    const made = document.createElement("button");
    made.type = "button";
    made.part = "button";
    made.textContent = text;
    made.ariaLabel = `${text} ${name}`;
    made.onclick = () => void run();
    return made;
  };
  const shown = document.createElement(status === "sending" ? "progress" : "span");
  if (shown instanceof HTMLProgressElement) {
    shown.max = total;
    shown.value = sent;
    shown.ariaLabel = name;
  } else if (status === "ready" && image) {
    shown.part = "picture";
    // Escaped by `picture`.
    shown.innerHTML = picture(image, { alt: name }).html;
  } else
    shown.textContent =
      status === "failed"
        ? (error?.message ?? "")
        : ({ offline: "Waiting for the network…", held: "It is shown once somebody has looked at it." }[
            status as string
          ] ?? "Developing…");
  row.replaceChildren(
    shown,
    ...(status === "failed" ? [button("Try again", () => uploads.retry(key))] : []),
    button("Remove", () => uploads.remove(key).catch(() => {})),
  );
}

globalThis.customElements?.define("darkroom-upload", DarkroomUpload);
