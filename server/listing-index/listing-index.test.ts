import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, parseListingId, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import type { Criteria } from '#shared/criteria.ts';
import { RARITIES } from '#shared/item.ts';
import { createPrng } from '#shared/prng.ts';
import { compareListings, matches, type IndexedListing } from '#shared/search.ts';
import { durationMs, gold, instant, itemId, playerId, type ListingId } from '#shared/units.ts';
import { createListingIndex, type FeedBatch, type FeedChange, type ListingIndex, type SearchQuery } from './listing-index.ts';

const { itemClasses } = BUILT_IN_CATALOGUE;
const NOW = instant(1_000_000);
const classes = ['sword', 'bow', 'ring'];
const stats = ['might', 'vigor', 'cruelty', 'dps', 'keen-eye', 'no-such-stat'];
const markets = ['europe.softcore', 'asia.softcore'];
const players = ['ada', 'bob', 'cy'];

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
    version: fc.nat(5),
  })
  .map(({ row, player, region, seed, level, itemClass, rarity, buyout, currentBid, endsAt, version }) => {
    const shard = shardId(player, region, 'softcore');
    return {
      id: listingId(row, shard),
      shard,
      seller: playerId(player),
      market: `${region}.softcore`,
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

/** The dumb twin of the index: rows by id, with the node that feeds each. */
class Twin {
  readonly #rows = new Map<ListingId, { readonly row: IndexedListing; readonly node: string }>();

  apply({ node, snapshot, changes }: FeedBatch): void {
    if (snapshot === true) for (const [id, known] of this.#rows) if (known.node === node) this.#rows.delete(id);
    for (const change of changes) {
      const id = change.kind === 'put' ? change.row.id : change.id;
      const version = change.kind === 'put' ? change.row.version : change.version;
      if ((this.#rows.get(id)?.row.version ?? -1) > version) continue;
      if (change.kind === 'put') this.#rows.set(id, { row: change.row, node });
      else this.#rows.delete(id);
    }
  }

  get(id: ListingId): IndexedListing | undefined {
    return this.#rows.get(id)?.row;
  }

  found({ market, criteria, sort, now, self }: Omit<SearchQuery, 'cursor'>): readonly IndexedListing[] {
    const context = { now, itemClasses, ...(self === undefined ? {} : { self }) };
    return [...this.#rows.values()]
      .map(({ row }) => row)
      .filter((row) => row.market === market && matches(criteria, row, context))
      .toSorted((a, b) => compareListings(sort, a, b));
  }
}

const changeArbitrary: fc.Arbitrary<FeedChange> = fc.oneof(
  { weight: 3, arbitrary: rowArbitrary.map((row) => ({ kind: 'put' as const, row })) },
  { weight: 1, arbitrary: fc.tuple(rowArbitrary, fc.nat(6)).map(([row, version]) => ({ kind: 'remove' as const, id: row.id, version })) },
);

/** What happens to a pair of index and twin: a batch of a node, or a search page by page with batches in between. */
const feedArbitrary = fc.record({
  node: fc.constantFrom('node-1', 'node-2'),
  isSnapshot: fc.boolean(),
  changes: fc.array(changeArbitrary, { maxLength: 15 }),
});

/** Applies feeds in order to both, with positions that follow on. */
const feedBoth = (
  index: ListingIndex,
  twin: Twin,
  feeds: readonly { node: string; isSnapshot: boolean; changes: readonly FeedChange[] }[],
): void => {
  for (const { node, isSnapshot, changes } of feeds) {
    const position = index.stats().feeds.find((feed) => feed.node === node)?.position;
    const snapshot = isSnapshot || position === undefined ? { snapshot: true as const } : {};
    const batch = { node, incarnation: 'first', from: position ?? 0, to: (position ?? 0) + changes.length, ...snapshot, changes };
    expect(index.apply(batch)).toEqual({ kind: 'applied', to: batch.to });
    twin.apply(batch);
  }
};

const pageOf = (index: ListingIndex, query: SearchQuery) => {
  const result = index.search(query);
  if (result.kind !== 'found') throw new Error('the cursor is none');
  return result;
};

/** All pages of a search, one after the other, with something that happens between them. */
const pagesOf = (index: ListingIndex, query: Omit<SearchQuery, 'cursor'>, between: () => void = () => {}): readonly IndexedListing[] => {
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
        const [index, twin] = [createListingIndex(itemClasses), new Twin()];
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
        const [index, twin] = [createListingIndex(itemClasses), new Twin()];
        const changes = drawn.map(([change, row], version): FeedChange => {
          const idOf = (id: ListingId): ListingId =>
            listingId(row, shardId('ada', id.endsWith('europe.softcore') ? 'europe' : 'asia', 'softcore'));
          if (change.kind === 'remove') return { ...change, id: idOf(change.id), version };
          const id = idOf(change.row.id);
          const shard = parseListingId(id)?.shard ?? change.row.shard;
          return { ...change, row: { ...change.row, id, shard, seller: playerId('ada'), version } };
        });
        feedBoth(index, twin, [{ node: 'node-1', isSnapshot: false, changes }]);
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
        const [index, twin] = [createListingIndex(itemClasses), new Twin()];
        feedBoth(index, twin, feeds);
        for (const player of players) {
          for (let row = 1; row <= 12; row += 1) {
            const id = listingId(row, shardId(player, 'europe', 'softcore'));
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
          const [index, twin] = [createListingIndex(itemClasses), new Twin()];
          const staying = rows.filter((row) => (parseListingId(row.id)?.row ?? 0) % 2 === 0).map((row) => ({ ...row, version: 100 }));
          feedBoth(index, twin, [
            { node: 'node-1', isSnapshot: true, changes: [...rows, ...staying].map((row) => ({ kind: 'put', row })) },
          ]);
          const wanted = twin.found(query).filter((row) => row.version === 100);
          const pending = [...churn];
          const shown = pagesOf(index, query, () =>
            feedBoth(index, twin, [{ node: 'node-1', isSnapshot: false, changes: pending.pop() ?? [] }]),
          );
          expect(shown.filter((row) => row.version === 100)).toEqual(wanted);
          expect(shown).toEqual(shown.toSorted((a, b) => compareListings(query.sort, a, b)));
        },
      ),
    );
  });

  it('has the first of two affixes of one id, damage and armor only from the item itself, and nothing of rows whose slots are used again', () => {
    const [index, twin] = [createListingIndex(itemClasses), new Twin()];
    const [row] = fc.sample(rowArbitrary, { numRuns: 1, seed: 1 });
    if (row === undefined) throw new Error('no row');
    const affixes = ['might', 'might', 'dps', 'armor'].map((id, place) => ({ id, value: place + 1 }));
    const { dps: _dps, armor: _armor, ...plain } = row.item;
    const queries = ['might', 'dps', 'armor'].flatMap((stat) =>
      [1, 2, 3, 4, 7].map((value) => ({ criteria: { stats: [{ stat, min: value, max: value }] }, sort: { by: stat } })),
    );
    const items = [{ ...plain, affixes }, { ...plain, affixes, dps: 7 }, { ...plain, affixes, armor: 7 }, plain, { ...plain, affixes: [] }];
    for (const [place, item] of items.entries()) {
      const put: FeedChange = { kind: 'put', row: { ...row, item, endsAt: instant(NOW + 1), version: place } };
      // A second row, so that the one that is replaced is not always the last of its table.
      const second: FeedChange = { kind: 'put', row: { ...put.row, id: listingId(99, row.shard), item: items.at(place - 1) ?? item } };
      feedBoth(index, twin, [{ node: 'node-1', isSnapshot: false, changes: [put, second] }]);
      for (const query of queries) {
        const asked = { ...query, market: row.market, limit: 5, now: NOW };
        expect(pageOf(index, asked).rows).toEqual(twin.found(asked));
      }
    }
  });

  it('takes memory back: names are forgotten and slots used again', () => {
    const index = createListingIndex(itemClasses);
    const [row] = fc.sample(rowArbitrary, { numRuns: 1, seed: 1 });
    if (row === undefined) throw new Error('no row');
    index.apply({ node: 'n', incarnation: 'a', from: 0, to: 0, snapshot: true, changes: [] });
    for (let version = 1; version <= 1_000; version += 1) {
      const named = { ...row, item: { ...row.item, name: `Name ${version}` }, version };
      index.apply({ node: 'n', incarnation: 'a', from: 0, to: 0, changes: [{ kind: 'put', row: named }] });
    }
    expect(index.stats()).toMatchObject({ rows: 1, distinctNames: 1 });
    index.apply({ node: 'n', incarnation: 'a', from: 0, to: 0, changes: [{ kind: 'remove', id: row.id, version: 1_000 }] });
    expect(index.stats()).toMatchObject({ rows: 0, distinctNames: 0, feeds: [{ node: 'n', rows: 0 }] });
  });

  it('says so when a cursor is none of this order', () => {
    const index = createListingIndex(itemClasses);
    const query: SearchQuery = { market: 'europe.softcore', criteria: {}, sort: { by: 'buyout' }, limit: 1, now: NOW, cursor: 'nonsense' };
    expect(index.search(query)).toEqual({ kind: 'bad-cursor' });
  });
});

describe('a feed', () => {
  const batch = (change: Partial<FeedBatch> = {}): FeedBatch => ({ node: 'n', incarnation: 'a', from: 10, to: 20, changes: [], ...change });
  const needed = { kind: 'snapshot-needed' };

  it('starts with a snapshot, and goes on where the last batch ended', () => {
    const index = createListingIndex(itemClasses);
    expect(index.apply(batch())).toEqual(needed);
    expect(index.apply(batch({ snapshot: true }))).toEqual({ kind: 'applied', to: 20 });
    expect(index.apply(batch({ from: 20, to: 30 }))).toEqual({ kind: 'applied', to: 30 });
    expect(index.apply(batch({ from: 30, to: 30 }))).toEqual({ kind: 'applied', to: 30 });
  });

  it('with a gap, a repeat or another incarnation changes nothing and asks for a snapshot', () => {
    const [row] = fc.sample(rowArbitrary, { numRuns: 1, seed: 2 });
    if (row === undefined) throw new Error('no row');
    const index = createListingIndex(itemClasses);
    index.apply(batch({ snapshot: true }));
    const changes: readonly FeedChange[] = [{ kind: 'put', row }];
    expect(index.apply(batch({ from: 21, to: 22, changes }))).toEqual(needed);
    expect(index.apply(batch({ from: 10, to: 20, changes }))).toEqual(needed);
    expect(index.apply(batch({ from: 20, to: 30, incarnation: 'b', changes }))).toEqual(needed);
    expect(index.apply(batch({ node: 'm', from: 20, to: 30, changes }))).toEqual(needed);
    expect(index.stats()).toMatchObject({ rows: 0, feeds: [{ node: 'n', incarnation: 'a', position: 20 }] });
  });

  it('that restarts replaces its own rows by its snapshot, and leaves those of other nodes', () => {
    const index = createListingIndex(itemClasses);
    const rows = players.map((player, place): IndexedListing => {
      const shard = shardId(player, 'europe', 'softcore');
      const item = rollItem(BUILT_IN_CATALOGUE, createPrng(place), { id: itemId(player), level: 70 });
      return {
        id: listingId(1, shard),
        shard,
        seller: playerId(player),
        market: 'europe.softcore',
        item,
        startsAt: NOW,
        endsAt: instant(NOW + 1),
        version: 1,
      };
    });
    const puts = rows.map((row): FeedChange => ({ kind: 'put', row }));
    index.apply(batch({ snapshot: true, changes: puts.slice(0, 2) }));
    index.apply(batch({ node: 'm', snapshot: true, changes: puts.slice(2) }));
    index.apply(batch({ snapshot: true, incarnation: 'b', from: 0, to: 5, changes: puts.slice(1, 2) }));
    expect(rows.map((row) => index.get(row.id) !== undefined)).toEqual([false, true, true]);
    expect(index.stats().feeds).toEqual([
      { node: 'n', incarnation: 'b', position: 5, rows: 1 },
      { node: 'm', incarnation: 'a', position: 20, rows: 1 },
    ]);
  });
});
