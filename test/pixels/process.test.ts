/** The pixel process when all goes wrong: killed, too slow, taken over; and what it may and may not do. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import sharp from "sharp";
import { lastChild } from "../../bench/peak.ts";
import { DarkroomError } from "../../core/errors.ts";
import { type Header, type Plan, planOf, variantsOf } from "../../core/plan.ts";
import type { MadeVariant } from "../../core/ports.ts";
import { type PixelOptions, pixelProcess } from "../../pixels/process.ts";
import { developWith, lossless, presetOf } from "./develop-with.ts";

const tiny = await sharp({ create: { width: 20, height: 10, channels: 3, background: "#336699" } })
  .jpeg()
  .toBuffer();
const ladder = presetOf({ ladder: { widths: [5, 10, 20], formats: ["webp", "jpeg"] } });
const names = ["w10.jpeg", "w10.webp", "w20.jpeg", "w20.webp", "w5.jpeg", "w5.webp"];
const planFor = async (header: Header) => planOf(header, variantsOf(header, ladder));
const nameOf = ({ variant }: MadeVariant) => `${variant.name}.${variant.format}`;
const kill = () => process.kill(lastChild(), "SIGKILL");

/** A pixel process that ends with the test, and what it logged. */
function started(t: { after(end: () => Promise<void>): void }, options: PixelOptions = {}) {
  const logged: string[] = [];
  const pixels = pixelProcess({ ...options, log: (_, event) => logged.push(event) });
  t.after(() => pixels.close());
  return { pixels, logged };
}

test("killed before it decodes: once more in a fresh child, and nobody notices", async (t) => {
  const { pixels, logged } = started(t);
  let plans = 0;
  const written: string[] = [];
  const { header } = await pixels.develop(
    tiny,
    "jpeg",
    async (header) => {
      plans++;
      if (plans === 1) kill();
      return planFor(header);
    },
    async (made) => {
      written.push(nameOf(made));
    },
  );
  assert.deepEqual([header.width, plans], [20, 2]);
  assert.deepEqual(written.sort(), names);
  assert.deepEqual(logged, ["pixels.child-gone"]);
});

test("killed in the midst of encoding: every variant is there all the same", async (t) => {
  const { pixels } = started(t);
  const noise = await sharp({
    create: {
      width: 400,
      height: 400,
      channels: 3,
      background: "#000",
      noise: { type: "gaussian", mean: 128, sigma: 60 },
    },
  })
    .png()
    .toBuffer();
  const preset = presetOf({ ladder: { widths: [50, 100, 200, 400], formats: ["avif", "webp"] } });
  const written: string[] = [];
  let plans = 0;
  await pixels.develop(
    noise,
    "png",
    async (header) => {
      plans++;
      return planOf(header, variantsOf(header, preset));
    },
    async (made) => {
      // The first to come out arrives while others are still being made.
      if (written.push(nameOf(made)) === 1) kill();
    },
  );
  assert.equal(plans, 2);
  const second = written.slice(-8).sort();
  assert.deepEqual(second, [50, 100, 200, 400].flatMap((w) => [`w${w}.avif`, `w${w}.webp`]).sort());
});

test("killed twice: decoder-crashed, and its neighbours never notice", async (t) => {
  const { pixels, logged } = started(t);
  const good = () => developWith(pixels, tiny, "jpeg", ladder);
  const bad = pixels.develop(
    tiny,
    "jpeg",
    async (header) => {
      kill();
      return planFor(header);
    },
    async () => {},
  );
  const [before, crashed, after] = await Promise.allSettled([good(), bad, good()]);
  // `bad` was asked for first: a neighbour on either side in time.
  assert.equal(before?.status, "fulfilled");
  assert.equal(after?.status, "fulfilled");
  assert(crashed?.status === "rejected" && crashed.reason instanceof DarkroomError);
  assert.equal(crashed.reason.code, "decoder-crashed");
  assert.deepEqual(logged, ["pixels.child-gone"]);
});

test("too slow: killed at the limit, tried once more, then a verdict; the next image is fine", async (t) => {
  const { pixels } = started(t, { developSeconds: 1 });
  const children: number[] = [];
  const start = performance.now();
  const slow = pixels.develop(
    tiny,
    "jpeg",
    async (header) => {
      // An encoder that never comes back.
      children.push(lastChild());
      process.kill(lastChild(), "SIGSTOP");
      return planFor(header);
    },
    async () => {},
  );
  await assert.rejects(slow, { code: "timeout" });
  const took = performance.now() - start;
  assert(took >= 1990, `two tries of 1 s took ${took} ms`);
  assert.equal(new Set(children).size, 2, "a fresh child for the second try");
  const one = presetOf({ named: { a: { width: 5, format: "webp" } } });
  assert.equal((await developWith(pixels, tiny, "jpeg", one)).made.size, 1);
});

test("a header that takes too long is a timeout as well", async (t) => {
  const { pixels } = started(t, { headerSeconds: 0.001 });
  const heic = readFileSync(new URL("../images/heic/quarters.heic", import.meta.url));
  await assert.rejects(developWith(pixels, heic, "heic"), { code: "timeout" });
});

test("what the caller throws comes back as it was, and the child goes on", async (t) => {
  const { pixels } = started(t);
  await developWith(pixels, tiny, "jpeg");
  const pid = lastChild();
  const refused = new DarkroomError("too-many-pixels");
  await assert.rejects(
    pixels.develop(
      tiny,
      "jpeg",
      () => Promise.reject(refused),
      async () => {},
    ),
    (error) => error === refused,
  );
  assert.equal(lastChild(), pid, "an image refused by its header costs no child");
  await developWith(pixels, tiny, "jpeg");
  assert.equal(lastChild(), pid);

  const failed = new Error("the store answers 503");
  let writes = 0;
  await assert.rejects(
    pixels.develop(tiny, "jpeg", planFor, async () => {
      writes++;
      throw failed;
    }),
    (error) => error === failed,
  );
  assert(writes >= 1 && writes <= names.length, "not tried again");
  assert.deepEqual([...(await developWith(pixels, tiny, "jpeg", ladder)).made.keys()].sort(), names);
});

test("it ends when all writes have ended", async (t) => {
  const { pixels } = started(t);
  let open = 0;
  await pixels.develop(tiny, "jpeg", planFor, async () => {
    open++;
    // A slow store: the child has long said that it is done.
    await delay(200);
    open--;
  });
  assert.equal(open, 0);
});

test("one image at a time, in order", async (t) => {
  const { pixels } = started(t);
  const order: string[] = [];
  const one = (name: string) =>
    pixels
      .develop(
        tiny,
        "jpeg",
        async (header) => {
          order.push(`${name} starts`);
          return planFor(header);
        },
        async () => {},
      )
      .then(() => order.push(`${name} ends`));
  await Promise.all([one("a"), one("b"), one("c")]);
  assert.deepEqual(order, ["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
});

test("damaged files are rejected by name and cost no child", async (t) => {
  const { pixels, logged } = started(t);
  await developWith(pixels, tiny, "jpeg");
  const pid = lastChild();
  const png = await sharp(tiny).png().toBuffer();
  const broken = Buffer.from(png);
  broken.fill(0x55, broken.indexOf("IDAT") + 8, broken.indexOf("IDAT") + 12);
  await assert.rejects(developWith(pixels, tiny.subarray(0, tiny.length - 20), "jpeg"), {
    code: "truncated",
  });
  await assert.rejects(developWith(pixels, png.subarray(0, png.length - 30), "png"), { code: "truncated" });
  await assert.rejects(developWith(pixels, broken, "png"), { code: "corrupt" });
  await assert.rejects(developWith(pixels, Buffer.from("not a picture at all"), "jpeg"), { code: "corrupt" });
  assert.equal(lastChild(), pid);
  assert.deepEqual(logged, []);
});

test("what cannot be encoded twice is a verdict, not tried for ever", async (t) => {
  const { pixels, logged } = started(t);
  const made = pixels.develop(
    tiny,
    "jpeg",
    async (header) => {
      const plan = planOf(header, variantsOf(header, lossless));
      const impossible = { ...plan.steps[0]?.encodes[0], encode: { quality: 1000 } };
      return { ...plan, steps: plan.steps.map((step) => ({ ...step, encodes: [impossible] })) } as Plan;
    },
    async () => {},
  );
  await assert.rejects(made, { code: "not-encoded" });
  assert.equal(logged.length, 1, "once more, in a fresh child");
  assert.equal((await developWith(pixels, tiny, "jpeg")).made.size, 1);
});

test("a child that has grown too large is replaced, others are kept", async (t) => {
  const { pixels } = started(t);
  await developWith(pixels, tiny, "jpeg");
  const pid = lastChild();
  await developWith(pixels, tiny, "jpeg");
  assert.equal(lastChild(), pid);
  await pixels.close();

  const { pixels: strict, logged } = started(t, { maxRss: 1 });
  await developWith(strict, tiny, "jpeg");
  const first = lastChild();
  await developWith(strict, tiny, "jpeg");
  assert.notEqual(lastChild(), first);
  assert.deepEqual(logged, [], "that is no incident");
});

test("the child knows no secret and has few rights", async (t) => {
  process.env["AWS_SECRET_ACCESS_KEY"] = "a-secret-for-the-test";
  process.env["AWS_SESSION_TOKEN"] = "a-secret-for-the-test";
  process.env["JWT_SECRET"] = "a-secret-for-the-test";
  process.env["NODE_OPTIONS"] = "";
  const { pixels } = started(t);
  await developWith(pixels, tiny, "jpeg");
  const pid = lastChild();
  const environ = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
  assert(
    environ.some((line) => line.startsWith("PATH=")),
    "that is its environment",
  );
  const known = environ.map((line) => line.split("=")[0] ?? "");
  const allowed = ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "UV_THREADPOOL_SIZE"];
  assert.deepEqual(
    known.filter((name) => !allowed.includes(name) && !name.startsWith("MALLOC_")),
    [],
  );
  assert(!environ.join().includes("a-secret-for-the-test"));

  assert.equal(
    readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim(),
    "1000",
    "first to go when memory runs out",
  );

  // The same flags with a script that tries what the child must not do.
  const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  const entry = command.findIndex((part) => part.endsWith("child.ts"));
  const [node = "", ...flags] = command.slice(0, entry);
  const attempts = {
    write: 'require("node:fs").writeFileSync("/tmp/darkroom-must-not-be", "")',
    read: `require("node:fs").readFileSync(${JSON.stringify(new URL(import.meta.url).pathname)})`,
    passwd: 'require("node:fs").readFileSync("/etc/passwd")',
    spawn: 'require("node:child_process").execFileSync("true")',
    worker: 'new (require("node:worker_threads").Worker)("", { eval: true })',
  };
  for (const [what, code] of Object.entries(attempts)) {
    const script = `try { ${code}; console.log("done"); } catch (error) { console.log(error.code); }`;
    const said = execFileSync(node, [...flags, "--input-type=commonjs", "--eval", script], {
      encoding: "utf8",
    });
    assert.equal(said.trim(), "ERR_ACCESS_DENIED", what);
  }
});

test("closed it is gone, and stays closed", async (t) => {
  const { pixels } = started(t);
  await developWith(pixels, tiny, "jpeg");
  const pid = lastChild();
  await pixels.close();
  assert(!existsSync(`/proc/${pid}`));
  await assert.rejects(developWith(pixels, tiny, "jpeg", lossless), /closed/);
});

test("an idle child lets the worker end, and ends with it", async () => {
  const script = `
    import { pixelProcess } from ${JSON.stringify(new URL("../../pixels/process.ts", import.meta.url).href)};
    import { lastChild } from ${JSON.stringify(new URL("../../bench/peak.ts", import.meta.url).href)};
    const plan = { format: "jpeg", frames: 1, source: { width: 20, height: 10 }, base: { width: 20, height: 10 }, steps: [], placeholder: { from: -1, shape: { width: 20, height: 10 } } };
    const bytes = Buffer.from(${JSON.stringify(tiny.toString("base64"))}, "base64");
    await pixelProcess().develop(bytes, "jpeg", async () => plan, async () => {});
    console.log(lastChild());
  `;
  const worker = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  worker.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = await once(worker, "exit");
  assert.equal(code, 0, "nobody closed it");
  const pid = Number(said);
  assert(pid > 0);
  // Its socket was closed by the worker's end; nothing tells a stranger when it has gone but the list of processes.
  while (existsSync(`/proc/${pid}`) && !/State:\s+Z/.test(readFileSync(`/proc/${pid}/status`, "utf8")))
    await nextTurn();
});
