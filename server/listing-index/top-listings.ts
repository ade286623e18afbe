/**
 * The first rows of an order out of many, without sorting the rest: at most `limit` rows in order,
 * against the last of which every other row is compared once.
 */
import type { Sort } from '#shared/criteria.ts';
import { sortKey, type SortPlace } from '#shared/search.ts';
import type { ClassTable } from './class-table.ts';
import type { NumberColumn } from './number-column.ts';
import type { RowStore } from './row-store.ts';
import type { Selection } from './selection.ts';

/** The first `limit` rows after a place. */
export class TopListings {
  readonly #sort: Sort;
  readonly #limit: number;
  readonly #rows: RowStore;
  readonly #after: { readonly key: number; readonly id: string } | undefined;
  /** The keys of the rows kept, first to last, and in step with them their handles. */
  readonly #keys: number[] = [];
  readonly #handles: number[] = [];

  /** Nothing yet; `after` leaves out that place and what comes before it. */
  constructor(sort: Sort, limit: number, rows: RowStore, after: SortPlace | undefined) {
    this.#sort = sort;
    this.#limit = limit;
    this.#rows = rows;
    this.#after = after === undefined ? undefined : { key: sortKey(sort, after.value), id: after.id };
  }

  /** The handles of the rows kept, first to last. */
  get handles(): readonly number[] {
    return this.#handles;
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

  /** The key beyond which no row is of interest. */
  #lastKey(): number {
    return this.#handles.length < this.#limit ? Infinity : (this.#keys.at(-1) ?? Infinity);
  }

  /** Puts a row in its place, and drops the last one if there are too many. */
  #consider(key: number, handle: number): void {
    const after = this.#after;
    if (after !== undefined && key === after.key && this.#rows.idAt(handle) <= after.id) return;
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(key, handle, middle)) high = middle;
      else low = middle + 1;
    }
    this.#keys.splice(low, 0, key);
    this.#handles.splice(low, 0, handle);
    if (this.#handles.length <= this.#limit) return;
    this.#keys.pop();
    this.#handles.pop();
  }

  /** Whether a row comes before the one kept at that place. */
  #isBefore(key: number, handle: number, place: number): boolean {
    const other = this.#keys[place] ?? Infinity;
    return key === other ? this.#rows.idAt(handle) < this.#rows.idAt(this.#handles[place] ?? -1) : key < other;
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
