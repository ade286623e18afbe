/**
 * A FIFO queue in a ring buffer that grows by doubling and is never given back: what passes through
 * leaves nothing to collect. For the few queues of a node; a shard's own is a `Fifo`.
 */
export class Queue<T> {
  #ring: (T | undefined)[] = emptyRing(RING_FIRST);
  #head = 0;
  #size = 0;

  /** The number of elements. */
  get size(): number {
    return this.#size;
  }

  /** The oldest element, if there is any. */
  get first(): T | undefined {
    return this.#ring[this.#head];
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item;
    this.#size++;
  }

  /** Takes out the oldest element, if there is any. */
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

/** Lengths are powers of two, so that a mask finds the index. */
const RING_FIRST = 16;

function emptyRing<T>(length: number): (T | undefined)[] {
  return Array.from({ length }, () => undefined);
}
