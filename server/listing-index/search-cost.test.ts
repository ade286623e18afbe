/** Tables of several blocks, where a search skips what it can, and what it costs. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, marketName, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { FIRST_EPOCH } from '#shared/cell.ts';
import type { Criteria, Sort } from '#shared/criteria.ts';
import { compareListings, matches, type IndexedListing } from '#shared/search.ts';
import { durationMs, gold, instant, itemId, nodeName, playerId, rowId, shardVersion } from '#shared/units.ts';
import { ListingIndex } from './listing-index.ts';
import { BLOCK_SLOTS } from './number-column.ts';
import type { FeedChange } from './service.ts';

const { itemClasses } = BUILT_IN_CATALOGUE;
const MARKET = marketName('europe', 'softcore');
const ADA = shardId('ada', 'europe', 'softcore');
const NOW = instant(1_000_000);
const cell = { market: MARKET, cell: 0, epoch: FIRST_EPOCH };
const life = { node: nodeName('n'), incarnation: 'a' };

interface Facts {
  readonly itemClass?: string;
  readonly name?: string;
  readonly level?: number;
  readonly might?: number | undefined;
  readonly buyout?: number | undefined;
  readonly endsAt?: number;
}

function listed(row: number, { itemClass = 'ring', name = 'Ring', level = 1, might, buyout, endsAt = 1 }: Facts): IndexedListing {
  return {
    id: listingId(rowId(row), ADA),
    shard: ADA,
    seller: playerId('ada'),
    market: MARKET,
    item: {
      id: itemId(`i${row}`),
      baseId: 'b',
      itemClass,
      name,
      rarity: 'rare',
      level,
      affixes: might === undefined ? [] : [{ id: 'might', value: might }],
    },
    ...(buyout === undefined ? {} : { buyout: gold(buyout) }),
    startsAt: NOW,
    endsAt: instant(NOW + endsAt),
    version: shardVersion(row),
  };
}

const put = (row: IndexedListing): FeedChange => ({ kind: 'put', row });
const remove = ({ id }: IndexedListing): FeedChange => ({ kind: 'remove', id, version: shardVersion(1_000_000) });

function indexOf(changes: readonly FeedChange[], costMax?: number): ListingIndex {
  const index = new ListingIndex(itemClasses, costMax);
  index.apply({ ...life, kind: 'open', cells: [cell] });
  index.apply({ ...life, kind: 'rows', cells: [{ cell, changes }] });
  return index;
}

const ask = (index: ListingIndex, criteria: Criteria, sort: Sort = { by: 'buyout' }, limit = 5) =>
  index.search({ market: MARKET, criteria, sort, limit, now: NOW });

/** What the index finds, or why it did not look. */
function found(index: ListingIndex, criteria: Criteria, sort?: Sort, limit?: number) {
  const answer = ask(index, criteria, sort, limit);
  if (answer.kind !== 'found') throw new Error(answer.kind);
  return { ids: answer.rows.map(({ id }) => id), total: answer.total, cost: answer.cost };
}

/** In blocks that differ from one another, as those of a market do in what rises with time. */
const rowsArbitrary = fc
  .record({
    count: fc.integer({ min: 1, max: 4 * BLOCK_SLOTS }),
    seed: fc.array(
      fc.record({
        might: fc.option(fc.nat(50), { nil: undefined }),
        buyout: fc.option(fc.nat(1_000), { nil: undefined }),
        endsAt: fc.integer({ min: -1, max: 3 }),
        rise: fc.nat(3),
      }),
      { minLength: 7, maxLength: 13 },
    ),
    hasAllPrices: fc.boolean(),
  })
  .map(({ count, seed, hasAllPrices }) =>
    Array.from({ length: count }, (_, place) => {
      const { might, buyout, endsAt, rise } = seed[place % seed.length] ?? { endsAt: 1, rise: 0 };
      const price = buyout === undefined && hasAllPrices ? 7 : buyout;
      const level = 1 + Math.floor(place / BLOCK_SLOTS) * 10 + rise;
      return listed(place + 1, { level, might, buyout: price === undefined ? undefined : price + place * rise, endsAt: endsAt + level });
    }),
  );

const leaf: fc.Arbitrary<Criteria> = fc.oneof(
  fc.constant({}),
  fc.nat(50).map((min) => ({ level: { min } })),
  fc.nat(50).map((max) => ({ level: { max } })),
  fc.nat(50).map((min) => ({ stats: [{ stat: 'might', min }] })),
  fc.nat(9_000).map((buyoutMax) => ({ buyoutMax: gold(buyoutMax) })),
  fc.nat(40).map((ms) => ({ endsWithinMs: durationMs(ms) })),
  fc.constantFrom('ring', 'zz').map((name) => ({ name })),
);
const criteriaArbitrary: fc.Arbitrary<Criteria> = fc
  .record({ top: leaf, more: leaf, any: fc.array(leaf, { maxLength: 3 }), none: fc.array(leaf, { maxLength: 2 }) })
  .map(({ top, more, any, none }) => ({
    ...top,
    ...more,
    ...(any.length === 0 ? {} : { any: any.map((node) => ({ ...node, any: [node, {}] })) }),
    ...(none.length === 0 ? {} : { none }),
  }));
const sortArbitrary: fc.Arbitrary<Sort> = fc.record({
  by: fc.constantFrom('buyout', 'endsAt', 'level', 'might', 'currentBid', 'no-such-stat'),
  descending: fc.boolean(),
});

describe('a search of tables of several blocks', () => {
  it('skips no row that matches, whatever was removed, and costs no more than was reckoned', () => {
    const asked = fc.array(fc.tuple(criteriaArbitrary, sortArbitrary), { minLength: 5, maxLength: 10 });
    fc.assert(
      fc.property(rowsArbitrary, fc.func(fc.integer({ min: 0, max: 3 })), asked, (rows, fate, queries) => {
        const gone = rows.filter((row) => fate(row.item.level, row.buyout) === 0);
        const isGone = new Set(gone);
        const left = rows.filter((row) => !isGone.has(row));
        const index = indexOf(rows.map(put));
        const reckoning = indexOf([...rows.map(put), ...gone.map(remove)], -1);
        const check = (those: readonly IndexedListing[]): void => {
          for (const [criteria, sort] of queries) {
            const wanted = those.filter((row) => matches(criteria, row, { now: NOW, itemClasses }));
            const first = wanted.toSorted((a, b) => compareListings(sort, a, b)).slice(0, 5);
            expect(found(index, criteria, sort)).toMatchObject({ ids: first.map(({ id }) => id), total: wanted.length });
          }
        };
        check(rows);
        index.apply({ ...life, kind: 'rows', cells: [{ cell, changes: gone.map(remove) }] });
        check(left);
        for (const [criteria, sort] of queries) {
          const reckoned = ask(reckoning, criteria, sort);
          if (reckoned.kind !== 'too-broad') throw new Error('it was run');
          expect(found(index, criteria, sort).cost).toBeLessThanOrEqual(reckoned.cost);
        }
      }),
      { numRuns: 12 },
    );
  });

  it('does not look at blocks that cannot have one of the first, and counts them all the same', () => {
    const rows = Array.from({ length: 20 * BLOCK_SLOTS }, (_, place) => listed(place + 1, { buyout: place }));
    const index = indexOf(rows.map(put));
    const { ids, total, cost } = found(index, {});
    expect({ ids, total }).toEqual({ ids: rows.slice(0, 5).map(({ id }) => id), total: rows.length });
    expect(cost).toBe(BLOCK_SLOTS);
  });

  it('looks again at a block whose cheapest has gone', () => {
    const rows = Array.from({ length: 3 * BLOCK_SLOTS }, (_, place) => listed(place + 1, { buyout: 10 + (place % BLOCK_SLOTS) }));
    const cheapest = rows[BLOCK_SLOTS] ?? listed(1, {});
    const index = indexOf([...rows.map(put), put({ ...cheapest, buyout: gold(1), version: shardVersion(9_999) })]);
    expect(found(index, {}).ids[0]).toBe(cheapest.id);
    index.apply({ ...life, kind: 'rows', cells: [{ cell, changes: [remove(cheapest)] }] });
    expect(found(index, { buyoutMax: gold(9) })).toEqual({ ids: [], total: 0, cost: 0 });
  });
});

describe('the cost of a search', () => {
  it('is that of each row looked at by each condition', () => {
    const index = indexOf([put(listed(1, { level: 5 })), put(listed(2, { level: 9 }))]);
    // Both levels, then the one that is left by its end, which its block answers, and by its place in the order.
    expect(found(index, { level: { min: 6 } }).cost).toBe(2 + 1);
    expect(found(index, { itemClass: 'bow' }).cost).toBe(0);
    expect(found(index, { stats: [{ stat: 'might' }] }).cost).toBe(0);
  });

  it('has each name looked at once, however often it is asked for', () => {
    const names = ['Alder', 'Birch', 'Cedar'];
    const rows = ['ring', 'sword', 'bow'].flatMap((itemClass, place) =>
      names.map((name, index) => listed(1 + place * 3 + index, { itemClass, name })),
    );
    const index = indexOf(rows.map(put));
    const once = 3 * 8;
    expect(found(index, { name: 'oak' }).cost).toBe(once + 9);
    // The branches look at each row, and so does what joins them.
    expect(found(index, { any: [{ name: 'oak' }, { name: 'oak' }] }).cost).toBe(once + 27);
    expect(found(index, { any: [{ name: 'oak' }, { name: 'elm' }] }).cost).toBe(2 * once + 27);
  });

  it('above what any may cost is not paid: the search is not run, and says what it wanted', () => {
    const changes = [put(listed(1, {})), put(listed(2, { itemClass: 'bow' }))];
    const criteria = { level: { min: 1 }, none: [{ name: 'x' }] };
    const [row, names] = [1 + 1 + 1 + 2, 8];
    expect(ask(indexOf(changes, 2 * row + names), criteria).kind).toBe('found');
    expect(ask(indexOf(changes, 2 * row + names - 1), criteria)).toEqual({
      kind: 'too-broad',
      cost: 2 * row + names,
      costMax: 2 * row + names - 1,
    });
    expect(ask(indexOf(changes, 2 * row + names - 1), { ...criteria, itemClass: 'bow' }).kind).toBe('found');
  });
});
