import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, marketName, marketOf, parseListingId, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { epoch, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import type { Criteria } from '#shared/criteria.ts';
import { RARITIES } from '#shared/item.ts';
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
  shardVersion,
} from '#shared/units.ts';
import { ListingIndex } from './listing-index.ts';
import { openListing } from './row-packing.ts';
import type { CellChanges, FeedAnswer, FeedBatch, FeedChange, SearchQuery } from './service.ts';

const { itemClasses } = BUILT_IN_CATALOGUE;
const NOW = instant(1_000_000);
const classes = ['sword', 'bow', 'ring'];
const stats = ['might', 'vigor', 'cruelty', 'dps', 'keen-eye', 'no-such-stat'];
const markets = [marketName('europe', 'softcore'), marketName('asia', 'softcore')];
const players = ['ada', 'bob', 'cy'];
const ADA = shardId('ada', 'europe', 'softcore');

/** A listing made of few different values, so that orders have ties and criteria both match and fail. */
const rowArbitrary: fc.Arbitrary<IndexedListing> = fc
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

const queryArbitrary: fc.Arbitrary<Omit<SearchQuery, 'cursor'>> = fc.record(
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
function cellOfListing(id: ListingId, inEpoch = FIRST_EPOCH): CellEpoch {
  const shard = parseListingId(id)?.shard ?? ADA;
  return { market: marketOf(shard), cell: players.findIndex((player) => shard.startsWith(player)), epoch: inEpoch };
}

const cellsIn = (inEpoch = FIRST_EPOCH): readonly CellEpoch[] =>
  markets.flatMap((market) => players.map((_, cell) => ({ market, cell, epoch: inEpoch })));

const idOf = (change: FeedChange): ListingId => (change.kind === 'put' ? change.row.id : change.id);

const byCell = (changes: readonly FeedChange[], inEpoch = FIRST_EPOCH): readonly CellChanges[] =>
  Array.from(Map.groupBy(changes, (change) => nameOf(cellOfListing(idOf(change)))).values(), (own): CellChanges => ({
    cell: cellOfListing(own[0] === undefined ? listingId(rowId(1), ADA) : idOf(own[0]), inEpoch),
    changes: own,
  }));

/** The dumb twin of the index: rows by id; owner and epoch by cell; the lives of nodes with their positions. */
class Twin {
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

const changeArbitrary: fc.Arbitrary<FeedChange> = fc.oneof(
  { weight: 3, arbitrary: rowArbitrary.map((row) => ({ kind: 'put' as const, row })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(rowArbitrary, fc.nat(6).map(shardVersion))
      .map(([row, version]) => ({ kind: 'remove' as const, id: row.id, version })),
  },
);

/** What happens to a pair of index and twin: a life of a node opens cells with some rows, or tells what changes in them. */
interface Feeding {
  readonly kind: FeedBatch['kind'];
  readonly node: NodeName;
  readonly incarnation: string;
  readonly inEpoch: CellEpoch['epoch'];
  /** Whether the batch starts elsewhere than where the one before ended. */
  readonly isOff: boolean;
  readonly changes: readonly FeedChange[];
}

const feedArbitrary: fc.Arbitrary<Feeding> = fc.record({
  kind: fc.constantFrom('open', 'rows', 'changes', 'changes'),
  node: fc.constantFrom('node-1', 'node-1', 'node-2').map(nodeName),
  incarnation: fc.constantFrom('first', 'first', 'first', 'second'),
  inEpoch: fc.constantFrom(1, 1, 1, 2, 3).map(epoch),
  isOff: fc.boolean().chain((isOff) => (isOff ? fc.boolean() : fc.constant(false))),
  changes: fc.array(changeArbitrary, { maxLength: 15 }),
});

/** A pair whose cells node-1 has opened. */
const openPair = (): readonly [ListingIndex, Twin] => {
  const pair = [new ListingIndex(itemClasses), new Twin()] as const;
  for (const each of pair) each.apply({ kind: 'open', node: nodeName('node-1'), incarnation: 'first', cells: cellsIn() });
  return pair;
};

/** Gives both the same, and holds the answers of one against those of the other. */
const feedBoth = (index: ListingIndex, twin: Twin, feedings: readonly Feeding[]): void => {
  for (const { kind, node, incarnation, inEpoch, isOff, changes } of feedings) {
    const cells = byCell(changes, inEpoch);
    const from = position(twin.positionOf(node) + (isOff ? 1 : 0));
    const opened = cellsIn(inEpoch).filter((each) => cells.some(({ cell }) => nameOf(cell) === nameOf(each)));
    const batches: readonly FeedBatch[] =
      kind === 'changes'
        ? [{ kind, node, incarnation, from, to: position(from + changes.length), cells }]
        : [...(kind === 'open' ? [{ kind, node, incarnation, cells: opened }] : []), { kind: 'rows', node, incarnation, cells }];
    for (const batch of batches) {
      expect(index.apply(batch)).toEqual(twin.apply(batch));
      expect(index.positionOf(nodeName(node))).toBe(twin.positionOf(node));
    }
  }
};

/** Node-1 tells both what changes. */
const changeBoth = (index: ListingIndex, twin: Twin, changes: readonly FeedChange[]): void =>
  feedBoth(index, twin, [{ kind: 'changes', node: nodeName('node-1'), incarnation: 'first', inEpoch: FIRST_EPOCH, isOff: false, changes }]);

const nameOf = ({ market, cell }: Omit<CellEpoch, 'epoch'>): string => `${cell} of ${market}`;

const pageOf = (index: ListingIndex, query: SearchQuery) => {
  const result = index.search(query);
  if (result.kind !== 'found') throw new Error('the cursor is none');
  return { ...result, rows: result.rows.map(openListing) };
};

/** All pages of a search, one after the other, with something that happens between them. */
const pagesOf = (index: ListingIndex, query: Omit<SearchQuery, 'cursor'>, between: () => void = () => {}): readonly ListingFacts[] => {
  let page = pageOf(index, query);
  const rows = [...page.rows];
  while (page.cursor !== undefined) {
    if (rows.length > 1_000) throw new Error('the pages have no end');
    between();
    page = pageOf(index, { ...query, cursor: page.cursor });
    rows.push(...page.rows);
  }
  return rows;
};

describe('the listing index', () => {
  it('finds, counts and orders as its slow twin does, whatever was fed', () => {
    fc.assert(
      fc.property(fc.array(feedArbitrary, { maxLength: 6 }), fc.array(queryArbitrary, { minLength: 1, maxLength: 8 }), (feeds, queries) => {
        const [index, twin] = openPair();
        feedBoth(index, twin, feeds);
        for (const query of queries) {
          const wanted = twin.found(query);
          expect(pageOf(index, query)).toMatchObject({ rows: wanted.slice(0, query.limit), total: wanted.length });
          expect(pagesOf(index, query)).toEqual(wanted);
          expect(pageOf(index, query).cursor === undefined).toBe(wanted.length <= query.limit);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('finds as its twin does after thousands of changes that grow the tables and leave gaps', () => {
    const manyRows = fc.array(fc.tuple(changeArbitrary, fc.integer({ min: 1, max: 400 })), {
      minLength: 2_000,
      maxLength: 3_000,
      size: 'max',
    });
    fc.assert(
      fc.property(manyRows, fc.array(queryArbitrary, { minLength: 30, maxLength: 60 }), (drawn, queries) => {
        const [index, twin] = openPair();
        const changes = drawn.map(([change, row], version): FeedChange => {
          const idOf = (id: ListingId): ListingId =>
            listingId(rowId(row), shardId('ada', id.endsWith('europe.softcore') ? 'europe' : 'asia', 'softcore'));
          if (change.kind === 'remove') return { ...change, id: idOf(change.id), version: shardVersion(version) };
          const id = idOf(change.row.id);
          const shard = parseListingId(id)?.shard ?? change.row.shard;
          return { ...change, row: { ...change.row, id, shard, seller: playerId('ada'), version: shardVersion(version) } };
        });
        changeBoth(index, twin, changes);
        for (const query of queries) {
          const wanted = twin.found(query);
          expect(pageOf(index, query)).toMatchObject({ rows: wanted.slice(0, query.limit), total: wanted.length });
        }
      }),
      { numRuns: 10 },
    );
  });

  it('gives every row back as it was fed', () => {
    fc.assert(
      fc.property(fc.array(feedArbitrary, { maxLength: 4 }), (feeds) => {
        const [index, twin] = openPair();
        feedBoth(index, twin, feeds);
        for (const player of players) {
          for (let row = 1; row <= 12; row += 1) {
            const id = listingId(rowId(row), shardId(player, 'europe', 'softcore'));
            expect(index.get(id)).toEqual(twin.get(id));
          }
        }
      }),
    );
  });

  it('neither repeats nor skips a row that stays, while others come and go between pages', () => {
    fc.assert(
      fc.property(
        fc.array(rowArbitrary, { minLength: 5, maxLength: 30 }),
        fc.array(fc.array(changeArbitrary)),
        queryArbitrary,
        (rows, churn, query) => {
          const [index, twin] = openPair();
          const staying = rows
            .filter((row) => (parseListingId(row.id)?.row ?? 0) % 2 === 0)
            .map((row) => ({ ...row, version: shardVersion(100) }));
          changeBoth(
            index,
            twin,
            [...rows, ...staying].map((row) => ({ kind: 'put', row })),
          );
          const stay = new Set(staying.map(({ id }) => id));
          const wanted = twin.found(query).filter(({ id }) => stay.has(id));
          const pending = [...churn];
          const shown = pagesOf(index, query, () => changeBoth(index, twin, pending.pop() ?? []));
          expect(shown.filter(({ id }) => stay.has(id))).toEqual(wanted);
          expect(shown).toEqual(shown.toSorted((a, b) => compareListings(query.sort, a, b)));
        },
      ),
    );
  });

  it('has the first of two affixes of one id, damage and armor only from the item itself, and nothing of rows whose slots are used again', () => {
    const [index, twin] = openPair();
    const [row] = fc.sample(rowArbitrary, { numRuns: 1, seed: 1 });
    if (row === undefined) throw new Error('no row');
    const affixes = ['might', 'might', 'dps', 'armor'].map((id, place) => ({ id, value: place + 1 }));
    const { dps: _dps, armor: _armor, ...plain } = row.item;
    const queries = ['might', 'dps', 'armor'].flatMap((stat) =>
      [1, 2, 3, 4, 7].map((value) => ({ criteria: { stats: [{ stat, min: value, max: value }] }, sort: { by: stat } })),
    );
    const items = [{ ...plain, affixes }, { ...plain, affixes, dps: 7 }, { ...plain, affixes, armor: 7 }, plain, { ...plain, affixes: [] }];
    for (const [place, item] of items.entries()) {
      const put: FeedChange = { kind: 'put', row: { ...row, item, endsAt: instant(NOW + 1), version: shardVersion(place) } };
      // A second row, so that the one that is replaced is not always the last of its table.
      const second: FeedChange = {
        kind: 'put',
        row: { ...put.row, id: listingId(rowId(99), row.shard), item: items.at(place - 1) ?? item },
      };
      changeBoth(index, twin, [put, second]);
      for (const query of queries) {
        const asked = { ...query, market: row.market, limit: 5, now: NOW };
        expect(pageOf(index, asked).rows).toEqual(twin.found(asked));
      }
    }
  });

  it('takes memory back: names are forgotten and slots used again', () => {
    const [index, twin] = openPair();
    const [row] = fc.sample(rowArbitrary, { numRuns: 1, seed: 1 });
    if (row === undefined) throw new Error('no row');
    for (let version = 1; version <= 1_000; version += 1) {
      changeBoth(index, twin, [
        { kind: 'put', row: { ...row, item: { ...row.item, name: `Name ${version}` }, version: shardVersion(version) } },
      ]);
    }
    expect(index.stats()).toMatchObject({ rows: 1, distinctNames: 1 });
    changeBoth(index, twin, [{ kind: 'remove', id: row.id, version: shardVersion(1_000) }]);
    expect(index.stats()).toMatchObject({ rows: 0, distinctNames: 0, feeds: [{ node: 'node-1', rows: 0 }] });
  });

  it('says so when a cursor is none of this order', () => {
    const index = new ListingIndex(itemClasses);
    const query: SearchQuery = {
      market: marketName('europe', 'softcore'),
      criteria: {},
      sort: { by: 'buyout' },
      limit: 1,
      now: NOW,
      cursor: 'nonsense',
    };
    expect(index.search(query)).toEqual({ kind: 'bad-cursor' });
  });
});

describe('a batch', () => {
  const shard = ADA;
  const listed = (row: number, version = 1): FeedChange => ({
    kind: 'put',
    row: {
      id: listingId(rowId(row), shard),
      shard,
      seller: playerId('ada'),
      market: marketName('europe', 'softcore'),
      item: rollItem(BUILT_IN_CATALOGUE, createPrng(row), { id: itemId(`item-${row}`), level: 70 }),
      startsAt: NOW,
      endsAt: instant(NOW + 1),
      version: shardVersion(version),
    },
  });
  const cell = cellOfListing(listingId(rowId(1), shard));
  const later = { ...cell, epoch: epoch(2) };
  const one = { node: nodeName('n'), incarnation: 'a' } as const;
  const other = { node: nodeName('m'), incarnation: 'a' } as const;
  const needed = { kind: 'snapshot-needed' };
  const applied = (to: number, outdated: readonly CellEpoch[] = []) => ({ kind: 'applied', to, outdated });
  const shown = (index: ListingIndex): readonly boolean[] => [1, 2, 3].map((row) => index.get(listingId(rowId(row), shard)) !== undefined);

  it('of changes goes on where the last one ended, from the opening of a cell on', () => {
    const index = new ListingIndex(itemClasses);
    expect(index.apply({ ...one, kind: 'changes', from: position(0), to: position(20), cells: [] })).toEqual(needed);
    expect(index.apply({ ...one, kind: 'open', cells: [cell] })).toEqual(applied(0));
    expect(index.apply({ ...one, kind: 'changes', from: position(0), to: position(20), cells: [] })).toEqual(applied(20));
    expect(index.apply({ ...one, kind: 'rows', cells: [{ cell, changes: [listed(1)] }] })).toEqual(applied(20));
    expect(index.apply({ ...one, kind: 'changes', from: position(20), to: position(20), cells: [{ cell, changes: [listed(2)] }] })).toEqual(
      applied(20),
    );
    expect(shown(index)).toEqual([true, true, false]);
  });

  it('with a gap, a repeat, another incarnation or a cell that was not opened changes nothing and asks for snapshots', () => {
    const index = new ListingIndex(itemClasses);
    index.apply({ ...one, kind: 'open', cells: [cell] });
    index.apply({ ...one, kind: 'changes', from: position(0), to: position(20), cells: [] });
    const cells = [{ cell, changes: [listed(1)] }];
    expect(index.apply({ ...one, kind: 'changes', from: position(21), to: position(22), cells })).toEqual(needed);
    expect(index.apply({ ...one, kind: 'changes', from: position(0), to: position(20), cells })).toEqual(needed);
    expect(index.apply({ ...one, incarnation: 'b', kind: 'changes', from: position(20), to: position(30), cells })).toEqual(needed);
    expect(index.apply({ ...other, kind: 'changes', from: position(20), to: position(30), cells })).toEqual(needed);
    const unopened = { cell: { ...cell, cell: 2 }, changes: [] };
    expect(index.apply({ ...one, kind: 'changes', from: position(20), to: position(30), cells: [...cells, unopened] })).toEqual(needed);
    expect(index.stats()).toMatchObject({ rows: 0, feeds: [{ ...one, position: 20, cells: 1 }] });
  });

  it('of a later epoch takes the place of all that is known of the cell, and only of it', () => {
    const index = new ListingIndex(itemClasses);
    const elsewhere = { ...cell, cell: 2 };
    index.apply({ ...one, kind: 'open', cells: [cell, elsewhere] });
    index.apply({
      ...one,
      kind: 'rows',
      cells: [
        { cell, changes: [listed(1, 9)] },
        { cell: elsewhere, changes: [listed(2)] },
      ],
    });
    index.apply({ ...other, kind: 'open', cells: [later] });
    index.apply({ ...other, kind: 'rows', cells: [{ cell: later, changes: [listed(3)] }] });
    expect(shown(index)).toEqual([false, true, true]);
    expect(index.stats().feeds).toEqual([
      { ...one, position: 0, cells: 1, rows: 1 },
      { ...other, position: 0, cells: 1, rows: 1 },
    ]);
  });

  it('of an older epoch brings back nothing of what has moved, and its writer is told', () => {
    const index = new ListingIndex(itemClasses);
    const elsewhere = { ...cell, cell: 2 };
    index.apply({ ...one, kind: 'open', cells: [cell, elsewhere] });
    index.apply({ ...other, kind: 'open', cells: [later] });
    const cells = [
      { cell, changes: [listed(1)] },
      { cell: elsewhere, changes: [listed(2)] },
    ];
    expect(index.apply({ ...one, kind: 'changes', from: position(0), to: position(5), cells })).toEqual(applied(5, [cell]));
    expect(index.apply({ ...one, kind: 'rows', cells: cells.slice(0, 1) })).toEqual(applied(5, [cell]));
    expect(index.apply({ ...one, kind: 'open', cells: [cell] })).toEqual(applied(5, [cell]));
    expect(shown(index)).toEqual([false, true, false]);
  });

  it('of a life that has restarted opens its cells anew', () => {
    const index = new ListingIndex(itemClasses);
    index.apply({ ...one, kind: 'open', cells: [cell] });
    index.apply({ ...one, kind: 'changes', from: position(0), to: position(20), cells: [{ cell, changes: [listed(1), listed(2)] }] });
    expect(index.apply({ ...one, incarnation: 'b', kind: 'open', cells: [cell] })).toEqual(applied(0));
    index.apply({ ...one, incarnation: 'b', kind: 'rows', cells: [{ cell, changes: [listed(2)] }] });
    expect(index.apply({ ...one, kind: 'changes', from: position(20), to: position(21), cells: [] })).toEqual(needed);
    expect(shown(index)).toEqual([false, true, false]);
  });
});
