/** A full market of rolled items for the benchmark of the listing index: its rows by number, and how they come and go. */
import { listingId, marketName, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { cellOf, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import type { Item } from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, instant, itemId, nodeName, playerId, position, rowId, type ShardId, shardVersion } from '#shared/units.ts';
import type { CellChanges, FeedBatch, FeedChange } from '#server/listing-index/service.ts';

/** The node that feeds the index. */
export const NODE = nodeName('bench');
/** The market of all listings. */
export const MARKET = marketName('europe', 'softcore');
/** The time of all searches. */
export const NOW = instant(1_700_000_000_000);

const LIFE = { node: NODE, incarnation: 'only' };
const SELLERS = 100_000;
const TEMPLATES_PER_CLASS = 1_000;
const { itemClasses, levelMax } = BUILT_IN_CATALOGUE;

/** The market: listings have numbers, and end at random within two days. */
export class MarketListings {
  readonly #prng: Prng;
  readonly #templates: readonly Item[];
  readonly #live: Int32Array;
  #made = 0;
  #position = position(0);

  constructor(prng: Prng, listings: number) {
    this.#prng = prng;
    this.#live = new Int32Array(listings);
    this.#templates = itemClasses.flatMap(({ id }) =>
      Array.from({ length: TEMPLATES_PER_CLASS }, () =>
        rollItem(BUILT_IN_CATALOGUE, prng, { id: itemId('template'), level: prng.integer(1, levelMax), itemClass: id }),
      ),
    );
  }

  /** What opens all of its cells. */
  opening(): FeedBatch {
    return { ...LIFE, kind: 'open', cells: Array.from({ length: limits.cellsPerRegion }, (_, cell) => cellEpoch(cell)) };
  }

  /** The next part of the snapshot; `undefined` after the last one. */
  part(rows: number): FeedBatch | undefined {
    const count = Math.min(rows, this.#live.length - this.#made);
    if (count === 0) return undefined;
    const changes = Array.from({ length: count }, () => {
      this.#live[this.#made] = this.#made;
      return this.#put();
    });
    return { ...LIFE, kind: 'rows', cells: byCell(changes) };
  }

  /** So many changes: half of them remove a listing, half put a new one in its place. */
  changes(count: number): FeedBatch {
    const changes = Array.from({ length: count / 2 }, () => {
      const place = this.#prng.integer(0, this.#live.length - 1);
      const gone: FeedChange = { kind: 'remove', id: idOf(this.#live[place] ?? 0), version: shardVersion(this.#made) };
      this.#live[place] = this.#made;
      return [gone, this.#put()];
    }).flat();
    const from = this.#position;
    this.#position = position(from + 1);
    return { ...LIFE, kind: 'changes', from, to: this.#position, cells: byCell(changes) };
  }

  #put(): FeedChange {
    return { kind: 'put', row: rowOf(this.#prng, this.#prng.pick(this.#templates), this.#made++) };
  }
}

function rowOf(prng: Prng, template: Item, number: number): IndexedListing {
  return {
    id: idOf(number),
    shard: shardOf(number),
    seller: playerId(`player-${number % SELLERS}`),
    market: MARKET,
    item: { ...template, id: itemId(`item-${number}`) },
    buyout: gold(prng.integer(100, 1_000_000)),
    startsAt: NOW,
    endsAt: instant(NOW + prng.integer(1, 48 * 3_600_000)),
    version: shardVersion(number),
  };
}

function shardOf(number: number): ShardId {
  return shardId(`player-${number % SELLERS}`, 'europe', 'softcore');
}

function idOf(number: number) {
  return listingId(rowId(number + 1), shardOf(number));
}

function cellEpoch(cell: number): CellEpoch {
  return { market: MARKET, cell, epoch: FIRST_EPOCH };
}

function byCell(changes: readonly FeedChange[]): readonly CellChanges[] {
  const shardOfChange = (change: FeedChange): ShardId => {
    const { id } = change.kind === 'put' ? change.row : change;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `idOf` made it of a shard.
    return id.slice(id.indexOf('.') + 1) as ShardId;
  };
  const cells = Map.groupBy(changes, (change) => cellOf(shardOfChange(change), limits.cellsPerRegion));
  return Array.from(cells, ([cell, own]) => ({ cell: cellEpoch(cell), changes: own }));
}
