import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import { unzip, zip } from "../../deploy/zip.ts";

interface ReadEntry {
  readonly fileName: string;
  readonly externalFileAttributes: number;
  getLastModDate(options: { timezone: "UTC" }): Date;
}
interface ZipFile {
  on(event: "entry", listener: (entry: ReadEntry) => void): void;
  on(event: "end" | "error", listener: (error?: Error) => void): void;
  openReadStream(entry: ReadEntry, then: (error: Error | null, stream: NodeJS.ReadableStream) => void): void;
  readEntry(): void;
}
/** Another reader than ours: the one the Serverless CLI brings along. */
const yauzl = createRequire(createRequire(import.meta.url).resolve("serverless/package.json"))("yauzl") as {
  fromBuffer(
    bytes: Buffer,
    options: { lazyEntries: true },
    then: (error: Error | null, file: ZipFile) => void,
  ): void;
};

const entries = new Map<string, Buffer>([
  ["index.mjs", Buffer.from("export const handler = 1;\n".repeat(1000))],
  ["node_modules/@img/größe.txt", Buffer.from("ü")],
  ["empty", Buffer.alloc(0)],
  ["random", Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i * 31) & 255))],
]);

test("another reader finds every entry, readable by all, at a fixed date", async () => {
  const read = new Map<string, Buffer>();
  await new Promise<void>((resolve, reject) => {
    yauzl.fromBuffer(zip(entries), { lazyEntries: true }, (error, file) => {
      if (error) return reject(error);
      file.on("error", reject);
      file.on("end", () => resolve());
      file.on("entry", (entry) => {
        assert.equal(entry.externalFileAttributes >>> 16, 0o100644);
        assert.equal(entry.getLastModDate({ timezone: "UTC" }).toISOString(), "1980-01-01T00:00:00.000Z");
        file.openReadStream(entry, async (failure, stream) => {
          if (failure) return reject(failure);
          const chunks: Uint8Array[] = [];
          for await (const chunk of stream) chunks.push(chunk as Uint8Array);
          read.set(entry.fileName, Buffer.concat(chunks));
          file.readEntry();
        });
      });
      file.readEntry();
    });
  });
  assert.deepEqual([...read.keys()], ["empty", "index.mjs", "node_modules/@img/größe.txt", "random"]);
  for (const [name, bytes] of entries) assert.deepEqual(read.get(name), bytes, name);
});

test("the same entries in another order give the same bytes", () => {
  assert.deepEqual(zip(new Map([...entries].reverse())), zip(entries));
});

test("our reader gives back what went in, and notices damage", () => {
  const bytes = zip(entries);
  assert.deepEqual(unzip(bytes), new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1))));
  const within = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(within) ^ 1, within);
  assert.throws(() => unzip(bytes), /damaged|invalid|unexpected/);
});
