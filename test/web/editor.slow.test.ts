/** The editor of the page in a real Chromium: with the mouse, with the keyboard alone, and undone. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import type { Page } from "playwright-core";
import { card, choose, jpeg, openPage, ready, running, violations } from "./page.ts";

const its = running();

/** Of the picture in the editor, once it is as wide by as high. */
const showsAspect = (page: Page, width: number, height: number) =>
  page.waitForFunction(
    ([width = 1, height = 1]) => {
      const img = document.querySelector<HTMLImageElement>(".stage img");
      return img?.complete && Math.abs(img.naturalWidth / img.naturalHeight - width / height) < 0.02;
    },
    [width, height],
  );

test("a picture is turned, cropped, given a focus and words, by mouse and by keyboard, and is as it was again", async () => {
  const { page, problems, close } = await openPage(its);
  await choose(page, await jpeg("boat.jpg", { width: 700, height: 500 }));
  await ready(page, "boat.jpg");
  await card(page, "boat.jpg").getByRole("button", { name: "Show boat.jpg large" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  assert.deepEqual(await violations(page), []);
  if (process.env["SCREENSHOTS"]) await page.screenshot({ path: `${process.env["SCREENSHOTS"]}/editor.png` });
  await page.getByRole("button", { name: "Turn right" }).click();
  await showsAspect(page, 500, 700);

  // By the keyboard alone: half of its height off, the focus to the left, words, and Enter on Save.
  await page.getByRole("slider", { name: "Off the bottom" }).focus();
  for (let steps = 0; steps < 40; steps++) await page.keyboard.press("ArrowRight");
  await page.getByRole("slider", { name: "From the left" }).focus();
  await page.keyboard.press("Home");
  await page.getByRole("textbox", { name: /What it shows/ }).fill("A red boat");
  await page.getByRole("button", { name: "Save" }).focus();
  await page.keyboard.press("Enter");
  await showsAspect(page, 500, 420);

  // By the mouse: the dot is dragged to the right.
  const box = await page.locator(".stage").boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 0.2 * box.width, box.y + 0.5 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.9 * box.width, box.y + 0.5 * box.height, { steps: 5 });
  await page.mouse.up();
  const slider = await page.getByRole("slider", { name: "From the left" }).elementHandle();
  await page.waitForFunction((input) => (input as HTMLInputElement | null)?.value === "90", slider);
  if (process.env["SCREENSHOTS"]) await page.screenshot({ path: `${process.env["SCREENSHOTS"]}/edited.png` });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Save" }).waitFor();

  await page.getByRole("button", { name: "As it was uploaded" }).click();
  await showsAspect(page, 700, 500);
  await page.getByRole("button", { name: "Close" }).click();
  await card(page, "boat.jpg").getByText("“A red boat”").waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("darkroom edit does the same in a terminal, and says what is wrong", async () => {
  const headers = { authorization: `Bearer ${its.stack.uploadToken}` };
  const get = async (path: string) => (await fetch(its.stack.api + path, { headers })).json();
  const { images } = (await get("/images")) as { images: { id: string; edit: { rev: number } }[] };
  const { id = "", edit = { rev: 0 } } = images[0] ?? {};
  const run = (...args: string[]) =>
    new Promise<{ status: number; text: string }>((resolve) => {
      const env = { ...process.env, DARKROOM_DATA: its.data, NO_COLOR: "1" };
      execFile(process.execPath, ["cli/darkroom.ts", "edit", ...args], { env }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, text: stdout + stderr }),
      );
    });
  const { text } = await run(
    id,
    "--turn",
    "90",
    "--crop",
    "0,0,1,0.5",
    "--focus",
    "0.5,0.25",
    "--alt",
    "A blue boat",
  );
  assert.equal(text, `${id} shows edit ${edit.rev + 1}.\n`);
  const crop = { x: 0, y: 0, width: 1, height: 0.5 };
  const shown = (await get(`/images/${id}`)) as { edit: unknown; alt: string };
  assert.partialDeepStrictEqual(shown, {
    alt: "A blue boat",
    edit: { turn: 90, crop, focus: { x: 0.5, y: 0.25 } },
  });
  for (const [args, says] of [
    [[id], /Nothing to change/],
    [[id, "--crop", "0,0,1"], /4 numbers from 0 to 1/],
    [[id, "--turn", "45"], /90/],
    [[id, "--turn", "0", "--rev", "0"], /Somebody has changed/],
    [[id, "--crop", "0.6,0,0.5,1"], /crop: a rectangle/],
  ] as const) {
    const refused = await run(...args);
    assert.notEqual(refused.status, 0);
    assert.match(refused.text, says);
  }
});
