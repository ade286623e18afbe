/**
 * First in, first out, in one ring that is used again and again: what passes through leaves nothing to collect. The ring keeps the size
 * that it once needed.
 */
export class Queue<T> {
  #ring: (T | undefined)[] = emptyRing(RING_FIRST);
  #head = 0;
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** The one that has waited longest, if there is any. */
  get first(): T | undefined {
    return this.#ring[this.#head];
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item;
    this.#size++;
  }

  /** Takes out the one that has waited longest, if there is any. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size--;
    return item;
  }

  clear(): void {
    this.#ring = emptyRing(RING_FIRST);
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const ring = emptyRing<T>(this.#ring.length * 2);
    for (let index = 0; index < this.#size; index++) ring[index] = this.#ring[(this.#head + index) & (this.#ring.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}

/** Always a power of two, so that a mask finds the place. */
const RING_FIRST = 16;

function emptyRing<T>(length: number): (T | undefined)[] {
  return Array.from({ length }, () => undefined);
}
