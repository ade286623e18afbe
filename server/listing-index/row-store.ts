/**
 * Every row of the index: by its listing id, with its cell, the text of what no scan reads, and the
 * slot of its class's table.
 *
 * A row's handle is its place in these arrays while it exists; a freed handle is given to a new row.
 * Invariants: R1 a listing id has at most one row. R2 a row's slot and the slot's handle name each other. R3 a row's
 * version never falls while the row is there.
 */
import type { IndexedListing } from '#shared/search.ts';
import type { ListingId, Market, ShardVersion } from '#shared/units.ts';
import { ClassTable } from './class-table.ts';
import { NameDictionary } from './name-dictionary.ts';
import { encodeRow, foundListing, openListing, type FoundListing } from './row-packing.ts';

/** The rows of all markets. */
export class RowStore {
  readonly names = new NameDictionary();
  readonly #tables: ClassTable[] = [];
  readonly #tableNumbersByMarket = new Map<Market, Map<string, number>>();
  readonly #handleById = new Map<ListingId, number>();
  readonly #rowCounts: number[] = [];
  readonly #ids: (ListingId | undefined)[] = [];
  readonly #texts: string[] = [];
  readonly #versions: ShardVersion[] = [];
  readonly #cells: number[] = [];
  readonly #tableNumbers: number[] = [];
  readonly #slots: number[] = [];
  readonly #freeHandles: number[] = [];

  /** How many rows there are. */
  get size(): number {
    return this.#handleById.size;
  }

  /** How many tables there are, over all markets. */
  get tableCount(): number {
    return this.#tables.length;
  }

  /** How many rows a cell has. */
  rowsOf(cell: number): number {
    return this.#rowCounts[cell] ?? 0;
  }

  /** The tables of a market, in no order of meaning. */
  tablesOf(market: Market): readonly ClassTable[] {
    const numbers = this.#tableNumbersByMarket.get(market)?.values() ?? [];
    return [...numbers].flatMap((number) => this.#tables[number] ?? []);
  }

  /** Puts a row in the place of the one with its id, unless that one is of a higher version. */
  put(row: IndexedListing, cell: number): void {
    const known = this.#handleById.get(row.id);
    if (known !== undefined) {
      if ((this.#versions[known] ?? 0) > row.version) return;
      this.#removeAt(known, row.id);
    }
    const handle = this.#freeHandles.pop() ?? this.#ids.length;
    const tableNumber = this.#tableNumber(row.market, row.item.itemClass);
    this.#ids[handle] = row.id;
    this.#texts[handle] = encodeRow(row);
    this.#versions[handle] = row.version;
    this.#cells[handle] = cell;
    this.#tableNumbers[handle] = tableNumber;
    this.#slots[handle] = this.#tableAt(tableNumber).append(row, handle);
    this.#handleById.set(row.id, handle);
    this.#rowCounts[cell] = this.rowsOf(cell) + 1;
  }

  /** Removes a listing's row, unless it is of a higher version. */
  remove(id: ListingId, version: ShardVersion): void {
    const handle = this.#handleById.get(id);
    if (handle !== undefined && (this.#versions[handle] ?? 0) <= version) this.#removeAt(handle, id);
  }

  /** Removes every row of these cells, in one pass over all rows. */
  removeCells(cells: ReadonlySet<number>): void {
    let left = 0;
    for (const cell of cells) left += this.rowsOf(cell);
    for (let handle = 0; left > 0; handle += 1) {
      const id = this.#ids[handle];
      if (id === undefined || !cells.has(this.#cells[handle] ?? -1)) continue;
      this.#removeAt(handle, id);
      left -= 1;
    }
  }

  /** A listing's row, or undefined. */
  get(id: ListingId): IndexedListing | undefined {
    const handle = this.#handleById.get(id);
    const version = handle === undefined ? undefined : this.#versions[handle];
    return handle === undefined || version === undefined ? undefined : { ...openListing(this.foundAt(handle)), version };
  }

  /** The listing of a handle that a table just named. */
  foundAt(handle: number): FoundListing {
    return foundListing(this.idAt(handle), this.#texts[handle] ?? '');
  }

  /** The listing id of a handle that a table just named. */
  idAt(handle: number): ListingId {
    const id = this.#ids[handle];
    if (id === undefined) throw new Error(`the listing index has no row ${handle}`);
    return id;
  }

  #removeAt(handle: number, id: ListingId): void {
    const slot = this.#slots[handle] ?? -1;
    const moved = this.#tableAt(this.#tableNumbers[handle] ?? -1).removeAt(slot);
    if (moved !== undefined) this.#slots[moved] = slot;
    const cell = this.#cells[handle] ?? -1;
    this.#rowCounts[cell] = this.rowsOf(cell) - 1;
    this.#handleById.delete(id);
    this.#ids[handle] = undefined;
    this.#texts[handle] = '';
    this.#freeHandles.push(handle);
  }

  #tableNumber(market: Market, itemClass: string): number {
    const numbers = this.#tableNumbersByMarket.get(market) ?? new Map<string, number>();
    const known = numbers.get(itemClass);
    if (known !== undefined) return known;
    const number = this.#tables.push(new ClassTable(itemClass, this.names)) - 1;
    this.#tableNumbersByMarket.set(market, numbers.set(itemClass, number));
    return number;
  }

  #tableAt(number: number): ClassTable {
    const table = this.#tables[number];
    if (table === undefined) throw new Error(`the listing index has no table ${number}`);
    return table;
  }
}
