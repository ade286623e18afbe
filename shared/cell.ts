/**
 * Cells: the slices of a market's shards, and the units of ownership. A cell lives on one node at a time.
 *
 * A cell passes from owner to owner with an epoch that only grows. Whatever a node keeps of a cell (alarms, mirrored
 * rows, running totals, notes of images, listings in the index) carries the epoch in which it was made, so that what a
 * former owner left behind can be told from what is true now.
 */
import { marketOf } from './address.ts';
import { hashOf } from './hash.ts';
import { UnitError, type Epoch, type Market, type ShardId } from './units.ts';

/** A cell in one epoch of its ownership. */
export interface CellEpoch {
  readonly market: Market;
  /** Which of the market's cells: 0 to `limits.cellsPerRegion` - 1. */
  readonly cell: number;
  readonly epoch: Epoch;
}

/** The epoch of every cell until cells move between nodes. */
export const FIRST_EPOCH = epoch(1);

/** Takes a whole, safe number from 1 as an epoch; throws `UnitError` otherwise. */
export function epoch(value: number): Epoch {
  if (!Number.isSafeInteger(value) || value < 1) throw new UnitError(`an epoch is a whole number from 1; not ${value}`);
  return value as Epoch;
}

/**
 * Which of its market's cells a shard belongs to: the hash of the address, as a number without sign, then the
 * remainder. Fixed for ever: a change of this function would move every shard.
 */
export function cellOf(shard: ShardId, cells: number): number {
  return (hashOf(shard) >>> 0) % cells;
}

/** One value for each of some cells, found by the cell or by the address of one of its shards. */
export class CellMap<T> {
  readonly #cellsPerMarket: number;
  readonly #byMarket = new Map<Market, (T | undefined)[]>();

  constructor(cellsPerMarket: number) {
    this.#cellsPerMarket = cellsPerMarket;
  }

  get({ market, cell }: Pick<CellEpoch, 'market' | 'cell'>): T | undefined {
    return this.#byMarket.get(market)?.[cell];
  }

  /** The value for the cell that the shard belongs to. */
  of(shard: ShardId): T | undefined {
    return this.#byMarket.get(marketOf(shard))?.[cellOf(shard, this.#cellsPerMarket)];
  }

  /** Puts a value in the place of the present one; `undefined` takes it away. */
  set({ market, cell }: Pick<CellEpoch, 'market' | 'cell'>, value: T | undefined): void {
    this.#byMarket.getOrInsertComputed(market, () => [])[cell] = value;
  }

  /** All values, market by market. */
  *values(): Generator<T, void> {
    for (const cells of this.#byMarket.values()) for (const value of cells) if (value !== undefined) yield value;
  }
}
