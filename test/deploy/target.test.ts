import assert from "node:assert/strict";
import test from "node:test";
import { assertTarget } from "../../deploy/target.ts";

/** The header of an ELF file, with the name of the C library it is linked to. */
function elf(machine: number, libc: string, bits = 2): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits, 1]);
  header.writeUInt16LE(machine, 18);
  return Buffer.concat([header, Buffer.from(`\0${libc}\0`)]);
}
const [X64, ARM32, ARM64] = [62, 40, 183];
const NODE = "node_modules/@img/sharp-linux-arm64/lib/sharp-linux-arm64.node";
const good = new Map([
  ["index.mjs", Buffer.from("export {}")],
  [NODE, elf(ARM64, "libc.so.6")],
  ["node_modules/@img/sharp-libvips-linux-arm64/lib/libvips-cpp.so.8.18.7", elf(ARM64, "libc.so.6")],
]);

test("Linux, arm64 and glibc passes", () => {
  assertTarget(good, ["sharp"]);
  assertTarget(new Map([["index.mjs", Buffer.from("export {}")]]), []);
});

for (const [what, binary] of Object.entries({
  "x64 under the name of arm64": elf(X64, "libc.so.6"),
  "32-bit ARM": elf(ARM32, "libc.so.6", 1),
  musl: elf(ARM64, "libc.musl-aarch64.so.1"),
  "a macOS library": Buffer.from([0xcf, 0xfa, 0xed, 0xfe, 0, 0, 0, 0]),
  "an empty file": Buffer.alloc(0),
})) {
  test(`${what} is refused and named`, () => {
    assert.throws(
      () => assertTarget(new Map([...good, [NODE, binary]]), ["sharp"]),
      /not for Linux on arm64 .*arm64\.node/,
    );
  });
}

test("a binary is known by its bytes, whatever its name", () => {
  assert.throws(
    () => assertTarget(new Map([...good, ["node_modules/x/tool", elf(X64, "libc.so.6")]]), ["sharp"]),
    /tool/,
  );
});

test("a package of which no native code came along is noticed", () => {
  assert.throws(
    () => assertTarget(new Map([["index.mjs", Buffer.from("")]]), ["sharp"]),
    /sharp but no native code/,
  );
});
