/**
 * Alarms of the shards in memory: one timer, set for the earliest of them. A wake is a hint; who wakes looks at its own rows.
 * Times are gathered in slots, so that a thousand shards cost no thousand timers.
 */
import type { Instant } from '#shared/units.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import { NumberHeap } from './number-heap.ts';

/** Alarms may be late by as much: far less than any time that a player sets. */
const SLOT_MS = 20;

/** See the head of this file. */
export class WakeList<T extends { wakeListedAt: number }> {
  readonly #platform: Pick<Platform, 'clock' | 'timers'>;
  readonly #wake: (sleeper: T) => void;
  readonly #slots = new Map<number, Set<T>>();
  /** The times of the slots, and of some that are empty by now. */
  readonly #times = new NumberHeap();
  #timer: { readonly slot: number; readonly cancel: Cancel } | undefined;

  constructor(platform: Pick<Platform, 'clock' | 'timers'>, wake: (sleeper: T) => void) {
    this.#platform = platform;
    this.#wake = wake;
  }

  /** Wakes the sleeper at that time, or earlier if it was on the list for earlier. */
  add(sleeper: T, at: Instant): void {
    const slot = Math.ceil(at / SLOT_MS);
    if (sleeper.wakeListedAt !== 0 && sleeper.wakeListedAt <= slot) return;
    this.remove(sleeper);
    sleeper.wakeListedAt = slot;
    const sleepers = this.#slots.get(slot);
    if (sleepers !== undefined) sleepers.add(sleeper);
    else {
      this.#slots.set(slot, new Set([sleeper]));
      this.#times.push(slot);
    }
    if (slot < this.#timerSlot()) this.#setTimer(slot);
  }

  /** Takes the sleeper off the list. */
  remove(sleeper: T): void {
    const sleepers = this.#slots.get(sleeper.wakeListedAt);
    if (sleepers?.delete(sleeper) === true && sleepers.size === 0) this.#slots.delete(sleeper.wakeListedAt);
    sleeper.wakeListedAt = 0;
  }

  /** Forgets everybody. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#slots.clear();
    this.#times.clear();
  }

  #setTimer(slot: number): void {
    this.#timer?.cancel();
    const delayMs = Math.max(0, slot * SLOT_MS - this.#platform.clock.now());
    this.#timer = { slot, cancel: this.#platform.timers.after(delayMs, () => this.#ring()) };
  }

  #timerSlot(): number {
    return this.#timer?.slot ?? Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.#timer = undefined;
    const present = Math.floor(this.#platform.clock.now() / SLOT_MS);
    const due: number[] = [];
    for (let slot = this.#times.least; slot !== undefined && slot <= present; slot = this.#times.least) {
      this.#times.pop();
      due.push(slot);
    }
    for (const slot of due) this.#wakeSlot(slot);
    const next = this.#times.least;
    // Whoever was woken may have been listed anew, and `add` has then set a timer already.
    if (next !== undefined && next < this.#timerSlot()) this.#setTimer(next);
  }

  #wakeSlot(slot: number): void {
    const sleepers = this.#slots.get(slot) ?? [];
    this.#slots.delete(slot);
    for (const sleeper of sleepers) {
      // Whoever was woken before may have taken this one off the list: it is not there any more.
      if (sleeper.wakeListedAt !== slot) continue;
      sleeper.wakeListedAt = 0;
      this.#wake(sleeper);
    }
  }
}
