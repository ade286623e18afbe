/** Numbers, of which only the least is ever asked for: a binary heap. */
export class NumberHeap {
  readonly #numbers: number[] = [];

  /** The least, if there is any. */
  get least(): number | undefined {
    return this.#numbers[0];
  }

  push(number: number): void {
    const numbers = this.#numbers;
    let at = numbers.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = numbers[parent] ?? 0;
      if (above <= number) break;
      numbers[at] = above;
      at = parent;
    }
    numbers[at] = number;
  }

  /** Takes the least out. */
  pop(): void {
    const numbers = this.#numbers;
    const last = numbers.pop();
    if (last === undefined || numbers.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= numbers.length) break;
      if ((numbers[child + 1] ?? Number.POSITIVE_INFINITY) < (numbers[child] ?? 0)) child++;
      const below = numbers[child] ?? 0;
      if (below >= last) break;
      numbers[at] = below;
      at = child;
    }
    numbers[at] = last;
  }

  clear(): void {
    this.#numbers.length = 0;
  }
}
