/**
 * The wall clocks of one simulation, drawn from all that a start bears. Nodes whose times are far
 * apart make no progress with each other (offers are late, commands are turned away), so one
 * simulation has clocks of one kind:
 *
 * - `near`: as of machines that keep their time.
 * - `wild`: each life of a node may be off by a minute, in either direction, and somebody sets its
 *   clock now and then while it runs.
 * - `leap`: near each other, and once the power of the whole place fails, and all clocks are far
 *   ahead afterwards.
 *
 * When the storm is over they are near each other: nodes come to agree on the time again, once the
 * slower ones have caught up.
 */
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import type { Phase } from './scheduler.ts';
import type { WallOffset } from './simulated-node.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** With what a restart adds (`limits.timeLeaseMs`), two of them differ by no more than peers bear. */
const NEAR_MS = 200;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A start bears more by as much: the node may have been down before. */
const SPARE_MS = 10 * MINUTE_MS;
/** When the clocks leap, about: in the middle of most storms. */
const LEAP_US = { min: 2_000_000, max: 60_000_000 } as const;
const POWER_CUT_US_MAX = 15_000_000;
/** Between two settings of one clock, at most. */
const SETTING_US_MAX = 40_000_000;

export class WallClocks {
  readonly #kind: 'near' | 'wild' | 'leap';
  readonly #prng: Prng;
  readonly #storm: Phase;
  /** All clocks are ahead of the virtual time by as much. */
  #aheadMs = 0;

  constructor(prng: Prng, storm: Phase) {
    this.#prng = prng;
    this.#storm = storm;
    this.#kind = prng.pick(['near', 'near', 'wild', 'leap']);
  }

  /** Draws how far each life of one node is off. */
  ofNode(prng: Prng): WallOffset {
    return (lastOffsetMs = Number.NEGATIVE_INFINITY) => {
      const isWild = this.#kind === 'wild' && !this.#storm.isOver;
      return Math.max(this.#aheadMs + offsetFrom(prng, isWild), lastOffsetMs - limits.clockBehindMaxMs);
    };
  }

  /** Has happen to the clocks what is of their kind. */
  start(world: SimulatedWorld): void {
    if (this.#kind === 'leap') void this.#leap(world);
    if (this.#kind !== 'wild') return;
    for (const node of world.nodes) {
      void world.scheduler.repeat(this.#storm, this.#prng.fork(node.name), SETTING_US_MAX, (prng) => {
        const offMs = offsetFrom(prng, true);
        world.trace.add('clocks', node.name, 'set', offMs);
        node.setWall(offMs);
      });
    }
  }

  async #leap({ scheduler, nodes, trace }: SimulatedWorld): Promise<void> {
    await scheduler.pause(this.#prng.integer(LEAP_US.min, LEAP_US.max));
    if (this.#storm.isOver) return;
    for (const node of nodes) node.crash();
    this.#aheadMs = this.#prng.chance(0.2)
      ? this.#prng.integer(24 * HOUR_MS, limits.clockAheadMaxMs - SPARE_MS)
      : this.#prng.integer(MINUTE_MS, 24 * HOUR_MS);
    trace.add('clocks', 'leap', this.#aheadMs);
    await scheduler.pause(this.#prng.integer(0, POWER_CUT_US_MAX));
    for (const node of nodes) node.start();
  }
}

function offsetFrom(prng: Prng, isWild: boolean): number {
  return isWild && prng.chance(0.5) ? prng.integer(-MINUTE_MS, MINUTE_MS) : prng.integer(-NEAR_MS, NEAR_MS);
}
