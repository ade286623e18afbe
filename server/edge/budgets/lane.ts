/** A lane: so many at a time, in order, and so many that wait. */
export class Lane {
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(width: number, waitingMax: number) {
    this.#free = width;
    this.#waitingMax = waitingMax;
  }

  /** Waits for a place and takes it; resolves with what gives it back. `undefined` at once if too many wait. */
  async enter(): Promise<(() => void) | undefined> {
    if (this.#free > 0) this.#free--;
    else {
      if (this.#waiting.length >= this.#waitingMax) return undefined;
      // The place is handed over as it is: taken.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
  }
}
