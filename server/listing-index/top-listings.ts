/**
 * The first rows of an order out of many, without sorting the rest: a heap of at most `limit` rows with the last of
 * them on top, against which every other row is compared once.
 */
import type { Sort } from '#shared/criteria.ts';
import { sortKey, type SortPlace } from '#shared/search.ts';
import type { ClassTable } from './class-table.ts';
import type { Column } from './column.ts';
import type { RowStore } from './row-store.ts';
import type { Selection } from './selection.ts';

/** The first `limit` rows after a place. */
export class TopListings {
  readonly #sort: Sort;
  readonly #limit: number;
  readonly #rows: RowStore;
  readonly #after: { readonly key: number; readonly id: string } | undefined;
  /** A heap with the last place of the order at index 0: keys and handles of the rows kept. */
  readonly #keys: number[] = [];
  readonly #handles: number[] = [];

  /** Nothing yet; `after` leaves out that place and what comes before it. */
  constructor(sort: Sort, limit: number, rows: RowStore, after: SortPlace | undefined) {
    this.#sort = sort;
    this.#limit = limit;
    this.#rows = rows;
    this.#after = after === undefined ? undefined : { key: sortKey(sort, after.value), id: after.id };
  }

  /** Takes the chosen rows of a table into account. */
  offer(table: ClassTable, { slots, count }: Selection): void {
    const column = sortColumn(this.#sort.by, table);
    const sign = this.#sort.descending === true ? -1 : 1;
    const values = column?.values;
    const missing = column?.missing;
    const after = this.#after?.key ?? -Infinity;
    let last = this.#lastKey();
    for (let index = 0; index < count; index += 1) {
      const slot = slots[index] ?? 0;
      const value = values?.[slot];
      const key = value === undefined || value === missing ? Infinity : sign * value;
      if (key > last || key < after) continue;
      this.#consider(key, table.handles[slot] ?? -1);
      last = this.#lastKey();
    }
  }

  /** The handles of the rows kept, first to last; nothing is kept afterwards. */
  take(): readonly number[] {
    const taken: number[] = [];
    while (this.#handles.length > 0) taken.push(this.#pop());
    return taken.toReversed();
  }

  /** The key beyond which no row is of interest. */
  #lastKey(): number {
    return this.#handles.length < this.#limit ? Infinity : (this.#keys[0] ?? Infinity);
  }

  #consider(key: number, handle: number): void {
    const after = this.#after;
    if (after !== undefined && key === after.key && this.#rows.idAt(handle) <= after.id) return;
    if (this.#handles.length === this.#limit) {
      if (!this.#isBefore(key, handle, 0)) return;
      this.#pop();
    }
    this.#push(key, handle);
  }

  /** Whether a row comes before the one at an index of the heap. */
  #isBefore(key: number, handle: number, index: number): boolean {
    const otherKey = this.#keys[index] ?? Infinity;
    return key === otherKey ? this.#rows.idAt(handle) < this.#rows.idAt(this.#handles[index] ?? -1) : key < otherKey;
  }

  #push(key: number, handle: number): void {
    let index = this.#handles.push(handle) - 1;
    this.#keys.push(key);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#isBefore(key, handle, parent)) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** Takes the last place of the order off the heap. */
  #pop(): number {
    this.#swap(0, this.#handles.length - 1);
    const popped = this.#handles.pop() ?? -1;
    this.#keys.pop();
    let index = 0;
    for (;;) {
      const child = this.#laterChild(index);
      const [key, handle] = [this.#keys[index] ?? Infinity, this.#handles[index] ?? -1];
      if (child === undefined || !this.#isBefore(key, handle, child)) return popped;
      this.#swap(index, child);
      index = child;
    }
  }

  #laterChild(index: number): number | undefined {
    const [left, right] = [2 * index + 1, 2 * index + 2];
    if (left >= this.#handles.length) return undefined;
    if (right >= this.#handles.length) return left;
    return this.#isBefore(this.#keys[left] ?? Infinity, this.#handles[left] ?? -1, right) ? right : left;
  }

  #swap(a: number, b: number): void {
    for (const values of [this.#keys, this.#handles]) {
      const moved = values[a] ?? 0;
      values[a] = values[b] ?? 0;
      values[b] = moved;
    }
  }
}

/** The column that an order reads; undefined where no row of the table has the stat. */
function sortColumn(by: Sort['by'], table: ClassTable): Column | undefined {
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
