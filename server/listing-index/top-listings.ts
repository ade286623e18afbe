/**
 * The first rows of an order out of many, without sorting the rest. Rows that are not beyond the last one kept so far are collected, a
 * block at a time; as soon as there are too many, the first `limit` of them are told from the others by partition (Hoare's selection),
 * and the last of these is the new limit. So a row costs a few comparisons in the worst case, that of rows in falling order, and nearly
 * always only one.
 */
import type { Sort } from '#shared/criteria.ts';
import { sortKey, tieOf, valueOfKey, type SortPlace } from '#shared/search.ts';
import type { ListingId } from '#shared/units.ts';
import type { ClassTable } from './class-table.ts';
import { BLOCK_SLOTS, type NumberColumn } from './number-column.ts';
import { keepRange } from './selection.ts';

const INT32_MAX = 2_147_483_647;

/** The first `limit` rows after a place. */
export class TopListings {
  readonly #sort: Sort;
  readonly #limit: number;
  readonly #idAt: (handle: number) => ListingId;
  readonly #after: { readonly key: number; readonly tie: number; readonly id: string } | undefined;
  /** The rows collected, in no order, in three arrays in step. */
  readonly #keys: Float64Array;
  readonly #ties: Int32Array;
  readonly #handles: Int32Array;
  readonly #near = new Int32Array(BLOCK_SLOTS);
  #count = 0;
  /** The key and tie beyond which no row is of interest. */
  #lastKey = Infinity;
  #lastTie = INT32_MAX;

  /** Nothing yet; `after` leaves out that place and what comes before it. */
  constructor(sort: Sort, limit: number, idAt: (handle: number) => ListingId, after: SortPlace | undefined) {
    this.#sort = sort;
    this.#limit = limit;
    this.#idAt = idAt;
    this.#after = after === undefined ? undefined : { key: sortKey(sort, after.value), tie: tieOf(after.id), id: after.id };
    this.#keys = new Float64Array(limit + BLOCK_SLOTS);
    this.#ties = new Int32Array(limit + BLOCK_SLOTS);
    this.#handles = new Int32Array(limit + BLOCK_SLOTS);
  }

  /** The rows kept, first to last, each with its place in the order. */
  kept(): readonly (SortPlace & { readonly handle: number })[] {
    const places = Array.from({ length: this.#count }, (_, place) => place).toSorted((a, b) => this.#compare(a, b));
    return places.map((place) => {
      const handle = this.#handles[place] ?? -1;
      return { value: valueOfKey(this.#sort, this.#keys[place] ?? Infinity), id: this.#idAt(handle), handle };
    });
  }

  /** Takes chosen rows of a table into account, the first `count` of `slots`, counted from `base`; returns how many it has looked at. */
  offer(table: ClassTable, base: number, slots: Int32Array, count: number): number {
    const column = sortColumn(this.#sort.by, table);
    const isDescending = this.#sort.descending === true;
    const first = this.#after?.key ?? -Infinity;
    const last = this.#lastKey;
    // Without a value is what comes last: it is of interest until enough rows with one are there.
    if (last === Infinity || column === undefined) return last === Infinity ? this.#collectAll(column, table, base, slots, count) : 0;
    const [low, high] = column.rangeWithin(isDescending ? -last : first, isDescending ? -first : last);
    if (column.lowAt(base) > high || column.highAt(base) < low) return 0;
    const near = this.#near;
    this.#collectAll(column, table, base, near, keepRange(column, low, high, base, slots, count, near));
    return count;
  }

  #collectAll(column: NumberColumn | undefined, table: ClassTable, base: number, slots: Int32Array, count: number): number {
    const sign = this.#sort.descending === true ? -1 : 1;
    const values = column?.values;
    const missing = column?.missing;
    const { ties, handles } = table;
    for (let index = 0; index < count; index += 1) {
      const slot = base + (slots[index] ?? 0);
      const value = values?.[slot];
      const key = value === undefined || value === missing ? Infinity : sign * value;
      this.#collect(key, ties[slot] ?? 0, handles, slot);
    }
    if (this.#count > this.#limit) this.#cut();
    return count;
  }

  #collect(key: number, tie: number, handles: Int32Array, slot: number): void {
    if (key === this.#lastKey && tie > this.#lastTie) return;
    const after = this.#after;
    const handle = handles[slot] ?? -1;
    if (after !== undefined && key <= after.key) {
      if (key < after.key || tie < after.tie) return;
      if (tie === after.tie && this.#idAt(handle) <= after.id) return;
    }
    this.#keys[this.#count] = key;
    this.#ties[this.#count] = tie;
    this.#handles[this.#count] = handle;
    this.#count += 1;
  }

  /** Drops all but the first `limit` of the rows collected: those left of where the partition ends. */
  #cut(): void {
    let [low, high] = [0, this.#count - 1];
    const last = this.#limit - 1;
    while (low < high) {
      const middle = this.#partition(low, high);
      if (middle === last) break;
      if (middle < last) low = middle + 1;
      else high = middle - 1;
    }
    this.#count = this.#limit;
    this.#lastKey = this.#keys[last] ?? Infinity;
    this.#lastTie = this.#ties[last] ?? 0;
  }

  /** Brings a row between `low` and `high` to its place, what is before it to the left of it and the others to the right. */
  #partition(low: number, high: number): number {
    // The middle one: rows that come in order already, or in the reverse one, are cut in half each time.
    this.#swap((low + high) >>> 1, high);
    let end = low;
    for (let place = low; place < high; place += 1) {
      if (this.#compare(place, high) >= 0) continue;
      if (place !== end) this.#swap(place, end);
      end += 1;
    }
    this.#swap(end, high);
    return end;
  }

  #swap(a: number, b: number): void {
    const key = this.#keys[a] ?? 0;
    const tie = this.#ties[a] ?? 0;
    const handle = this.#handles[a] ?? 0;
    this.#keys[a] = this.#keys[b] ?? 0;
    this.#ties[a] = this.#ties[b] ?? 0;
    this.#handles[a] = this.#handles[b] ?? 0;
    this.#keys[b] = key;
    this.#ties[b] = tie;
    this.#handles[b] = handle;
  }

  /** The order of two rows collected, as `compareListings` has it. */
  #compare(a: number, b: number): number {
    // One by one: a pair of numbers with fractions would be allocated, and nearly all that a search leaves to the collector was that.
    const keyA = this.#keys[a] ?? 0;
    const keyB = this.#keys[b] ?? 0;
    if (keyA !== keyB) return keyA < keyB ? -1 : 1;
    const tieA = this.#ties[a] ?? 0;
    const tieB = this.#ties[b] ?? 0;
    if (tieA !== tieB) return tieA < tieB ? -1 : 1;
    const idA = this.#idAt(this.#handles[a] ?? -1);
    const idB = this.#idAt(this.#handles[b] ?? -1);
    return idA < idB ? -1 : idA > idB ? 1 : 0;
  }
}

/** The column that an order reads; undefined where no row of the table has the stat. */
function sortColumn(by: Sort['by'], table: ClassTable): NumberColumn | undefined {
  switch (by) {
    case 'buyout':
    case 'currentBid':
    case 'endsAt':
    case 'level':
      return table[by];
    default:
      return table.stats.get(by);
  }
}
