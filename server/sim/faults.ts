/**
 * The faults of one simulation, from its seed: bad weather on the bus, nodes cut off, disks that fail or stall, kills and power cuts, at
 * random instants, at named points of the work of a disk, and in the middle of the next start.
 */
import type { Prng } from '#shared/prng.ts';
import type { MemoryOperation, WriteOutcome } from '#server/journal/disk/memory-writes.ts';
import { CALM_WEATHER, type BusWeather } from './simulated-bus.ts';
import { RESTART_US, type SimulatedNode } from './simulated-node.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** What faults need of the simulation. */
export interface FaultSetup {
  readonly world: SimulatedWorld;
  readonly prng: Prng;
  /** From one fault of a kind to the next at each node, at most. */
  readonly periodUs: number;
}

const OPERATIONS: readonly MemoryOperation[] = [
  'commit',
  'lease',
  'image-versions',
  'drop',
  'stage',
  'sync',
  'mark',
  'publish',
  'sync-directories',
  'apply',
  'upkeep',
  'settle',
];
const FAILURES: readonly WriteOutcome[] = ['fail', 'write-then-fail', 'write-unsynced', 'write-unsynced'];

/** Nothing happens before `start`, and nothing new after `stop`. */
export class Faults {
  readonly #setup: FaultSetup;
  #isOver = false;

  constructor(setup: FaultSetup) {
    this.#setup = setup;
  }

  start(): void {
    const { world, prng } = this.#setup;
    const { bus, nodes } = world;
    bus.weather(weatherFrom(prng.fork('weather')));
    for (const node of nodes) {
      void this.#crashes(node, prng.fork(`crashes of ${node.name}`));
      void this.#cuts(node, prng.fork(`cuts of ${node.name}`));
      void this.#diskFaults(node, prng.fork(`disk of ${node.name}`));
      void this.#stalls(node, prng.fork(`stalls of ${node.name}`));
    }
  }

  /** The storm is over: everything works from now on, and whoever is down comes back. */
  stop(): void {
    this.#isOver = true;
    const { bus, nodes } = this.#setup.world;
    bus.weather(CALM_WEATHER);
    for (const node of nodes) {
      bus.mend(node.name);
      node.disk.inject(() => 'work');
      node.start();
    }
  }

  async #crashes(node: SimulatedNode, prng: Prng): Promise<void> {
    const { world, periodUs } = this.#setup;
    const { scheduler } = world;
    for (;;) {
      await scheduler.pause(prng.integer(0, periodUs));
      if (this.#isOver) return;
      const end = prng.pick(['crash', 'crash', 'kill', 'kill', 'stop'] as const);
      node[end]();
      await scheduler.pause(prng.integer(0, pauseUs(prng, periodUs)));
      node.start();
    }
  }

  async #cuts(node: SimulatedNode, prng: Prng): Promise<void> {
    const { world, periodUs } = this.#setup;
    const { scheduler, bus } = world;
    for (;;) {
      await scheduler.pause(prng.integer(0, periodUs * 4));
      if (this.#isOver) return;
      bus.cutOff(node.name);
      await scheduler.pause(prng.integer(0, pauseUs(prng, periodUs)));
      bus.mend(node.name);
    }
  }

  /** Now and then the disk is behind, and turns have to wait for it. */
  async #stalls(node: SimulatedNode, prng: Prng): Promise<void> {
    const { world, periodUs } = this.#setup;
    for (;;) {
      await world.scheduler.pause(prng.integer(0, periodUs * 4));
      if (this.#isOver) return;
      node.stall(prng.integer(0, pauseUs(prng, periodUs) / 4));
    }
  }

  /** Now and then one call of the disk fails, before or after it has written: the process ends at that very point. */
  async #diskFaults(node: SimulatedNode, prng: Prng): Promise<void> {
    const { world, periodUs } = this.#setup;
    const { scheduler } = world;
    for (;;) {
      await scheduler.pause(prng.integer(0, periodUs));
      if (this.#isOver) return;
      let armed: MemoryOperation | undefined = prng.pick(OPERATIONS);
      node.disk.inject((operation): WriteOutcome => {
        if (operation !== armed) return 'work';
        armed = undefined;
        const outcome = prng.pick(FAILURES);
        if (prng.chance(0.3)) void this.#powerCutAtStart(node, prng);
        return outcome;
      });
    }
  }

  /** The next life begins from what the failure has left, and the power fails before it has come far. */
  async #powerCutAtStart(node: SimulatedNode, prng: Prng): Promise<void> {
    const { scheduler } = this.#setup.world;
    await scheduler.pause(RESTART_US + prng.integer(0, START_US));
    if (this.#isOver) return;
    node.crash();
    await scheduler.pause(prng.integer(0, RESTART_US));
    node.start();
  }
}

/** Most faults are short; some last longer than anybody waits. */
function pauseUs(prng: Prng, periodUs: number): number {
  return prng.chance(Math.min(0.1, periodUs / LONG_US)) ? LONG_US : periodUs / 2;
}

/** What a start takes, about. */
const START_US = 40_000;
/** Longer than an offer may be accepted. */
const LONG_US = 20_000_000;

function weatherFrom(prng: Prng): BusWeather {
  if (prng.chance(0.2)) return CALM_WEATHER;
  return {
    lossShare: prng.chance(0.7) ? prng.next() * 0.15 : 0,
    doubleShare: prng.chance(0.7) ? prng.next() * 0.4 : 0,
    delayUsMin: prng.integer(20, 400),
    delayUsMax: prng.integer(400, prng.chance(0.3) ? 400_000 : 5_000),
    strayShare: prng.chance(0.5) ? prng.next() * 0.15 : 0,
    strayDelayUsMax: prng.pick([1_000_000, 15_000_000, 60_000_000]),
  };
}
