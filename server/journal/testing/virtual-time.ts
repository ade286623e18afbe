/**
 * A machine on a virtual clock, for tests: nothing happens until it is told to run the next timer.
 */
import { instant, type Instant } from '#shared/units.ts';
import type { Cancel, ReportedEvent } from '#server/platform/platform.ts';
import type { PersisterMachine } from '../persister/open-persister.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves from timer to timer. */
export class VirtualTime implements PersisterMachine {
  readonly events: ReportedEvent[] = [];
  readonly readings = { wall: (): Instant => instant(this.#now), monotonicMs: (): number => this.#now };
  readonly timers = {
    after: (ms: number, run: () => void): Cancel => this.#add(ms, run),
    defer: (run: () => void): void => void this.#add(0, run),
  };
  #now = 1_700_000_000_000;
  #order = 0;
  #timers: Timer[] = [];

  report(event: ReportedEvent): void {
    this.events.push(event);
  }

  /**
   * Runs the next timer, at its time, and everything that follows from it at once. Returns whether
   * there was one.
   */
  async step(): Promise<boolean> {
    const next = this.#timers.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
    if (next === undefined) return false;
    this.#timers = this.#timers.filter((timer) => timer !== next);
    this.#now = Math.max(this.#now, next.at);
    next.run();
    await settled();
    return true;
  }

  /** Runs timers until the promise has settled, and gives what it gave. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const state = { isSettled: false };
    const watch = (): boolean => (state.isSettled = true);
    promise.then(watch, watch);
    await settled();
    while (!state.isSettled) if (!(await this.step())) throw new Error('nothing is left that could settle it');
    return promise;
  }

  /** Forgets all timers: the process is gone. */
  clear(): void {
    this.#timers = [];
  }

  #add(ms: number, run: () => void): Cancel {
    const timer: Timer = { at: this.#now + ms, order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
}

/** Lets all promises that can go on do so. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
