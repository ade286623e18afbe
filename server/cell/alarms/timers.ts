/**
 * Alarms of shards in memory: one timer of the machine, set for the earliest of them.
 *
 * A shard's alarms are attributes of its rows. There are two ways to find one that is due, because
 * there are two places where a shard can be. One in memory is in the heap here, by its earliest
 * alarm as of its last turn, and rings within `SLOT_MS`. One on disk is found by `AlarmScan`, which
 * asks the journal's index of alarms twice a second; that wakes it, which brings it into memory.
 * Both are hints: the shard that is woken looks at its own rows.
 *
 * 1. Alarms are put in slots of `SLOT_MS`, so that a thousand shards cost no thousand timers.
 * 2. They are in the node's time, which may run slower than timers, or stand still: a timer that
 *    rings too early waits again, for a slot at least.
 * 3. The heap is binary, by slots. Each shard knows its index in it, so that any can be taken out:
 *    asserted at each use.
 * 4. A shard that was touched by a turn is put in only when the delivery under way is over: what a
 *    trade within the node wants to be woken for is done by then.
 */
import { assert } from '#shared/assert.ts';
import { instant, type Instant } from '#shared/units.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import { Queue } from '../lists/queue.ts';

/** How late an alarm may be: far less than any time that a player sets. */
const SLOT_MS = 20;

/**
 * The least pause before an alarm that was just handled may ring again: one that stays due is a
 * handler's bug, and must not spin.
 */
const RING_AGAIN_MS = 20;

/** A shard as its alarms see it. All but the last two are the timers' own notes. */
export interface AlarmedShard {
  /** Its index in the heap; `NO_TIMER` if it is not in it. */
  timerIndex: number;
  /** The slot that it is in the heap for. */
  timerSlot: number;
  /** Whether it was touched during the delivery under way. */
  isTouched: boolean;
  /** Its earliest alarm, or 0. */
  readonly wakeAt: Instant | 0;
  /** Has it look at its alarms. */
  wake(): void;
}

/** The `timerIndex` of a shard that is not in the heap. */
export const NO_TIMER = -1;

/** Rings the alarms of shards in memory. One per node. */
export class AlarmTimers {
  readonly #platform: Pick<Platform, 'clock' | 'timers'>;
  /** Slots are counted from here, to be small numbers. */
  readonly #origin: Instant;
  readonly #heap: AlarmedShard[] = [];
  readonly #touched = new Queue<AlarmedShard>();
  #timer: { readonly slot: number; readonly cancel: Cancel } | undefined;
  /** Slots before this one are being rung: a shard that is added meanwhile waits for the next. */
  #nextSlot = Number.NEGATIVE_INFINITY;

  constructor(platform: Pick<Platform, 'clock' | 'timers'>) {
    this.#platform = platform;
    this.#origin = platform.clock.now();
  }

  /** Has the shard's earliest alarm read and set once the delivery under way is over. */
  touch(shard: AlarmedShard): void {
    if (shard.isTouched) return;
    shard.isTouched = true;
    this.#touched.push(shard);
  }

  /**
   * Sets the alarms of all shards that were touched. `turnTime` is that of the delivery that is
   * over.
   */
  setTouched(turnTime: Instant): void {
    for (let shard = this.#touched.shift(); shard !== undefined; shard = this.#touched.shift()) {
      shard.isTouched = false;
      const { wakeAt } = shard;
      if (wakeAt !== 0) this.add(shard, instant(Math.max(wakeAt, turnTime + RING_AGAIN_MS)));
    }
  }

  /** Wakes the shard at that time, or earlier if it was in the heap for earlier. */
  add(shard: AlarmedShard, at: Instant): void {
    const slot = Math.max(this.#nextSlot, Math.ceil((at - this.#origin) / SLOT_MS));
    if (shard.timerIndex === NO_TIMER) shard.timerIndex = this.#heap.length;
    else if (shard.timerSlot <= slot) return;
    else this.#check(shard);
    shard.timerSlot = slot;
    this.#rise(shard, shard.timerIndex);
    if (slot < this.#timedSlot()) this.#setTimer(slot);
  }

  /** Takes the shard out, if it is in. */
  remove(shard: AlarmedShard): void {
    const index = shard.timerIndex;
    if (index === NO_TIMER) return;
    this.#check(shard);
    shard.timerIndex = NO_TIMER;
    const last = this.#heap.pop();
    if (last === undefined || last === shard) return;
    this.#sink(last, index);
    if (last.timerIndex === index) this.#rise(last, index);
  }

  /** Takes every shard out. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const shard of this.#heap) shard.timerIndex = NO_TIMER;
    this.#heap.length = 0;
  }

  #check(shard: AlarmedShard): void {
    assert(this.#heap[shard.timerIndex] === shard, 'the heap of alarms has another shard at the index of this one');
  }

  /** Rings at that slot, after that pause at least. */
  #setTimer(slot: number, pauseMs = 0): void {
    this.#timer?.cancel();
    const delayMs = this.#origin + slot * SLOT_MS - this.#platform.clock.now();
    this.#timer = { slot, cancel: this.#platform.timers.after(Math.max(pauseMs, delayMs), () => this.#ring()) };
  }

  /** The slot that the timer is set for. */
  #timedSlot(): number {
    return this.#timer?.slot ?? Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.#timer = undefined;
    const present = Math.floor((this.#platform.clock.now() - this.#origin) / SLOT_MS);
    const earliest = this.#heap[0];
    if (earliest !== undefined && earliest.timerSlot > present) return this.#setTimer(earliest.timerSlot, SLOT_MS);
    this.#nextSlot = present + 1;
    for (let shard = this.#heap[0]; shard !== undefined && shard.timerSlot <= present; shard = this.#heap[0]) {
      this.remove(shard);
      shard.wake();
    }
    this.#nextSlot = Number.NEGATIVE_INFINITY;
    const next = this.#heap[0];
    // A shard that was woken may have been added anew, and `add` has then set the timer already.
    if (next !== undefined && next.timerSlot < this.#timedSlot()) this.#setTimer(next.timerSlot);
  }

  /** Puts the shard at that index or, as far as it is earlier than those above, higher. */
  #rise(shard: AlarmedShard, from: number): void {
    let index = from;
    while (index > 0) {
      const above = this.#heap[(index - 1) >>> 1];
      if (above === undefined || above.timerSlot <= shard.timerSlot) break;
      this.#put(above, index);
      index = (index - 1) >>> 1;
    }
    this.#put(shard, index);
  }

  /** Puts the shard at that index or, as far as it is later than those below, lower. */
  #sink(shard: AlarmedShard, from: number): void {
    let index = from;
    for (;;) {
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const below = left !== undefined && right !== undefined && right.timerSlot < left.timerSlot ? right : left;
      if (below === undefined || below.timerSlot >= shard.timerSlot) break;
      const freed = below.timerIndex;
      this.#put(below, index);
      index = freed;
    }
    this.#put(shard, index);
  }

  #put(shard: AlarmedShard, index: number): void {
    this.#heap[index] = shard;
    shard.timerIndex = index;
  }
}
