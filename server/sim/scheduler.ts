/**
 * The scheduler of the simulator: the one queue of everything that happens, in virtual time.
 *
 * 1. One event runs at a time, and every promise that it settles is followed to its end before the next one starts.
 * 2. Events run in the order of their time; those of the same microsecond in the order in which they were asked for.
 * 3. Nothing here knows the real clock: the same requests give the same order, on every machine.
 */

/** Takes an event back; does nothing if it has run. */
export type CancelEvent = () => void;

interface Event {
  readonly atUs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Resolves when no promise reaction is left to run: ticks come after the whole queue of microtasks. */
export function promisesSettled(): Promise<void> {
  // oxlint-disable-next-line no-restricted-globals -- The only way to see the end of the microtask queue without real time passing.
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Times are microseconds of virtual time since the start of the simulation. */
export class Scheduler {
  readonly #heap: Event[] = [];
  #nowUs = 0;
  #order = 0;
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
    const event: Event = { atUs: this.#nowUs + Math.max(0, Math.floor(delayUs)), order: this.#order++, run };
    this.#push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Resolves after that much virtual time. */
  pause(delayUs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayUs, resolve));
  }

  /** Runs events until the condition holds, none is left, or the time is over. Returns whether the condition holds. */
  async runUntil(isDone: () => boolean, untilUs: number): Promise<boolean> {
    await promisesSettled();
    while (!isDone()) {
      const event = this.#heap[0];
      if (event === undefined || event.atUs > untilUs) {
        this.#nowUs = Math.max(this.#nowUs, untilUs);
        return isDone();
      }
      this.#pop();
      const { run } = event;
      if (run === undefined) continue;
      this.#nowUs = event.atUs;
      this.#count++;
      run();
      await promisesSettled();
    }
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child === undefined) break;
      if (right !== undefined && isBefore(right, child)) {
        childIndex++;
        child = right;
      }
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}
