/**
 * The output gate (G1): whatever a turn lets out of the node waits until the journal is durable up to the last position
 * appended at that moment, whether or not the turn itself changed anything.
 *
 * 1. What is let through goes in the order in which it came.
 * 2. After a fault nothing goes out any more.
 */
import { Queue } from './queue.ts';

/** What the gate has to know of the journal. */
export interface Durability {
  readonly appended: number;
  readonly durable: number;
  onDurable(listener: (durable: number) => void): void;
}

/** See the head of this file. */
export class OutputGate {
  readonly #journal: Durability;
  /** What waits, and in step with it, the position that each waits for: two queues, so that nothing is made for each. */
  readonly #outputs = new Queue<() => void>();
  readonly #positions = new Queue<number>();
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
    this.#outputs.push(run);
    this.#positions.push(position);
  }

  /** Discards what waits, and everything from now on. */
  shut(): void {
    this.#isShut = true;
    this.#outputs.clear();
    this.#positions.clear();
  }

  #open(durable: number): void {
    for (let position = this.#positions.first; position !== undefined && position <= durable; position = this.#positions.first) {
      this.#positions.shift();
      this.#outputs.shift()?.();
    }
  }
}
