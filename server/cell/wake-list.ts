/**
 * Alarms of the shards in memory: one timer, set for the earliest of them. A wake is a hint; who wakes looks at its own rows.
 * Times are gathered in slots, so that a thousand shards cost no thousand timers. Alarms are in the node's time, which may run slower than
 * timers do, or stand still: a timer that rings too early looks again, a slot later at the earliest.
 *
 * The sleepers are a binary heap by their slots. Each knows its place in it, so that any of them can be taken out, and the list costs a
 * sleeper no more than that place.
 */
import type { Instant } from '#shared/units.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';

/** Alarms may be late by as much: far less than any time that a player sets. */
const SLOT_MS = 20;

/** Who can be put on a wake list. The fields are the list's own notes. */
export interface Sleeper {
  /** Its place in the heap; `NOWHERE` if it is not on the list. */
  wakeSeat: number;
  /** The slot that it is on the list for. */
  wakeSlot: number;
}

/** The place of whoever is not on the list. */
export const NOWHERE = -1;

/** See the head of this file. */
export class WakeList<T extends Sleeper> {
  readonly #platform: Pick<Platform, 'clock' | 'timers'>;
  readonly #wake: (sleeper: T) => void;
  /** Slots are counted from here: small numbers. */
  readonly #origin: Instant;
  readonly #heap: T[] = [];
  #timer: { readonly slot: number; readonly cancel: Cancel } | undefined;
  /** Slots before this one are being rung: whoever asks anew meanwhile waits for the next. */
  #nextSlot = Number.NEGATIVE_INFINITY;

  constructor(platform: Pick<Platform, 'clock' | 'timers'>, wake: (sleeper: T) => void) {
    this.#platform = platform;
    this.#wake = wake;
    this.#origin = platform.clock.now();
  }

  /** Wakes the sleeper at that time, or earlier if it was on the list for earlier. */
  add(sleeper: T, at: Instant): void {
    const slot = Math.max(this.#nextSlot, Math.ceil((at - this.#origin) / SLOT_MS));
    if (sleeper.wakeSeat === NOWHERE) sleeper.wakeSeat = this.#heap.length;
    else if (sleeper.wakeSlot <= slot) return;
    sleeper.wakeSlot = slot;
    this.#rise(sleeper, sleeper.wakeSeat);
    if (slot < this.#timerSlot()) this.#setTimer(slot);
  }

  /** Takes the sleeper off the list. */
  remove(sleeper: T): void {
    const seat = sleeper.wakeSeat;
    if (seat === NOWHERE) return;
    sleeper.wakeSeat = NOWHERE;
    const last = this.#heap.pop();
    if (last === undefined || last === sleeper) return;
    this.#sink(last, seat);
    if (last.wakeSeat === seat) this.#rise(last, seat);
  }

  /** Forgets everybody. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const sleeper of this.#heap) sleeper.wakeSeat = NOWHERE;
    this.#heap.length = 0;
  }

  #setTimer(slot: number): void {
    this.#timer?.cancel();
    const delayMs = this.#origin + slot * SLOT_MS - this.#platform.clock.now();
    this.#wait(slot, Math.max(0, delayMs));
  }

  #wait(slot: number, delayMs: number): void {
    this.#timer = { slot, cancel: this.#platform.timers.after(delayMs, () => this.#ring()) };
  }

  #timerSlot(): number {
    return this.#timer?.slot ?? Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.#timer = undefined;
    const sinceMs = this.#platform.clock.now() - this.#origin;
    const present = Math.floor(sinceMs / SLOT_MS);
    const earliest = this.#heap[0];
    if (earliest !== undefined && earliest.wakeSlot > present) {
      return this.#wait(earliest.wakeSlot, Math.max(SLOT_MS, earliest.wakeSlot * SLOT_MS - sinceMs));
    }
    this.#nextSlot = present + 1;
    for (let sleeper = this.#heap[0]; sleeper !== undefined && sleeper.wakeSlot <= present; sleeper = this.#heap[0]) {
      this.remove(sleeper);
      this.#wake(sleeper);
    }
    this.#nextSlot = Number.NEGATIVE_INFINITY;
    const next = this.#heap[0];
    // Whoever was woken may have been listed anew, and `add` has then set a timer already.
    if (next !== undefined && next.wakeSlot < this.#timerSlot()) this.#setTimer(next.wakeSlot);
  }

  /** Puts the sleeper at that place or, as far as it is earlier than those above, higher. */
  #rise(sleeper: T, from: number): void {
    let seat = from;
    while (seat > 0) {
      const above = this.#heap[(seat - 1) >>> 1];
      if (above === undefined || above.wakeSlot <= sleeper.wakeSlot) break;
      this.#seat(above, seat);
      seat = (seat - 1) >>> 1;
    }
    this.#seat(sleeper, seat);
  }

  /** Puts the sleeper at that place or, as far as it is later than those below, lower. */
  #sink(sleeper: T, from: number): void {
    let seat = from;
    for (;;) {
      const left = this.#heap[2 * seat + 1];
      const right = this.#heap[2 * seat + 2];
      const below = left !== undefined && right !== undefined && right.wakeSlot < left.wakeSlot ? right : left;
      if (below === undefined || below.wakeSlot >= sleeper.wakeSlot) break;
      const freed = below.wakeSeat;
      this.#seat(below, seat);
      seat = freed;
    }
    this.#seat(sleeper, seat);
  }

  #seat(sleeper: T, seat: number): void {
    this.#heap[seat] = sleeper;
    sleeper.wakeSeat = seat;
  }
}
