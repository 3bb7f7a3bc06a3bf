/** What a browser hands over when something is dropped. */
import assert from "node:assert/strict";
import test from "node:test";
import { filesIn } from "../../web/incoming.ts";

const unreadable = (_: unknown, reject: (error: Error) => void) => reject(new Error("NotReadableError"));
const file = (name: string) => ({
  isFile: true,
  name,
  file: (resolve: (file: File) => void) => resolve(new File(["x"], name)),
});
function folder(name: string, inside: object[]) {
  return {
    isFile: false,
    name,
    createReader: () => ({
      readEntries: (resolve: (some: object[]) => void) => resolve(inside.splice(0, 2)),
    }),
  };
}

test("one file or folder that cannot be read does not take the others along", async () => {
  const locked = { isFile: true, name: "locked.jpg", file: unreadable };
  const closed = { isFile: false, name: "closed", createReader: () => ({ readEntries: unreadable }) };
  const entries = [file("a.jpg"), locked, closed, file(".hidden"), folder("inner", [file("b.jpg")])];
  const found = await filesIn(folder("holiday", entries) as unknown as FileSystemEntry);
  assert.deepEqual(
    found.map(({ name, size }) => [name, size]),
    [
      ["a.jpg", 1],
      ["locked.jpg", 0],
      ["closed", 0],
      ["b.jpg", 1],
    ],
  );
});
