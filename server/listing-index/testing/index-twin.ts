/** The dumb twin of the listing index, and random listings, feedings and searches to hold the two against each other. */
import fc from 'fast-check';
import { listingId, marketName, marketOf, parseListingId, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { cellOf, epoch, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import type { Criteria } from '#shared/criteria.ts';
import { RARITIES } from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import { createPrng } from '#shared/prng.ts';
import { compareListings, matches, type IndexedListing, type ListingFacts } from '#shared/search.ts';
import {
  durationMs,
  gold,
  instant,
  itemId,
  type ListingId,
  NO_POSITION,
  type NodeName,
  nodeName,
  playerId,
  type Position,
  position,
  rowId,
  type ShardId,
  shardVersion,
} from '#shared/units.ts';
import type { CellChanges, FeedAnswer, FeedBatch, FeedChange, SearchQuery } from '../service.ts';

const { itemClasses } = BUILT_IN_CATALOGUE;
/** The time of all searches. */
export const NOW = instant(1_000_000);
const classes = ['sword', 'bow', 'ring'];
const stats = ['might', 'vigor', 'cruelty', 'dps', 'keen-eye', 'no-such-stat'];
const markets = [marketName('europe', 'softcore'), marketName('asia', 'softcore')];
const players = ['ada', 'bob', 'cy'];
/** A shard. */
export const ADA = shardId('ada', 'europe', 'softcore');

/** A listing made of few different values, so that orders have ties and criteria both match and fail. */
export const rowArbitrary: fc.Arbitrary<IndexedListing> = fc
  .record({
    row: fc.integer({ min: 1, max: 12 }),
    player: fc.constantFrom(...players),
    region: fc.constantFrom('europe', 'asia'),
    seed: fc.nat(40),
    level: fc.constantFrom(1, 30, 70),
    itemClass: fc.constantFrom(...classes),
    rarity: fc.constantFrom(...RARITIES),
    buyout: fc.option(fc.constantFrom(1, 2, 3, 2 ** 31, 2 ** 53 - 1), { nil: undefined }),
    currentBid: fc.option(fc.constantFrom(0, 1, 5), { nil: undefined }),
    endsAt: fc.constantFrom(-1, 0, 1, 500, 1_000).map((offset) => instant(NOW + offset)),
    version: fc.nat(5).map(shardVersion),
  })
  .map(({ row, player, region, seed, level, itemClass, rarity, buyout, currentBid, endsAt, version }) => {
    const shard = shardId(player, region, 'softcore');
    return {
      id: listingId(rowId(row), shard),
      shard,
      seller: playerId(player),
      market: marketOf(shard),
      item: rollItem(BUILT_IN_CATALOGUE, createPrng(seed), { id: itemId(`item-${row}`), level, itemClass, rarity }),
      ...(buyout === undefined ? {} : { buyout: gold(buyout) }),
      ...(currentBid === undefined ? {} : { currentBid: gold(currentBid) }),
      startsAt: instant(NOW - 1),
      endsAt,
      version,
    };
  });

const range = (values: readonly number[]) =>
  fc.record({ min: fc.constantFrom(...values), max: fc.constantFrom(...values) }, { requiredKeys: [] });

const leafArbitrary = fc.record(
  {
    itemClass: fc.constantFrom(...classes, 'lute'),
    slot: fc.constantFrom('main-hand', 'two-hand', 'finger'),
    rarity: fc.uniqueArray(fc.constantFrom(...RARITIES), { minLength: 1 }),
    level: range([0, 1, 30, 70, 100]),
    heroClass: fc.constantFrom('stalker', 'reaver'),
    name: fc.constantFrom('of the', 'LITHE', "'s", 'Blade', 'x'),
    stats: fc.array(
      fc.tuple(fc.constantFrom(...stats), range([-1, 0, 2, 50, 200, 2 ** 40])).map(([stat, ends]) => ({ stat, ...ends })),
      { maxLength: 3 },
    ),
    buyoutMax: fc.constantFrom(0, 2, 2 ** 31, 2 ** 53 - 1).map(gold),
    endsWithinMs: fc.constantFrom(0, 1, 500).map(durationMs),
    seller: fc.constant('me' as const),
  },
  { requiredKeys: [] },
);

/** Mostly few conditions, so that something is found. */
const sparseLeaf: fc.Arbitrary<Criteria> = fc.tuple(leafArbitrary, fc.uniqueArray(fc.nat(9), { maxLength: 2 })).map(([leaf, kept]) => {
  const entries = Object.entries(leaf).filter((_, index) => kept.includes(index));
  return Object.fromEntries(entries);
});

const branches = (node: fc.Arbitrary<Criteria>): fc.Arbitrary<Criteria> =>
  fc
    .tuple(
      sparseLeaf,
      fc.record(
        { any: fc.array(node, { minLength: 1, maxLength: 3 }), none: fc.array(node, { minLength: 1, maxLength: 2 }) },
        { requiredKeys: [] },
      ),
    )
    .map(([leaf, rest]) => ({ ...leaf, ...rest }));

const criteriaArbitrary = fc.oneof(sparseLeaf, branches(sparseLeaf), branches(branches(sparseLeaf)));

/** A first page of some search. */
export const queryArbitrary: fc.Arbitrary<Omit<SearchQuery, 'cursor'>> = fc.record(
  {
    market: fc.constantFrom(...markets),
    criteria: criteriaArbitrary,
    sort: fc.record({
      by: fc.constantFrom('buyout', 'currentBid', 'endsAt', 'level', 'dps', 'armor', 'might', 'no-such-stat'),
      descending: fc.boolean(),
    }),
    limit: fc.integer({ min: 1, max: 5 }),
    now: fc.constant(NOW),
    self: fc.constantFrom(...players).map(playerId),
  },
  { requiredKeys: ['market', 'criteria', 'sort', 'limit', 'now'] },
);

/** The cell of a listing: every player has one in each market. */
export function cellOfListing(id: ListingId, inEpoch = FIRST_EPOCH): CellEpoch {
  return cellOfShard(parseListingId(id)?.shard ?? ADA, inEpoch);
}

function cellOfShard(shard: ShardId, inEpoch: CellEpoch['epoch']): CellEpoch {
  return { market: marketOf(shard), cell: cellOf(shard, limits.cellsPerRegion), epoch: inEpoch };
}

/** All cells, in an epoch. */
export const cellsIn = (inEpoch = FIRST_EPOCH): readonly CellEpoch[] =>
  ['europe', 'asia'].flatMap((region) => players.map((player) => cellOfShard(shardId(player, region, 'softcore'), inEpoch)));

const idOf = (change: FeedChange): ListingId => (change.kind === 'put' ? change.row.id : change.id);

/** Changes by the cells of their listings. */
const byCell = (changes: readonly FeedChange[], inEpoch = FIRST_EPOCH): readonly CellChanges[] =>
  Array.from(Map.groupBy(changes, (change) => nameOf(cellOfListing(idOf(change)))).values(), (own): CellChanges => ({
    cell: cellOfListing(own[0] === undefined ? listingId(rowId(1), ADA) : idOf(own[0]), inEpoch),
    changes: own,
  }));

/** The dumb twin of the index: rows by id; owner and epoch by cell; the lives of nodes with their positions. */
export class Twin {
  readonly #rows = new Map<ListingId, IndexedListing>();
  readonly #cells = new Map<string, { readonly epoch: number; readonly life: number }>();
  readonly #lives = new Map<NodeName, { readonly incarnation: string; readonly number: number; readonly position: Position }>();
  #livesBegun = 0;

  apply(batch: FeedBatch): FeedAnswer {
    const { node, incarnation } = batch;
    const isOutdated = ({ epoch: at, ...cell }: CellEpoch): boolean => (this.#cells.get(nameOf(cell))?.epoch ?? 0) > at;
    const isKnown = this.#lives.get(node)?.incarnation === incarnation;
    if (batch.kind === 'open' && !isKnown) this.#lives.set(node, { incarnation, number: ++this.#livesBegun, position: NO_POSITION });
    const life = this.#lives.get(node)?.number ?? 0;
    if (batch.kind === 'open') {
      for (const cell of batch.cells.filter((each) => !isOutdated(each))) {
        this.#cells.set(nameOf(cell), { epoch: cell.epoch, life });
        for (const id of this.#rows.keys()) if (nameOf(cellOfListing(id)) === nameOf(cell)) this.#rows.delete(id);
      }
      return { kind: 'applied', to: this.positionOf(node), outdated: batch.cells.filter(isOutdated) };
    }
    const isNext = batch.kind === 'rows' || batch.from === this.positionOf(node);
    const isOwn = (cell: CellEpoch): boolean => {
      const known = this.#cells.get(nameOf(cell));
      return known?.epoch === cell.epoch && known.life === life;
    };
    if (!isKnown || !isNext || batch.cells.some(({ cell }) => !isOutdated(cell) && !isOwn(cell))) return { kind: 'snapshot-needed' };
    for (const { changes } of batch.cells.filter(({ cell }) => isOwn(cell))) for (const change of changes) this.#change(change);
    const to = batch.kind === 'changes' ? batch.to : this.positionOf(node);
    this.#lives.set(node, { incarnation, number: life, position: to });
    return { kind: 'applied', to, outdated: batch.cells.map(({ cell }) => cell).filter(isOutdated) };
  }

  positionOf(node: NodeName): Position {
    return this.#lives.get(node)?.position ?? NO_POSITION;
  }

  #change(change: FeedChange): void {
    const version = change.kind === 'put' ? change.row.version : change.version;
    if ((this.#rows.get(idOf(change))?.version ?? -1) > version) return;
    if (change.kind === 'put') this.#rows.set(change.row.id, change.row);
    else this.#rows.delete(change.id);
  }

  get(id: ListingId): IndexedListing | undefined {
    return this.#rows.get(id);
  }

  found({ market, criteria, sort, now, self }: Omit<SearchQuery, 'cursor'>): readonly ListingFacts[] {
    const context = { now, itemClasses, ...(self === undefined ? {} : { self }) };
    return [...this.#rows.values()]
      .filter((row) => row.market === market && matches(criteria, row, context))
      .map(({ version: _version, ...facts }): ListingFacts => facts)
      .toSorted((a, b) => compareListings(sort, a, b));
  }
}

/** A change of some listing. */
export const changeArbitrary: fc.Arbitrary<FeedChange> = fc.oneof(
  { weight: 3, arbitrary: rowArbitrary.map((row) => ({ kind: 'put' as const, row })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(rowArbitrary, fc.nat(6).map(shardVersion))
      .map(([row, version]) => ({ kind: 'remove' as const, id: row.id, version })),
  },
);

/** What happens to a pair of index and twin: a life of a node opens cells with some rows, or tells what changes in them. */
export interface Feeding {
  readonly kind: FeedBatch['kind'];
  readonly node: NodeName;
  readonly incarnation: string;
  readonly inEpoch: CellEpoch['epoch'];
  /** Whether the batch starts elsewhere than where the one before ended. */
  readonly isOff: boolean;
  readonly changes: readonly FeedChange[];
}

/** Some feeding. */
export const feedArbitrary: fc.Arbitrary<Feeding> = fc.record({
  kind: fc.constantFrom('open', 'rows', 'changes', 'changes'),
  node: fc.constantFrom('node-1', 'node-1', 'node-2').map(nodeName),
  incarnation: fc.constantFrom('first', 'first', 'first', 'second'),
  inEpoch: fc.constantFrom(1, 1, 1, 2, 3).map(epoch),
  isOff: fc.boolean().chain((isOff) => (isOff ? fc.boolean() : fc.constant(false))),
  changes: fc.array(changeArbitrary, { maxLength: 15 }),
});

/** What a feeding tells the index, of which the node's last batch ended at a position. */
export function batchesOf({ kind, node, incarnation, inEpoch, isOff, changes }: Feeding, last: Position): readonly FeedBatch[] {
  const cells = byCell(changes, inEpoch);
  const from = position(last + (isOff ? 1 : 0));
  if (kind === 'changes') return [{ kind, node, incarnation, from, to: position(from + changes.length), cells }];
  const opened = cellsIn(inEpoch).filter((each) => cells.some(({ cell }) => nameOf(cell) === nameOf(each)));
  const rows: FeedBatch = { kind: 'rows', node, incarnation, cells };
  return kind === 'open' ? [{ kind, node, incarnation, cells: opened }, rows] : [rows];
}

function nameOf({ market, cell }: Omit<CellEpoch, 'epoch'>): string {
  return `${cell} of ${market}`;
}
