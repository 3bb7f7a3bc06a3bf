/**
 * `npm run chaos`: histories under faults, one after the other, on every core, until the seeds or the minutes are used
 * up. The same seed gives the same history, on any machine.
 */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { climates } from "./climates.ts";
import { crowd } from "./crowd.ts";
import { type FaultKind, faultKinds } from "./faults.ts";
import { World } from "./world.ts";

type ClimateName = keyof typeof climates | "crowd";
const NAMES = [...(Object.keys(climates) as (keyof typeof climates)[]), "crowd" as const];
const isClimate = (name: string): name is ClimateName => (NAMES as string[]).includes(name);

const HELP = `npm run chaos -- [options]

  --seeds N      histories of each climate (default 1000)
  --from N       the first seed (default 0)
  --minutes N    stop after so many minutes, whatever is left
  --climate A,B  ${NAMES.join(", ")} (default: busy,swept,rough,crowd)
  --lanes N      histories at a time (default: the cores)
  --kill N       instead: kill -9 the local stack N times, during twenty times as many uploads
  --keep-going   look at all seeds, and list those that broke a promise
  --help         this

Exit code 1 where a promise was broken: the seed that it says repeats it.
`;

interface Task {
  readonly climate: ClimateName;
  readonly seed: number;
}
interface Result extends Task {
  readonly error?: string;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly refused: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly statuses: readonly string[];
}

async function live({ climate, seed }: Task): Promise<Result> {
  const nothing = { faults: new Map<FaultKind, number>(), refused: 0, steps: 0, virtualMs: 0, statuses: [] };
  try {
    const history = climate === "crowd" ? crowd(seed) : new World(seed, { climate }).run();
    const { faults, refused, steps, virtualMs, statuses } = await history;
    return { climate, seed, faults, refused, steps, virtualMs, statuses };
  } catch (error) {
    return {
      climate,
      seed,
      ...nothing,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

interface Options {
  readonly names: readonly ClimateName[];
  readonly seeds: number;
  readonly from: number;
  readonly minutes: number;
  readonly lanes: number;
  readonly keepGoing: boolean;
  /** Instead of all that. */
  readonly kill: number;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "0" },
      minutes: { type: "string", default: "Infinity" },
      climate: { type: "string", default: "busy,swept,rough,crowd" },
      lanes: { type: "string", default: String(availableParallelism()) },
      kill: { type: "string", default: "0" },
      "keep-going": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const names = values.climate.split(",").filter(isClimate);
  const numberOf = (text: string) => {
    if (!Number.isNaN(Number(text))) return Number(text);
    throw new Error(`${text} is no number. --help lists the options.`);
  };
  if (names.length !== values.climate.split(",").length)
    throw new Error("There is no such climate. --help lists the options.");
  return {
    names,
    seeds: numberOf(values.seeds),
    from: numberOf(values.from),
    minutes: numberOf(values.minutes),
    lanes: Math.max(1, numberOf(values.lanes)),
    keepGoing: values["keep-going"],
    kill: numberOf(values.kill),
  };
}

class Sum {
  readonly faults = new Map<FaultKind, number>();
  readonly statuses = new Map<string, number>();
  readonly broken: Result[] = [];
  histories = 0;
  steps = 0;
  refused = 0;
  virtualMs = 0;

  add(result: Result): void {
    this.histories++;
    this.steps += result.steps;
    this.refused += result.refused;
    this.virtualMs += result.virtualMs;
    for (const [kind, count] of result.faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    for (const status of result.statuses) this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (result.error === undefined) return;
    this.broken.push(result);
    console.log(`\n${result.climate} ${result.seed}: ${result.error}`);
  }

  get total(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0);
  }

  print(seconds: number): void {
    const figure = (n: number) => n.toLocaleString("en");
    for (const kind of Object.keys(faultKinds) as FaultKind[])
      console.log(`${figure(this.faults.get(kind) ?? 0).padStart(12)}  ${kind}`);
    console.log(`${figure(this.total).padStart(12)}  faults injected`);
    const ends = [...this.statuses].map(([status, count]) => `${figure(count)} ${status}`).join(", ");
    const years = (this.virtualMs / (365 * 86_400_000)).toFixed(1);
    console.log(
      `\n${figure(this.histories)} histories, ${figure(this.steps)} steps, ${years} years of virtual time, ${ends};`,
      `${figure(this.refused)} calls refused by outages`,
    );
    console.log(
      `${figure(Math.round(seconds))} s, ${figure(Math.round(this.total / seconds))} faults a second`,
    );
    console.log(`${this.broken.length} broken promises`);
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) {
    console.log(HELP);
    return;
  }
  if (options.kill > 0) return kill(options);
  await simulate(options);
}

async function kill({ kill: kills, from: seed }: Options): Promise<void> {
  // The SDK, for none of the threads.
  const { killStack } = await import("../kill-stack.ts");
  const uploads = kills * 20;
  const { statuses, lost } = await killStack({ uploads, kills, seed, progress: console.error });
  const ends = [...statuses].map(([status, count]) => `${count} ${status}`).join(", ");
  console.log(`${uploads} uploads, ${kills} times kill -9: ${ends}; ${lost} lost`);
  process.exitCode = lost > 0 || [...statuses.keys()].some((status) => status !== "ready") ? 1 : 0;
}

async function simulate(options: Options): Promise<void> {
  const sum = new Sum();
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const workers = Array.from({ length: options.lanes }, (_, lane) => {
    return new Worker(new URL(import.meta.url), { workerData: { ...options, lane } });
  });
  const stop = () => Promise.all(workers.map((worker) => worker.terminate()));
  const tooLate = setTimeout(() => void stop(), Math.min(options.minutes * 60_000, 2 ** 31 - 1));
  const progress = setInterval(() => {
    const { histories, total, broken } = sum;
    console.error(
      `${Math.round(seconds())} s: ${histories} histories, ${total} faults, ${broken.length} broken promises`,
    );
  }, 10_000);
  const ended = workers.map((worker) => {
    worker.on("message", (result: Result) => {
      sum.add(result);
      if (result.error !== undefined && !options.keepGoing) void stop();
    });
    return once(worker, "exit");
  });
  await Promise.all(ended);
  clearInterval(progress);
  clearTimeout(tooLate);
  sum.print(seconds());
  process.exitCode = sum.broken.length > 0 ? 1 : 0;
}

/** Every so many seeds, in a thread of its own. */
async function lane({ names, seeds, from, lanes, lane }: Options & { lane: number }): Promise<void> {
  for (let seed = from + lane; seed < from + seeds; seed += lanes)
    for (const climate of names) parentPort?.postMessage(await live({ climate, seed }));
}

if (isMainThread) await main();
else await lane(workerData);
