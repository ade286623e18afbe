/** First in, first out, as a chain of the things themselves: it is for what is empty nearly always, and costs nothing then. */
export class Chain<T extends { next: T | undefined }> {
  #first: T | undefined;
  #last: T | undefined;
  #length = 0;

  /** The one that has waited longest, if there is any. The others follow by `next`. */
  get first(): T | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  push(link: T): void {
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#length++;
  }

  /** Drops the first. */
  shift(): void {
    if (this.#first === undefined) return;
    this.#first = this.#first.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#length--;
  }
}
