/**
 * The output gate (G1): whatever a turn lets out of the node waits until the journal is durable up
 * to the last position appended at that moment, whether or not the turn itself changed anything.
 *
 * 1. Outputs are released in the order in which they came. Their positions never decrease:
 *    asserted.
 * 2. Nothing is released above what the journal says is durable: asserted.
 * 3. After `shut` nothing is released any more.
 */
import { assert } from '#shared/assert.ts';
import { NO_POSITION, type Position } from '#shared/units.ts';
import type { Journal } from '#server/journal/persister/persister.ts';
import { Queue } from './lists/queue.ts';

/** What the gate has to know of the journal. */
type Durability = Pick<Journal, 'appended' | 'durable' | 'onDurable'>;

/** Holds back what is not durable. One per node. */
export class OutputGate {
  readonly #journal: Durability;
  /**
   * The outputs, and in step with them the position that each waits for: two queues, so that no
   * pair is allocated for each.
   */
  readonly #outputs = new Queue<() => void>();
  readonly #positions = new Queue<Position>();
  /** The last position that an output waits or waited for. */
  #last = NO_POSITION;
  #isShut = false;

  constructor(journal: Durability) {
    this.#journal = journal;
    journal.onDurable((durable) => this.#open(durable));
  }

  /** Runs once everything appended so far is durable; at once if it is already. */
  release(run: () => void): void {
    if (this.#isShut) return;
    const position = this.#journal.appended;
    if (this.#outputs.size === 0 && position <= this.#journal.durable) return run();
    assert(position >= this.#last, 'an output waits for an earlier position than the one before it');
    this.#last = position;
    this.#outputs.push(run);
    this.#positions.push(position);
  }

  /** Resolves once everything appended so far is durable; never, if the gate is shut before. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.release(resolve));
  }

  /** Discards what waits, and everything from now on. */
  shut(): void {
    this.#isShut = true;
    this.#outputs.clear();
    this.#positions.clear();
  }

  #open(durable: Position): void {
    assert(durable <= this.#journal.durable, 'the gate is opened above what is durable');
    for (let position = this.#positions.first; position !== undefined && position <= durable; position = this.#positions.first) {
      this.#positions.shift();
      this.#outputs.shift()?.();
    }
  }
}
