/**
 * A map by row id, kept in the order of the ids, in two arrays. A table has few rows, they come in the order of their ids, and they come
 * and go all the time: a hash map would be made anew at every few of them, and would lose their order when one comes back.
 */
export class IdMap<V> {
  readonly #ids: number[] = [];
  readonly #values: V[] = [];

  get size(): number {
    return this.#ids.length;
  }

  get(id: number): V | undefined {
    const at = this.#placeOf(id);
    return this.#ids[at] === id ? this.#values[at] : undefined;
  }

  set(id: number, value: V): void {
    const at = this.#placeOf(id);
    if (this.#ids[at] === id) this.#values[at] = value;
    else if (at === this.#ids.length) {
      this.#ids.push(id);
      this.#values.push(value);
    } else {
      this.#ids.splice(at, 0, id);
      this.#values.splice(at, 0, value);
    }
  }

  delete(id: number): void {
    const at = this.#placeOf(id);
    if (this.#ids[at] !== id) return;
    if (at === this.#ids.length - 1) {
      this.#ids.pop();
      this.#values.pop();
    } else {
      this.#ids.splice(at, 1);
      this.#values.splice(at, 1);
    }
  }

  /** The value of the least id. */
  first(): V | undefined {
    return this.#values[0];
  }

  /** The values in the order of their ids, as they are now: the list may be walked while the map changes. */
  values(): readonly V[] {
    return [...this.#values];
  }

  /** Calls back for each, in the order of the ids. The map must not change meanwhile. */
  forEach(visit: (value: V, id: number) => void): void {
    for (let at = 0; at < this.#ids.length; at++) {
      const id = this.#ids[at];
      const value = this.#values[at];
      if (id !== undefined && value !== undefined) visit(value, id);
    }
  }

  /** Where the id is, or would go. */
  #placeOf(id: number): number {
    const ids = this.#ids;
    let low = 0;
    let high = ids.length;
    // Most ids asked for are the newest, or newer.
    if (high === 0 || id > (ids[high - 1] ?? 0)) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ids[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
