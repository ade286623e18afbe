/**
 * Sums by cell, place and asset class, exact beyond 2^53: of a chunk of the journal, or of the
 * whole ledger.
 */
import { marketOf } from '#shared/address.ts';
import type { CellEpoch } from '#shared/cell.ts';
import type { Epoch, Market } from '#shared/units.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import { assetClass } from '#server/shard/ledger.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import type { CellTotals, LedgerSegment } from '../disk/storage.ts';
import type { Total } from '../persister/persister.ts';

/**
 * The part of a sum that has left the safe integers goes into a BigInt; the rest stays a number,
 * which is far cheaper.
 */
class Sum {
  #carried = 0n;
  #rest = 0;

  add(amount: number): void {
    const rest = this.#rest + amount;
    if (Number.isSafeInteger(rest)) this.#rest = rest;
    else {
      this.#carried += BigInt(this.#rest) + BigInt(amount);
      this.#rest = 0;
    }
  }

  get amount(): bigint {
    return this.#carried + BigInt(this.#rest);
  }
}

/** The sums of one cell in one epoch. */
export class CellSums {
  readonly of: CellEpoch;
  readonly #places: readonly string[];
  readonly #sumsByPlace: readonly Map<string, Sum>[];

  constructor(of: CellEpoch, places: readonly string[]) {
    this.of = of;
    this.#places = places;
    this.#sumsByPlace = places.map(() => new Map());
  }

  /** Adds to one sum; a place is its number in the record format. */
  add(placeNumber: number, ofClass: string, amount: number): void {
    const sums = this.#sumsByPlace[placeNumber];
    if (sums === undefined) throw new Error(`there is no place number ${placeNumber}`);
    let sum = sums.get(ofClass);
    if (sum === undefined) {
      sum = new Sum();
      sums.set(ofClass, sum);
    }
    sum.add(amount);
  }

  /** All sums that are not zero, by `place asset-class`. */
  byKey(): ReadonlyMap<string, bigint> {
    const amountByKey = new Map<string, bigint>();
    for (const [number, place] of this.#places.entries()) {
      for (const [ofClass, { amount }] of this.#sumsByPlace[number] ?? [])
        if (amount !== 0n) amountByKey.set(`${place} ${ofClass}`, amount);
    }
    return amountByKey;
  }
}

/**
 * The sums of all cells, with one `CellEpoch` for each cell and epoch: so these can be told apart
 * as objects.
 */
export class Sums {
  readonly #all: CellSums[] = [];
  /**
   * Of each cell of each market those that were asked for last: nearly always there are no others.
   */
  readonly #lastByMarket = new Map<Market, (CellSums | undefined)[]>();
  readonly #places: readonly string[];
  readonly #cursor: RecordCursor;

  constructor(places: readonly string[]) {
    this.#places = places;
    // Ledger lines name no tables.
    this.#cursor = new RecordCursor({ schemas: new Map(), places });
  }

  /** The sums of a cell in an epoch. */
  of(market: Market, cell: number, epoch: Epoch): CellSums {
    const last = this.#lastByMarket.getOrInsertComputed(market, () => []);
    const sums = last[cell];
    if (sums?.of.epoch === epoch) return sums;
    const other = sums && this.#all.find(({ of }) => of.market === market && of.cell === cell && of.epoch === epoch);
    const found = other ?? new CellSums({ market, cell, epoch }, this.#places);
    if (other === undefined) this.#all.push(found);
    last[cell] = found;
    return found;
  }

  /** Adds all lines of a segment of the ledger, whose shard is in that cell of its market. */
  addSegment({ shard, epoch, lines }: LedgerSegment, cell: number): void {
    const sums = this.of(marketOf(shard), cell, epoch);
    const bytes = asBuffer(lines);
    for (let offset = 0; offset < bytes.length; offset = this.#cursor.offset) {
      for (const { place, asset, amount } of this.#cursor.entry(bytes, offset).postings)
        sums.add(this.#places.indexOf(place), assetClass(asset), amount);
    }
  }

  /** All sums that are not zero. */
  byCell(): readonly CellTotals[] {
    return this.#all.map((sums) => ({ of: sums.of, amountByKey: sums.byKey() })).filter(({ amountByKey }) => amountByKey.size > 0);
  }
}

/** A sum of one cell, by `place asset-class`. */
export interface CellTotal {
  readonly of: CellEpoch;
  readonly key: string;
  readonly amount: bigint;
}

/**
 * What these come to by market, in the order of their keys. What comes to nothing is left out:
 * between cells of a market gold is cleared.
 */
export function byMarket(totals: Iterable<CellTotal>): readonly Total[] {
  const amountByKey = new Map<string, bigint>();
  for (const { of, key, amount } of totals) {
    const ofMarket = `${of.market} ${key}`;
    amountByKey.set(ofMarket, (amountByKey.get(ofMarket) ?? 0n) + amount);
  }
  const sums = [...amountByKey].map(([key, amount]): Total => ({ key, amount })).filter(({ amount }) => amount !== 0n);
  return sums.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
