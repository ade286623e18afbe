/**
 * An intrusive FIFO list: elements carry their own `next`. An empty list is two undefined fields
 * and a zero, which matters because each of hundreds of thousands of shards has one.
 */
export class Fifo<T extends { next: T | undefined }> {
  #first: T | undefined;
  #last: T | undefined;
  #length = 0;

  /** The oldest element, if there is any. The others follow by `next`. */
  get first(): T | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  push(element: T): void {
    if (this.#last === undefined) this.#first = element;
    else this.#last.next = element;
    this.#last = element;
    this.#length++;
  }

  /** Drops the oldest element. */
  shift(): void {
    if (this.#first === undefined) return;
    this.#first = this.#first.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#length--;
  }

  /** Drops every element. */
  clear(): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#length = 0;
  }
}
