/**
 * The scheduler of the simulator: the one queue of everything that happens, in virtual time.
 *
 * 1. One event runs at a time, and every promise that it settles is followed to its end before the
 *    next one starts.
 * 2. Events run in the order of their time; those of the same microsecond in the order in which
 *    they were asked for.
 * 3. Nothing here knows the real clock: the same requests give the same order, on every machine.
 */
import type { Prng } from '#shared/prng.ts';

/** Takes an event back; does nothing if it has run. */
export type CancelEvent = () => void;

interface Event {
  readonly atUs: number;
  run: (() => void) | undefined;
}

/** A part of a simulation, such as the storm: what is repeated in it ends with it. */
export interface Phase {
  isOver: boolean;
}

/** Resolves when no promise reaction is left to run: ticks come after the whole queue of microtasks. */
export function promisesSettled(): Promise<void> {
  // oxlint-disable-next-line no-restricted-globals -- The only way to see the end of the microtask queue without real time passing.
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Times are microseconds of virtual time since the start of the simulation. */
export class Scheduler {
  /** In the order in which they run, the next one last: taking it moves none of the others. */
  readonly #queue: Event[] = [];
  #nowUs = 0;
  #count = 0;

  /** The virtual time. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Events that have run. */
  get count(): number {
    return this.#count;
  }

  /** Runs once, after that much virtual time; never before the caller has returned. */
  after(delayUs: number, run: () => void): CancelEvent {
    const event: Event = { atUs: this.#nowUs + Math.max(0, Math.floor(delayUs)), run };
    this.#queue.splice(this.#placeOf(event.atUs), 0, event);
    return () => {
      event.run = undefined;
    };
  }

  /** Resolves after that much virtual time. */
  pause(delayUs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayUs, resolve));
  }

  /** Acts again and again, each time after a pause of up to that long, until the phase is over. */
  async repeat(phase: Phase, prng: Prng, pauseUsMax: number, act: (prng: Prng) => void | Promise<void>): Promise<void> {
    for (;;) {
      await this.pause(prng.integer(0, pauseUsMax));
      if (phase.isOver) return;
      await act(prng);
    }
  }

  /** Runs events until the condition holds, none is left, or the time is over. Returns whether the condition holds. */
  async runUntil(isDone: () => boolean, untilUs: number): Promise<boolean> {
    await promisesSettled();
    while (!isDone()) {
      const event = this.#queue.at(-1);
      if (event === undefined || event.atUs > untilUs) {
        this.#nowUs = Math.max(this.#nowUs, untilUs);
        return isDone();
      }
      this.#queue.pop();
      const { run } = event;
      if (run === undefined) continue;
      this.#nowUs = event.atUs;
      this.#count++;
      run();
      await promisesSettled();
    }
    return true;
  }

  /** Where an event of that time belongs: it runs after all that are there of the same time. */
  #placeOf(atUs: number): number {
    let [low, high] = [0, this.#queue.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#queue[middle]?.atUs ?? 0) > atUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
