/** AssemblyScript as a module of base64, which loads wherever the code does: in a bundle, in a package, under Node's permissions. */
import { existsSync, readFileSync } from "node:fs";
import asc from "assemblyscript/asc";

/** Memory in pages of 64 kB: its planes and two mosaics of 24 tiles (or one of 32), each of four channels. */
const PAGES = 15;
const FLAGS = `losses.ts -o losses.wasm -O3 --enable simd --runtime stub --noAssert --use abort= --initialMemory ${PAGES} --maximumMemory ${PAGES}`;

/** The text of `pixels/losses.wasm.ts`. @throws Error with the compiler's messages */
export async function lossesModule(): Promise<string> {
  const source = new URL("../pixels/assembly/", import.meta.url);
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main(FLAGS.split(" "), {
    readFile: (name) =>
      existsSync(new URL(name, source)) ? readFileSync(new URL(name, source), "utf8") : null,
    writeFile: (_, contents) => {
      wasm = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !wasm) throw new Error(`AssemblyScript: ${stderr.toString()}`, { cause: error });
  return `/** \`assembly/losses.ts\`, compiled by \`npm run generate\`. */\nexport default "${Buffer.from(wasm).toString("base64")}";\n`;
}
