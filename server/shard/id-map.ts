/**
 * A map by row id, sorted by id, in one array: id, value, id, value. A table has few rows, which are
 * added in the order of their ids and come and go all the time. A `Map` rehashes as rows come and go,
 * loses id order on reinsertion, and spreads over several heap objects.
 */
import type { RowId } from '#shared/units.ts';

export class IdMap<V> {
  readonly #cells: (RowId | V)[] = [];

  get size(): number {
    return this.#cells.length / 2;
  }

  get(id: RowId): V | undefined {
    const at = this.#placeOf(id);
    return this.#isAt(at, id) ? this.#valueAt(at) : undefined;
  }

  set(id: RowId, value: V): void {
    const at = this.#placeOf(id);
    if (this.#isAt(at, id)) this.#cells[at + 1] = value;
    else if (at === this.#cells.length) this.#cells.push(id, value);
    else this.#cells.splice(at, 0, id, value);
  }

  delete(id: RowId): void {
    const at = this.#placeOf(id);
    if (!this.#isAt(at, id)) return;
    if (at === this.#cells.length - 2) this.#cells.length = at;
    else if (at > 0) this.#cells.splice(at, 2);
    else {
      // The oldest of many goes often: `shift` moves the start of the array, where `splice` moves all that is behind it.
      this.#cells.shift();
      this.#cells.shift();
    }
  }

  /** The value of the least id. */
  first(): V | undefined {
    return this.#valueAt(0);
  }

  /** The value at that place in the order of the ids. */
  at(place: number): V | undefined {
    return this.#valueAt(place * 2);
  }

  /** The values in the order of their ids, as they are now: the list may be walked while the map changes. */
  values(): readonly V[] {
    const values: V[] = [];
    this.forEach((value) => values.push(value));
    return values;
  }

  /** Calls back for each, in the order of the ids. The map must not change meanwhile. */
  forEach(visit: (value: V, id: RowId) => void): void {
    for (let at = 0; at < this.#cells.length; at += 2) {
      const value = this.#valueAt(at);
      if (value !== undefined) visit(value, this.#idAt(at));
    }
  }

  /** Where the id is, or would go. */
  #placeOf(id: RowId): number {
    let low = 0;
    let high = this.#cells.length;
    if (high === 0) return high;
    // Most ids asked for are the newest, or newer.
    const newest = this.#idAt(high - 2);
    if (id >= newest) return id === newest ? high - 2 : high;
    while (low < high) {
      const middle = ((low + high) >>> 2) * 2;
      if (this.#idAt(middle) < id) low = middle + 2;
      else high = middle;
    }
    return low;
  }

  #isAt(at: number, id: RowId): boolean {
    return at < this.#cells.length && this.#idAt(at) === id;
  }

  #idAt(at: number): RowId {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Even places hold ids.
    return this.#cells[at] as RowId;
  }

  #valueAt(at: number): V | undefined {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Odd places hold values.
    return this.#cells[at + 1] as V | undefined;
  }
}
