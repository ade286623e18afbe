/**
 * `bench search`: the listing index alone, in this process, with a full market of rolled items.
 *
 * Measured: rebuilding from a node's snapshot, the memory of the process, and the time of single searches, one after
 * the other. Not measured: the way to the index and back, searches during a feed, the collector's pauses under load.
 */
import { listingId, marketName, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { affixesFor, affixRange } from '#shared/catalog/catalogue.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { cellOf, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { SORT_CHEAPEST, type Criteria } from '#shared/criteria.ts';
import type { Item } from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import { createPrng, type Prng } from '#shared/prng.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, instant, itemId, nodeName, playerId, rowId, shardVersion } from '#shared/units.ts';
import { ListingIndex } from '#server/listing-index/listing-index.ts';
import type { CellChanges } from '#server/listing-index/service.ts';
import { percentile } from './harness.ts';

/** The full size: a million listings. */
export const SEARCH_BENCH_DEFAULTS = { listings: 1_000_000, queries: 2_000 };

const MARKET = marketName('europe', 'softcore');
const NOW = instant(1_700_000_000_000);
const PART = 10_000;
const TEMPLATES_PER_CLASS = 1_000;
const { itemClasses, levelMax } = BUILT_IN_CATALOGUE;

/** Runs the benchmark; it takes some 10 s at full size and keeps nothing. */
export function benchSearch(options: typeof SEARCH_BENCH_DEFAULTS): object {
  const prng = createPrng('search');
  const index = new ListingIndex(itemClasses);
  const rebuildMs = fill(index, options.listings, prng);
  const rssBytes = process.memoryUsage().rss;
  const timesOf = (criteria: () => Criteria, queries: number) => timeSearches(index, criteria, queries);
  const classId = () => prng.pick(itemClasses).id;
  timesOf(() => threeStats(prng), Math.min(200, options.queries));
  const threeStatTimes = timesOf(() => threeStats(prng), options.queries);
  return {
    // Of three stat minimums in one class, the 50 cheapest.
    ...threeStatTimes,
    listings: index.stats().rows,
    classes: itemClasses.length,
    queries: options.queries,
    rebuildMs,
    rssBytes,
    others: {
      oneClass: timesOf(() => ({ itemClass: classId() }), Math.ceil(options.queries / 4)),
      nameEverywhere: timesOf(() => ({ name: prng.pick(['heron', 'karrow', 'blade', 'brisk']) }), Math.ceil(options.queries / 40)),
      everything: timesOf(() => ({}), Math.ceil(options.queries / 40)),
      anyOfTwo: timesOf(
        () => ({ itemClass: classId(), any: [threeStats(prng), { rarity: ['legendary'] }] }),
        Math.ceil(options.queries / 4),
      ),
    },
  };
}

/** Feeds a snapshot in parts; the time is that of the index alone, without making the rows. */
function fill(index: ListingIndex, listings: number, prng: Prng): number {
  const templates = itemClasses.flatMap(({ id }) =>
    Array.from({ length: TEMPLATES_PER_CLASS }, () =>
      rollItem(BUILT_IN_CATALOGUE, prng, { id: itemId('template'), level: prng.integer(1, levelMax), itemClass: id }),
    ),
  );
  const from = { node: nodeName('bench'), incarnation: 'only' };
  index.apply({ ...from, kind: 'open', cells: Array.from({ length: limits.cellsPerRegion }, (_, cell) => cellEpoch(cell)) });
  let spentMs = 0;
  for (let made = 0; made < listings; made += PART) {
    const count = Math.min(PART, listings - made);
    const rows = Array.from({ length: count }, (_, place) => rowOf(prng, prng.pick(templates), made + place));
    const cells = byCell(rows);
    const start = performance.now();
    index.apply({ ...from, kind: 'rows', cells });
    spentMs += performance.now() - start;
  }
  return spentMs;
}

function cellEpoch(cell: number): CellEpoch {
  return { market: MARKET, cell, epoch: FIRST_EPOCH };
}

function byCell(rows: readonly IndexedListing[]): readonly CellChanges[] {
  const cells = Map.groupBy(rows, ({ shard }) => cellOf(shard, limits.cellsPerRegion));
  return Array.from(cells, ([cell, own]) => ({ cell: cellEpoch(cell), changes: own.map((row) => ({ kind: 'put' as const, row })) }));
}

function rowOf(prng: Prng, template: Item, number: number): IndexedListing {
  const player = `player-${number % 100_000}`;
  const shard = shardId(player, 'europe', 'softcore');
  return {
    id: listingId(rowId(number + 1), shard),
    shard,
    seller: playerId(player),
    market: MARKET,
    item: { ...template, id: itemId(`item-${number}`) },
    buyout: gold(prng.integer(100, 1_000_000)),
    startsAt: NOW,
    endsAt: instant(NOW + prng.integer(1, 48 * 3_600_000)),
    version: shardVersion(number),
  };
}

/** Three different stats of a class, each at least at the middle of its range for a hero of a middle level. */
function threeStats(prng: Prng): Criteria {
  const itemClass = prng.pick(itemClasses).id;
  const kinds = prng.shuffle(affixesFor(BUILT_IN_CATALOGUE, itemClass, levelMax)).slice(0, 3);
  const stats = kinds.map((kind) => ({ stat: kind.id, min: affixRange(kind, Math.ceil(levelMax / 2))?.min ?? 1 }));
  return { itemClass, stats };
}

function timeSearches(index: ListingIndex, criteriaOf: () => Criteria, queries: number) {
  const times: number[] = [];
  let matching = 0;
  for (let query = 0; query < queries; query += 1) {
    const criteria = criteriaOf();
    const start = performance.now();
    const result = index.search({ market: MARKET, criteria, sort: SORT_CHEAPEST, limit: 50, now: NOW });
    times.push(performance.now() - start);
    matching += result.kind === 'found' ? result.total : 0;
  }
  times.sort((a, b) => a - b);
  // `matching`: rows that matched, on average.
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), maxMs: percentile(times, 1), matching: matching / queries };
}
