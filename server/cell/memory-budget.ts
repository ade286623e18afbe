/**
 * The memory budget of a node. Evicts by CLOCK (second chance): a hand walks the ring; a shard
 * whose `isUsed` bit is set loses the bit and stays, one without it is evicted if it may go.
 *
 * 1. The sum of bytes is that of the shards in the ring, and never negative: asserted.
 * 2. A shard in the ring is at its `budgetIndex`: asserted whenever it is charged anew or leaves.
 */
import { assert } from '#shared/assert.ts';

/**
 * A shard that is charged to the budget. The fields are the budget's own, but for `isUsed`, which
 * the shard sets at each use.
 */
export interface BudgetedShard {
  /** Its index in the ring; `NOT_CHARGED` if it is in none. */
  budgetIndex: number;
  /** What it was last charged with. */
  memoryBytes: number;
  /** Whether it was used since the hand last came by. */
  isUsed: boolean;
  /**
   * Leaves memory, which ends in `uncharge`, unless it is in use or has a turn that is not durable;
   * tells whether it left.
   */
  evict(): boolean;
}

/** The `budgetIndex` of a shard that is not charged. */
export const NOT_CHARGED = -1;

/** How many shards one charge looks at for eviction: enough to keep up, too few to be felt. */
const LOOKS_PER_CHARGE = 16;

/** Counts what shards take, and evicts. One per node. */
export class MemoryBudget {
  readonly #budgetBytes: number;
  readonly #ring: BudgetedShard[] = [];
  #hand = 0;
  #bytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** Shards in memory, and the bytes that they take, about. */
  get usage(): { readonly shards: number; readonly bytes: number } {
    return { shards: this.#ring.length, bytes: this.#bytes };
  }

  /**
   * Charges a shard with what it takes now, in place of what it took before, and evicts others if
   * the budget is passed.
   */
  chargeMemory(shard: BudgetedShard, memoryBytes: number): void {
    if (shard.budgetIndex === NOT_CHARGED) shard.budgetIndex = this.#ring.push(shard) - 1;
    assert(this.#ring[shard.budgetIndex] === shard, 'the memory budget has another shard at the index of this one');
    this.#bytes += memoryBytes - shard.memoryBytes;
    assert(this.#bytes >= 0, 'the memory budget has less than nothing in memory');
    shard.memoryBytes = memoryBytes;
    shard.isUsed = true;
    if (this.#bytes > this.#budgetBytes) this.#evictSome();
  }

  /** Takes a shard out, if it is in. */
  uncharge(shard: BudgetedShard): void {
    const { budgetIndex } = shard;
    if (budgetIndex === NOT_CHARGED) return;
    assert(this.#ring[budgetIndex] === shard, 'the memory budget has another shard at the index of this one');
    const last = this.#ring.pop();
    if (last !== undefined && last !== shard) {
      this.#ring[budgetIndex] = last;
      last.budgetIndex = budgetIndex;
    }
    this.#bytes -= shard.memoryBytes;
    assert(this.#bytes >= 0, 'the memory budget has less than nothing in memory');
    shard.budgetIndex = NOT_CHARGED;
    shard.memoryBytes = 0;
  }

  #evictSome(): void {
    for (let looks = Math.min(this.#ring.length, LOOKS_PER_CHARGE); looks > 0 && this.#bytes > this.#budgetBytes; looks--) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const shard = this.#ring[this.#hand];
      if (shard === undefined) return;
      const hasLeft = !shard.isUsed && shard.evict();
      shard.isUsed = false;
      // The last shard of the ring has taken the place of one that left: the hand looks at it next.
      if (!hasLeft) this.#hand++;
    }
  }
}
