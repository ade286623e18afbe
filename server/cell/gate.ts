/**
 * The output gate (G1): whatever a turn lets out of the node waits until the journal is durable up to the last position
 * appended at that moment, whether or not the turn itself changed anything.
 *
 * 1. What is let through goes in the order in which it came.
 * 2. After a fault nothing goes out any more.
 */

/** What the gate has to know of the journal. */
export interface Durability {
  readonly appended: number;
  readonly durable: number;
  onDurable(listener: (durable: number) => void): void;
}

interface Waiting {
  readonly position: number;
  readonly run: () => void;
}

/** See the head of this file. */
export class OutputGate {
  readonly #journal: Durability;
  #waiting: Waiting[] = [];
  #head = 0;
  #isShut = false;

  constructor(journal: Durability) {
    this.#journal = journal;
    journal.onDurable((durable) => this.#open(durable));
  }

  /** Runs once everything appended so far is durable; at once if it is already. */
  release(run: () => void): void {
    if (this.#isShut) return;
    const position = this.#journal.appended;
    if (position <= this.#journal.durable && this.#head === this.#waiting.length) run();
    else this.#waiting.push({ position, run });
  }

  /** Discards what waits, and everything from now on. */
  shut(): void {
    this.#isShut = true;
    this.#waiting = [];
    this.#head = 0;
  }

  #open(durable: number): void {
    for (;;) {
      const next = this.#waiting[this.#head];
      if (next === undefined || next.position > durable) break;
      // What has gone out must not be held on to by its place in the list: the collector would take it for something that lasts.
      this.#waiting[this.#head++] = GONE;
      next.run();
    }
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head > 8_192) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}

const GONE: Waiting = { position: 0, run: () => undefined };
