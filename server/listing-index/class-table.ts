/**
 * The columns of one market and item class. A row is a slot; slots are always 0 to `size - 1`, since a removal moves
 * the last row into the gap. The owner of the rows keeps which slot a row is in, by the row's handle.
 *
 * Invariants: C1 every column has at least `size` slots and nothing but missing values beyond. C2 a stat column exists
 * once a row has that stat. C3 each row holds its name in the dictionary once. C4 `columns` has every column once.
 */
import { hashOf } from '#shared/hash.ts';
import { RARITIES, type Item } from '#shared/item.ts';
import { tieOf, type IndexedListing } from '#shared/search.ts';
import { NumberColumn, grownCapacity } from './number-column.ts';
import type { NameDictionary } from './name-dictionary.ts';

/** The columns of one class. */
export class ClassTable {
  readonly itemClass: string;
  readonly buyout = new NumberColumn('float64', 0);
  readonly currentBid = new NumberColumn('float64', 0);
  readonly endsAt = new NumberColumn('float64', 0);
  readonly level = new NumberColumn('int32', 0);
  /** Affixes, damage and armor by name. */
  readonly stats = new Map<string, NumberColumn>();
  readonly #names: NameDictionary;
  readonly #columns: NumberColumn[] = [this.buyout, this.currentBid, this.endsAt, this.level];
  #rarities = new Uint8Array(0);
  #nameNumbers = new Int32Array(0);
  #sellerHashes = new Int32Array(0);
  #ties = new Int32Array(0);
  #handles = new Int32Array(0);
  #capacity = 0;
  #size = 0;

  /** An empty table that keeps its names in that dictionary. */
  constructor(itemClass: string, names: NameDictionary) {
    this.itemClass = itemClass;
    this.#names = names;
  }

  /** How many rows there are. */
  get size(): number {
    return this.#size;
  }

  /** The index in `RARITIES` by slot. */
  get rarities(): Uint8Array {
    return this.#rarities;
  }

  /** The name's number by slot. */
  get nameNumbers(): Int32Array {
    return this.#nameNumbers;
  }

  /** `hashOf` the seller by slot. */
  get sellerHashes(): Int32Array {
    return this.#sellerHashes;
  }

  /** `tieOf` the listing by slot. */
  get ties(): Int32Array {
    return this.#ties;
  }

  /** The row's handle by slot. */
  get handles(): Int32Array {
    return this.#handles;
  }

  /** Adds a row under a handle and returns its slot. */
  append(row: IndexedListing, handle: number): number {
    const slot = this.#size;
    const { item } = row;
    this.#reserve(slot + 1);
    this.#size += 1;
    if (row.buyout !== undefined) this.buyout.write(slot, row.buyout);
    if (row.currentBid !== undefined) this.currentBid.write(slot, row.currentBid);
    this.endsAt.write(slot, row.endsAt);
    this.level.write(slot, item.level);
    this.#writeStats(slot, item);
    this.#rarities[slot] = RARITIES.indexOf(item.rarity);
    this.#nameNumbers[slot] = this.#names.hold(item.name);
    this.#sellerHashes[slot] = hashOf(row.seller);
    this.#ties[slot] = tieOf(row.id);
    this.#handles[slot] = handle;
    return slot;
  }

  /** Removes the row of a slot; returns the handle of the row that is in the slot now, if one was moved into it. */
  removeAt(slot: number): number | undefined {
    const last = this.#size - 1;
    this.#names.release(this.#nameNumbers[slot] ?? 0);
    for (const column of this.#columns) column.replaceByLast(slot, last);
    this.#rarities[slot] = this.#rarities[last] ?? 0;
    this.#nameNumbers[slot] = this.#nameNumbers[last] ?? 0;
    this.#sellerHashes[slot] = this.#sellerHashes[last] ?? 0;
    this.#ties[slot] = this.#ties[last] ?? 0;
    this.#handles[slot] = this.#handles[last] ?? 0;
    this.#size = last;
    return slot === last ? undefined : this.#handles[slot];
  }

  /** As `statOf` has it: of affixes with one id the first counts, and damage and armor are the item's own. */
  #writeStats(slot: number, { affixes, dps, armor }: Item): void {
    if (dps !== undefined) this.#statColumn('dps').write(slot, dps);
    if (armor !== undefined) this.#statColumn('armor').write(slot, armor);
    for (const { id, value } of affixes) {
      if (id === 'dps' || id === 'armor') continue;
      const column = this.#statColumn(id);
      if (column.read(slot) === undefined) column.write(slot, value);
    }
  }

  #statColumn(stat: string): NumberColumn {
    const known = this.stats.get(stat);
    if (known !== undefined) return known;
    const column = new NumberColumn('int32', this.#capacity);
    this.stats.set(stat, column);
    this.#columns.push(column);
    return column;
  }

  #reserve(size: number): void {
    const capacity = grownCapacity(this.#capacity, size);
    if (capacity === this.#capacity) return;
    for (const column of this.#columns) column.grow(capacity);
    this.#rarities = copied(this.#rarities, new Uint8Array(capacity));
    this.#nameNumbers = copied(this.#nameNumbers, new Int32Array(capacity));
    this.#sellerHashes = copied(this.#sellerHashes, new Int32Array(capacity));
    this.#ties = copied(this.#ties, new Int32Array(capacity));
    this.#handles = copied(this.#handles, new Int32Array(capacity));
    this.#capacity = capacity;
  }
}

function copied<Values extends Uint8Array | Int32Array>(from: Values, to: Values): Values {
  to.set(from);
  return to;
}
