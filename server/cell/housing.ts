/**
 * Who is in memory, how much of it they take, and who has to leave when that is more than the budget: second chance. A hand goes round;
 * who was used since it last came by stays once more.
 */

/** Somebody in memory. The fields are the housing's own notes, but for `isUsed`, which is for the lodger to set. */
export interface Lodger {
  /** Its place in the round; `HOMELESS` if it is not counted in. */
  seat: number;
  /** What it was last counted with. */
  memoryBytes: number;
  /** Whether it was used since the hand last came by. */
  isUsed: boolean;
  /** Leaves memory, by `release`, if nothing speaks against it; tells whether it did. */
  evict(): boolean;
}

/** The place of whoever is not in memory. */
export const HOMELESS = -1;

/** How many are looked at for eviction at once: enough to keep up, too few to be felt. */
const LOOKS = 16;

/** See the head of this file. */
export class Housing {
  readonly #budgetBytes: number;
  readonly #round: Lodger[] = [];
  #hand = 0;
  #bytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** Shards in memory, and the bytes that they take, about. */
  get usage(): { readonly shards: number; readonly bytes: number } {
    return { shards: this.#round.length, bytes: this.#bytes };
  }

  /** Counts somebody in, or anew, and makes room if the budget is passed. */
  house(lodger: Lodger, memoryBytes: number): void {
    if (lodger.seat === HOMELESS) lodger.seat = this.#round.push(lodger) - 1;
    this.#bytes += memoryBytes - lodger.memoryBytes;
    lodger.memoryBytes = memoryBytes;
    lodger.isUsed = true;
    if (this.#bytes > this.#budgetBytes) this.#evictSome();
  }

  /** Counts somebody out, if it was in. */
  release(lodger: Lodger): void {
    if (lodger.seat === HOMELESS) return;
    const last = this.#round.pop();
    if (last !== undefined && last !== lodger) {
      this.#round[lodger.seat] = last;
      last.seat = lodger.seat;
    }
    this.#bytes -= lodger.memoryBytes;
    lodger.seat = HOMELESS;
    lodger.memoryBytes = 0;
  }

  #evictSome(): void {
    for (let looks = Math.min(this.#round.length, LOOKS); looks > 0 && this.#bytes > this.#budgetBytes; looks--) {
      if (this.#hand >= this.#round.length) this.#hand = 0;
      const lodger = this.#round[this.#hand];
      if (lodger === undefined) return;
      const hasLeft = !lodger.isUsed && lodger.evict();
      lodger.isUsed = false;
      // In the place of who has left is now the last of the round: the hand looks at it next.
      if (!hasLeft) this.#hand++;
    }
  }
}
