/** Who acts in a history. Whatever a user, an operator, the schedule or the weather may do is a row. */
import type { Accidents } from "./accidents.ts";
import type { Climate } from "./climates.ts";
import { editor } from "./editors.ts";
import { form } from "./forms.ts";
import { hoarder } from "./hoarder.ts";
import { importer } from "./imports.ts";
import type { Lambda } from "./lambda.ts";
import { leaveLegacy } from "./legacy.ts";
import { moderated } from "./moderated.ts";
import { greedy } from "./parts.ts";
import { backOffice, browser, clearing, closeAccount, operator, redrive, viewer } from "./people.ts";
import { discreet } from "./private.ts";
import type { Random } from "./random.ts";
import { DAY, HOUR, MINUTE, type Scene } from "./scene.ts";
import type { Actor } from "./scheduler.ts";
import { undoing } from "./undoing.ts";

/** What they act on. */
export interface Stage {
  readonly scene: Scene;
  readonly lambda: Lambda;
  readonly accidents: Accidents;
}

interface Role {
  readonly act: (stage: Stage, actor: Actor) => Promise<void>;
  /** Of being there at all; always where absent. */
  readonly chance?: number;
  /** Climates that have it; all where absent. */
  readonly in?: (climate: Climate) => boolean;
  /** How many there are of it; one where absent. */
  readonly count?: (random: Random) => number;
}

const person =
  (act: (scene: Scene, actor: Actor) => Promise<void>): Role["act"] =>
  ({ scene }, actor) =>
    act(scene, actor);
const [rough, swept] = [({ rough }: Climate) => rough, ({ swept }: Climate) => swept];
const unswept = (climate: Climate) => !swept(climate);

export const cast: readonly Role[] = [
  { act: person(leaveLegacy), chance: 0.4, in: rough },
  { act: person(browser), count: (random) => 2 + random.below(3) },
  { act: person(operator), chance: 0.5 },
  { act: person(greedy), chance: 0.2 },
  { act: person(form), chance: 0.4, in: swept },
  { act: person(moderated), chance: 0.5 },
  { act: person(discreet), chance: 0.3, count: (random) => 1 + random.below(2) },
  { act: person(hoarder), chance: 0.1, in: ({ swept }) => !swept },
  { act: person(editor), chance: 0.5, count: (random) => 1 + random.below(2) },
  { act: async ({ scene }) => scene.receivers.sulk(), chance: 0.3, in: ({ expects }) => expects.telling },
  { act: person(redrive), chance: 0.3 },
  // A job whose messages wait for weeks loses them, and somebody resumes it: that is not what a sweep mends.
  { act: person(backOffice), chance: 0.4, in: unswept },
  { act: person(clearing), chance: 0.2, in: unswept },
  { act: person(importer), chance: 0.3, in: unswept },
  { act: person(undoing), in: unswept },
  { act: schedule, in: unswept },
  { act: time, chance: 0.7, in: swept },
  { act: fickle, chance: 0.4, in: swept },
  { act: roughen, in: rough },
  { act: person(viewer), chance: 0.5, in: rough },
  { act: person(closeAccount), chance: 0.2, in: rough },
];

/** Without sweeps, what goes on with jobs. */
async function schedule({ scene, lambda }: Stage, actor: Actor): Promise<void> {
  const { random, scheduler } = scene;
  for (let times = random.below(4); times > 0; times--) {
    await scheduler.sleep(actor, random.below(5 * MINUTE));
    lambda.pages();
  }
}

/** Starts the sweep now and then, and lets hours or weeks go by. */
async function time({ scene, lambda }: Stage, actor: Actor): Promise<void> {
  const { random, scheduler, laptop, climate } = scene;
  for (let times = 1 + random.below(8); times > 0; times--) {
    for (let i = random.below(40); i > 0; i--) await scheduler.turn(actor);
    const long = laptop ? [3 * DAY] : [2 * DAY, 16 * DAY, 40 * DAY];
    // Rough days pass by themselves, and no message waits for four of them.
    const pauses = [HOUR, ...(climate.rough ? [6 * HOUR] : long)];
    if (random.chance(0.5)) scene.pass(pauses[random.below(pauses.length)] ?? 0);
    if (!laptop || lambda.sweeps === 0) lambda.sweep(random.chance(0.7));
  }
}

/** Goes back to the recipe of before just when the sweep is about to remove what that one had made. */
async function fickle({ scene, lambda }: Stage, actor: Actor): Promise<void> {
  const { random, scheduler, promises, images, laptop, climate, patience } = scene;
  const turns = async (count: number) => {
    for (let i = count; i > 0; i--) await scheduler.turn(actor);
  };
  const change = (to: 0 | 1) => {
    scene.config = scene.configs[to];
    for (const id of promises.accepted.keys()) images.add(JSON.stringify({ darkroom: "develop", id }));
  };
  await turns(random.below(100));
  for (let times = 3; times > 0; times--) {
    change(1);
    await turns(100);
    if (patience.superseded > 0 && !laptop && !climate.rough) scene.pass(40 * DAY);
    change(0);
    await turns(random.below(15));
    if (!laptop || lambda.sweeps === 0) lambda.sweep(true);
    await turns(100);
  }
}

/** Outages, accidents and receivers that sulk, over some days. */
async function roughen({ scene, accidents }: Stage, actor: Actor): Promise<void> {
  const { random, scheduler, climate, weather, receivers } = scene;
  const { evidence, patience } = climate.expects;
  for (let times = 1 + random.below(4); times > 0; times--) {
    await scheduler.sleep(actor, random.below(random.chance(0.5) ? HOUR : DAY));
    if (patience && random.chance(0.6)) weather.strike(random);
    if (random.chance(0.3)) receivers.sulk();
    if (evidence && random.chance(0.3)) await accidents.happen(actor);
  }
}
