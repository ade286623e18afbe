/** The least of a journal, and of a platform, that a test moves by hand. */
import { instant, type Instant, NO_POSITION, type Position } from '#shared/units.ts';
import type { Timers } from '#server/platform/platform.ts';

/** A journal that becomes durable when a test says so. */
export class Journal {
  /** The position of the last append. */
  appended = NO_POSITION;
  /** The last position that is durable. */
  durable = NO_POSITION;
  readonly #listeners: ((durable: Position) => void)[] = [];

  onDurable(listener: (durable: Position) => void): void {
    this.#listeners.push(listener);
  }

  /** Makes everything up to that position durable. */
  confirm(position: Position): void {
    this.durable = position;
    this.tell(position);
  }

  /** Tells of a position, whether or not it is durable. */
  tell(position: Position): void {
    for (const listener of this.#listeners) listener(position);
  }
}

/** Timers and a clock that only a test moves. */
export class Hand {
  now = instant(1_000_000);
  readonly clock = { now: (): Instant => this.now };
  readonly #pending = new Map<number, { readonly at: number; readonly run: () => void }>();
  #next = 0;
  /** Timers ever set. */
  set = 0;
  readonly timers: Timers = {
    after: (ms, run) => {
      const id = this.#next++;
      this.set++;
      this.#pending.set(id, { at: this.now + ms, run });
      return () => void this.#pending.delete(id);
    },
    defer: (run) => run(),
  };

  /** Lets so much time pass, and rings what is due. */
  move(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.#pending].toSorted(([, a], [, b]) => a.at - b.at);
      if (next === undefined || next[1].at > end) break;
      this.#pending.delete(next[0]);
      this.now = instant(Math.max(this.now, Math.ceil(next[1].at)));
      next[1].run();
    }
    this.now = instant(end);
  }

  /** Timers that have yet to ring. */
  get waiting(): number {
    return this.#pending.size;
  }
}
