/** The client in a real Chromium against the whole local stack: real signatures, real CORS, real progress. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, beforeEach } from "node:test";
import fc from "fast-check";
import type { BrowserContext, Page } from "playwright-core";
import sharp from "sharp";
import { type Image, picture } from "../../client/darkroom.ts";
import { type Stack, startStack } from "../../laptop/stack.ts";
import { type Chromium, load, settingsOf, startChromium } from "./chromium.ts";
import { type Door, openDoor } from "./door.ts";

const data = mkdtempSync(join(tmpdir(), "darkroom-"));
type Fault = NonNullable<Parameters<typeof startStack>[0]["s3Fault"]>;
let fault: Fault | undefined;
let stack: Stack;
/** In front of S3. */
let door: Door;
let chromium: Chromium;
let context: BrowserContext;
let page: Page;
let problems: string[];

before(async () => {
  stack = await startStack({ port: 0, data, logLevel: "error", s3Fault: (request) => fault?.(request) });
  door = await openDoor(stack.s3);
  // Read at the first request: browsers are sent to the door.
  process.env["AWS_ENDPOINT_URL_S3"] = door.url;
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  door?.close();
  await stack?.close();
  rmSync(data, { recursive: true, force: true });
});
beforeEach(async () => {
  fault = undefined;
  await context?.close();
  door.open();
  ({ context, page, problems } = await chromium.open());
  await page.evaluate((settings) => {
    Object.assign(globalThis, { darkroom: client.createDarkroom(settings) });
  }, settingsOf(stack));
});

declare global {
  /** In the page. */
  var darkroom: ReturnType<typeof client.createDarkroom>;
}

const jpeg = (width = 700, height = 500) =>
  sharp({ create: { width, height, channels: 3, background: "#1f6f8b" } })
    .jpeg()
    .toBuffer();
const base64 = async (bytes: Promise<Buffer>) => (await bytes).toString("base64");

/** Runs `upload` in the page and says how it ended. */
const uploadInPage = (bytes: string, name = "boat.jpg", type = "image/jpeg") =>
  page.evaluate(
    async ({ bytes, name, type }) => {
      const file = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type });
      try {
        const { id } = await darkroom.upload(file);
        return { id };
      } catch (error) {
        const { name, code, message } = error as { name: string; code: string; message: string };
        return { error: { name, code, message } };
      }
    },
    { bytes, name, type },
  );

const status = async (id: string) => {
  const headers = { authorization: `Bearer ${stack.uploadToken}` };
  return (await fetch(`${stack.api}/images/${id}`, { headers })).status;
};

test("what is refused says so in a sentence, and nothing is sent", async () => {
  const cases = [
    [[], "boat.jpg", "image/jpeg", "file-empty", /^The file is empty\.$/],
    [
      [1, 2, 3],
      "notes.txt",
      "text/plain",
      "type-not-accepted",
      /^Files of this type are not accepted\. Its type is/,
    ],
  ] as const;
  for (const [bytes, name, type, code, message] of cases) {
    const { error } = await uploadInPage(Buffer.from(bytes).toString("base64"), name, type);
    assert.equal(error?.code, code);
    assert.match(error?.message ?? "", message);
  }
});

test("a picture that is none is rejected at once, with the API's code and sentence", async () => {
  const error = await page.evaluate(async () => {
    const { ready } = await darkroom.upload(new File(["<html>"], "a.jpg", { type: "image/jpeg" }));
    return ready.then(String, ({ code, message }) => ({ code, message }));
  });
  assert.deepEqual(error, {
    code: "unsupported-format",
    message: "This is not an image of a format we accept.",
  });
});

test("an S3 that is busy is tried again; a signature that has expired is made anew", async () => {
  const answers = [
    { status: 503, code: "SlowDown" },
    { status: 400, code: "ExpiredToken" },
    { status: 500, code: "InternalError" },
  ];
  const keys = new Set<string>();
  fault = ({ method, key }) => {
    if (method !== "PUT" || !key?.startsWith("originals/")) return undefined;
    keys.add(key);
    return answers.shift();
  };
  const { id = "" } = await uploadInPage(await base64(jpeg()));
  assert.deepEqual(answers, []);
  assert.equal(keys.size, 2);
  assert.equal([...keys][1], `originals/${id}`);
  assert.notEqual(await status(id), 404);
});

test("signatures that are always late are the fault of a clock", async () => {
  fault = ({ method, key }) =>
    method === "PUT" && key?.startsWith("originals/")
      ? { status: 403, code: "RequestTimeTooSkewed" }
      : undefined;
  const { error } = await uploadInPage(await base64(jpeg()));
  assert.equal(error?.code, "clock-wrong");
  assert.match(error?.message ?? "", /clock is wrong/);
});

test("when only S3's answer is lost, the next try finds the file written and that is success", async () => {
  await page.evaluate(() => {
    // The first request is done in full; its answer is never seen.
    const Real = XMLHttpRequest;
    let first = true;
    globalThis.XMLHttpRequest = class extends Real {
      readonly #deaf = first;
      constructor() {
        super();
        first = false;
      }
      override get status() {
        return this.#deaf ? 0 : super.status;
      }
    };
  });
  let puts = 0;
  fault = ({ method, key }) => {
    if (method === "PUT" && key?.startsWith("originals/")) puts++;
    return undefined;
  };
  const { id = "" } = await uploadInPage(await base64(jpeg()));
  assert.equal(puts, 2);
  assert.notEqual(await status(id), 404);
});

test("an upload that is aborted half-way ends at once, with an AbortError, and leaves nothing on S3", async () => {
  door.hold(500_000);
  let id = "";
  page.on("request", (request) => {
    id ||= /originals\/([0-9a-z]{26})/.exec(request.url())?.[1] ?? "";
  });
  const ended = await page.evaluate(async () => {
    const controller = new AbortController();
    const file = new File([new Uint8Array(15_000_000)], "big.jpg", { type: "image/jpeg" });
    return darkroom
      .upload(file, { signal: controller.signal, onProgress: () => controller.abort() })
      .then(String, ({ name }) => name);
  });
  assert.equal(ended, "AbortError");
  assert.ok(id);
  // The functions reach S3 by it, too.
  door.open();
  assert.equal(await status(id), 404);
});

test("a connection that is cut mid-way and comes back carries the upload on", async () => {
  door.hold(500_000);
  await page.exposeFunction("cut", async () => {
    const failed = page.waitForEvent("requestfailed", (request) => request.method() === "PUT");
    await context.setOffline(true);
    door.cut();
    await failed;
    door.open();
    await context.setOffline(false);
  });
  let tries = 0;
  page.on("request", (request) => {
    if (request.method() === "PUT") tries++;
  });
  const id = await page.evaluate(async () => {
    let cut: Promise<void> | undefined;
    const file = new File([new Uint8Array(15_000_000)], "big.jpg", { type: "image/jpeg" });
    const { id } = await darkroom.upload(file, {
      onProgress: () => {
        cut ??= (globalThis as unknown as { cut: () => Promise<void> }).cut();
      },
    });
    await cut;
    return id;
  });
  assert.ok(tries > 1, `${tries} tries`);
  assert.notEqual(await status(id), 404);
});

test("a token is asked for again when it is refused, once for each request", async () => {
  const asked = await page.evaluate(async ({ endpoint, token }) => {
    let asked = 0;
    const late = client.createDarkroom({ endpoint, token: async () => (++asked === 1 ? "old" : token) });
    const gone = client.createDarkroom({ endpoint, token: () => "old" });
    const outcome = (one: typeof late) =>
      one.waitUntilReady("00000000000000000000000000").then(String, ({ code }) => code);
    const file = new File(["a"], "a.jpg", { type: "image/jpeg" });
    return {
      first: [await outcome(late), asked],
      second: [await outcome(late), asked],
      refused: await outcome(gone),
      said: await gone.upload(file).then(String, ({ message }) => message),
    };
  }, settingsOf(stack));
  assert.deepEqual(asked, {
    first: ["not-found", 2],
    second: ["not-found", 2],
    refused: "token-refused",
    said: "You are not signed in, or no longer. Sign in again, then upload again.",
  });
});

test("a file that changes on the disk, or is removed from it, is named as the reason", async () => {
  const path = join(data, "changing.jpg");
  for (const change of [async () => writeFileSync(path, await jpeg(300, 300)), () => rmSync(path)]) {
    writeFileSync(path, await jpeg());
    await page.setContent('<input type="file">');
    await page.setInputFiles("input", path);
    await change();
    const error = await page.evaluate(async () => {
      const file = document.querySelector("input")?.files?.[0];
      return file && darkroom.upload(file).then(String, ({ code, message }) => ({ code, message }));
    });
    assert.deepEqual(error, {
      code: "file-changed",
      message: "The file was changed or removed during its upload. Choose it again.",
    });
  }
});

test("a file that changes while it is on its way is named as the reason, and nothing of it is kept", async () => {
  const path = join(data, "changing-later.jpg");
  for (const parts of [false, true]) {
    writeFileSync(path, Buffer.alloc(15_000_000));
    await page.setContent('<input type="file">');
    await page.setInputFiles("input", path);
    const sending = page.waitForRequest((request) => request.method() === "PUT");
    door.hold(500_000);
    const ended = page.evaluate(async (parts) => {
      const file = document.querySelector("input")?.files?.[0];
      return (
        file && darkroom.upload(file, { parts }).then(String, ({ code, message }) => ({ code, message }))
      );
    }, parts);
    const [, id = ""] = /originals\/([0-9a-z]{26})/.exec((await sending).url()) ?? [];
    writeFileSync(path, Buffer.alloc(14_000_000, 1));
    door.open();
    assert.deepEqual(await ended, {
      code: "file-changed",
      message: "The file was changed or removed during its upload. Choose it again.",
    });
    assert.equal(await status(id), 404);
  }
});

test("a tab that is closed at 99 % leaves nothing half-done", async () => {
  door.hold(14_850_000);
  const sending = page.waitForRequest((request) => request.method() === "PUT");
  const almost = page.waitForEvent("console", (message) => message.text() === "99 %");
  // Nobody is left to hear how it ended.
  page
    .evaluate(async () => {
      const file = new File([new Uint8Array(15_000_000)], "big.jpg", { type: "image/jpeg" });
      await darkroom.upload(file, {
        onProgress: ({ sent }) => sent > 14_800_000 && console.debug("99 %"),
      });
    })
    .catch(() => {});
  const [, id = ""] = /originals\/([0-9a-z]{26})/.exec((await sending).url()) ?? [];
  await almost;
  await page.close();
  // What is still in the network's buffers must not be the missing bytes.
  door.cut();
  // By the time that another has arrived, S3 knows that this one will not.
  ({ page } = await chromium.open());
  await page.evaluate((settings) => {
    Object.assign(globalThis, { darkroom: client.createDarkroom(settings) });
  }, settingsOf(stack));
  // Not before: a browser that had not yet forgotten the closed page sends its request once more by itself.
  door.open();
  assert.ok((await uploadInPage(await base64(jpeg()))).id);
  assert.ok(id);
  assert.equal(await status(id), 404);
});

test("whatever the texts are, Chromium reads picture()'s markup back as they were, and nothing else", async () => {
  const nasty = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(
        fc.constantFrom(
          '"',
          "'",
          "<",
          ">",
          "&",
          "&quot",
          "&#34;",
          "-->",
          "</picture>",
          "<script>",
          "\n",
          " x=",
        ),
      )
      .map((parts) => parts.join("")),
  );
  const cases = fc.sample(fc.record({ alt: nasty, sizes: nasty, class: nasty, path: nasty }), 500);
  const markup = cases.map(({ path, ...texts }) => {
    const url = `https://cdn.example/${path}`;
    const box = { name: "w1", width: 4, height: 3, bytes: 1, url };
    const image: Image = {
      id: "x",
      status: "ready",
      placeholder: { thumbhash: "", dataUrl: `data:image/png;${path}`, color: "#123456" },
      variants: ["avif", "jpeg"].map((format) => ({ ...box, format, type: `image/${format}` })),
      pending: [],
      processedAt: "2026-05-01T10:00:00Z",
    };
    return picture(image, texts).html;
  });
  const read = await page.evaluate(
    (markup) =>
      markup.map((html) => {
        // It runs no script and loads nothing.
        const { head, body } = new DOMParser().parseFromString(html, "text/html");
        const img = body.querySelector("img");
        const attribute = (name: string) => img?.getAttribute(name);
        return {
          elements: [...head.children, ...body.querySelectorAll("*")].map(({ localName }) => localName),
          text: body.textContent,
          names: img?.getAttributeNames(),
          texts: { alt: attribute("alt"), sizes: attribute("sizes"), class: attribute("class") },
          candidates: (attribute("srcset") ?? "").split(/\s/).length,
          properties: [...(img?.style ?? [])].filter((property) => !property.startsWith("background")),
        };
      }),
    markup,
  );
  // HTML itself knows no NUL and no carriage return.
  const inHtml = (text: string) => text.replaceAll("\0", "\ufffd").replaceAll(/\r\n?/g, "\n");
  const names = "loading decoding sizes srcset src width height alt class style".split(" ");
  for (const [i, { alt, sizes, class: className }] of cases.entries()) {
    assert.deepEqual(read[i], {
      elements: ["picture", "source", "img"],
      text: "",
      names,
      texts: { alt: inHtml(alt), sizes: inHtml(sizes), class: inHtml(className) },
      candidates: 2,
      properties: [],
    });
  }
});

test("this computer's clock may be an hour off", async () => {
  for (const hours of [-1, 1]) {
    await page.clock.setSystemTime(Date.now() + hours * 3_600_000);
    const { id = "" } = await uploadInPage(await base64(jpeg()));
    assert.notEqual(await status(id), 404);
  }
});

test("many files dropped at once go up, four at a time", async () => {
  let most = 0;
  let running = 0;
  page.on("request", (request) => {
    if (request.method() === "PUT") most = Math.max(most, ++running);
  });
  const end = (request: { method(): string }) => {
    if (request.method() === "PUT") running--;
  };
  page.on("requestfinished", end);
  page.on("requestfailed", end);
  const ids = await page.evaluate(async () => {
    const files = Array.from(
      { length: 60 },
      (_, i) => new File([`${i}`], `${i}.jpg`, { type: "image/jpeg" }),
    );
    const uploaded = await Promise.all(files.map((file) => darkroom.upload(file)));
    return uploaded.map(({ id }) => id);
  });
  assert.equal(new Set(ids).size, 60);
  assert.ok(most > 1 && most <= 4, `${most} at once`);
  assert.deepEqual(problems, []);
});

test("after a reload the files that had not arrived are there to go on with, and then no more", async () => {
  await page.evaluate(async () => {
    const file = new File(["not yet sent"], "a.jpg", { type: "image/jpeg" });
    await client.resumable(file, { preset: "avatar" });
  });
  await load(page);
  const after = await page.evaluate(async (settings) => {
    const darkroom = client.createDarkroom(settings);
    const [one] = await client.unfinished();
    if (!one) return undefined;
    const { name, size } = one.file as File;
    const { id } = await darkroom.upload(one.file, one.options);
    return { name, size, preset: one.options.preset, id, left: (await client.unfinished()).length };
  }, settingsOf(stack));
  assert.deepEqual(
    { ...after, id: after?.id.length },
    { name: "a.jpg", size: 12, preset: "avatar", id: 26, left: 0 },
  );
});

test("a kept file goes on in another tab that asks by its name, when its own is gone and not before", async () => {
  door.hold(500_000);
  const sending = page.waitForRequest((request) => request.method() === "PUT");
  // Nobody is left to hear how it ended.
  page
    .evaluate(async () => {
      const file = new File([new Uint8Array(15_000_000)], "big.jpg", { type: "image/jpeg" });
      await darkroom.upload(file, await client.resumable(file, { list: "photos" }));
    })
    .catch(() => {});
  const [, begun = ""] = /originals\/([0-9a-z]{26})/.exec((await sending).url()) ?? [];
  const other = await context.newPage();
  await load(other, page.url());
  const taken = other.evaluate(async (settings) => {
    let strangers = 0;
    await client.takeOver("somebody else's", () => strangers++);
    const { file, options } = await new Promise<Parameters<Parameters<typeof client.takeOver>[1]>[0]>(
      (told, failed) => client.takeOver("photos", told).catch(failed),
    );
    const { id } = await client.createDarkroom(settings).upload(file, options);
    return { id, strangers, left: (await client.unfinished()).length };
  }, settingsOf(stack));
  await other.waitForFunction(async () => (await navigator.locks.query()).pending?.length === 1);
  await page.close();
  door.cut();
  door.open();
  assert.deepEqual(await taken, { id: begun, strangers: 0, left: 0 });
  assert.notEqual(await status(begun), 404);
});
