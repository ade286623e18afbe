/**
 * The faults of one simulation, from its seed: bad weather on the bus, nodes cut off, disks that
 * fail or stall, kills and power cuts, at random instants, at named points of the work of a disk,
 * and in the middle of the next start.
 */
import type { Prng } from '#shared/prng.ts';
import { MEMORY_OPERATIONS, type MemoryOperation, type WriteOutcome } from '#server/journal/disk/memory-writes.ts';
import { CALM_WEATHER, type BusWeather } from './simulated-bus.ts';
import { RESTART_US } from './simulated-node.ts';
import type { Scene } from './simulated-world.ts';

const FAILURES: readonly WriteOutcome[] = ['fail', 'write-then-fail', 'write-unsynced', 'write-unsynced'];
/** What a start takes, about. */
const START_US = 40_000;
/** Longer than an offer may be accepted. */
const LONG_US = 20_000_000;

/** Faults of each kind come to each node, from one to the next within `periodUs` at most; some kinds four times as seldom. */
export function startFaults({ world, phase, prng }: Scene, periodUs: number): void {
  const { bus, nodes, scheduler } = world;
  bus.weather(weatherFrom(prng.fork('weather')));
  for (const node of nodes) {
    void scheduler.repeat(phase, prng.fork(`crashes of ${node.name}`), periodUs, async (own) => {
      const end = own.pick(['crash', 'crash', 'kill', 'kill', 'stop'] as const);
      node[end]();
      await scheduler.pause(own.integer(0, pauseUs(own, periodUs)));
      node.start();
    });
    void scheduler.repeat(phase, prng.fork(`cuts of ${node.name}`), periodUs * 4, async (own) => {
      bus.cutOff(node.name);
      await scheduler.pause(own.integer(0, pauseUs(own, periodUs)));
      bus.mend(node.name);
    });
    // Now and then the disk is behind, and turns have to wait for it.
    void scheduler.repeat(phase, prng.fork(`stalls of ${node.name}`), periodUs * 4, (own) =>
      node.stall(own.integer(0, pauseUs(own, periodUs) / 4)),
    );
    // The next life begins from what a failure has left, and the power fails before it has come far.
    const powerCutAtStart = async (own: Prng): Promise<void> => {
      await scheduler.pause(RESTART_US + own.integer(0, START_US));
      if (phase.isOver) return;
      node.crash();
      await scheduler.pause(own.integer(0, RESTART_US));
      node.start();
    };
    // Now and then one call of the disk fails, before or after it has written: the process ends at that very point.
    void scheduler.repeat(phase, prng.fork(`disk of ${node.name}`), periodUs, (own) => {
      let armed: MemoryOperation | undefined = own.pick(MEMORY_OPERATIONS);
      node.disk.inject((operation): WriteOutcome => {
        if (operation !== armed) return 'work';
        armed = undefined;
        const outcome = own.pick(FAILURES);
        if (own.chance(0.3)) void powerCutAtStart(own);
        return outcome;
      });
    });
  }
}

/** Most faults are short; some last longer than anybody waits. */
function pauseUs(prng: Prng, periodUs: number): number {
  return prng.chance(Math.min(0.1, periodUs / LONG_US)) ? LONG_US : periodUs / 2;
}

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
