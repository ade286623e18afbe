import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, shardId, marketName } from './address.ts';
import type { Criteria, Sort } from './criteria.ts';
import { limits } from './limits.ts';
import { cursorSchema } from './schemas.ts';
import { compareListings, decodeCursor, encodeCursor, matches, type IndexedListing, type SearchContext } from './search.ts';
import { durationMs, gold, instant, itemId, playerId, rowId, shardVersion } from './units.ts';

const context: SearchContext = {
  now: instant(1_000),
  self: playerId('ada'),
  itemClasses: [
    { id: 'ring', slot: 'finger' },
    { id: 'bow', slot: 'two-hand', heroClasses: ['stalker'] },
  ],
};

type ListingChange = Partial<Omit<IndexedListing, 'item'>> & { readonly item?: Partial<IndexedListing['item']> };

const shard = shardId('bob', 'europe', 'softcore');

const listing = (change: ListingChange = {}): IndexedListing => ({
  id: listingId(rowId(1), shard),
  shard,
  seller: playerId('bob'),
  market: marketName('europe', 'softcore'),
  buyout: gold(100),
  startsAt: instant(0),
  endsAt: instant(5_000),
  version: shardVersion(1),
  ...change,
  item: {
    id: itemId('item-1'),
    baseId: 'ring-1',
    itemClass: 'ring',
    name: 'Karrow’s Vigil Ring',
    rarity: 'set',
    level: 30,
    affixes: [
      { id: 'might', value: 40 },
      { id: 'wit', value: 7 },
    ],
    ...change.item,
  },
});

const withoutBuyout = (): IndexedListing => {
  const { buyout: _buyout, ...rest } = listing();
  return rest;
};

const cases: readonly (readonly [criteria: Criteria, expected: boolean])[] = [
  [{}, true],
  [{ itemClass: 'ring' }, true],
  [{ itemClass: 'bow' }, false],
  [{ slot: 'finger' }, true],
  [{ slot: 'two-hand' }, false],
  [{ heroClass: 'stalker' }, true],
  [{ rarity: ['rare', 'set'] }, true],
  [{ rarity: ['rare'] }, false],
  [{ level: { min: 30, max: 30 } }, true],
  [{ level: { min: 31 } }, false],
  [{ level: { max: 29 } }, false],
  [{ name: "KARROW'S vig" }, true],
  [{ name: 'Ivel' }, false],
  [{ stats: [{ stat: 'might', min: 40, max: 40 }, { stat: 'wit' }] }, true],
  [{ stats: [{ stat: 'might', min: 41 }] }, false],
  [{ stats: [{ stat: 'might', max: 39 }] }, false],
  [{ stats: [{ stat: 'grace' }] }, false],
  [{ stats: [{ stat: 'dps', min: 0 }] }, false],
  [{ buyoutMax: gold(100) }, true],
  [{ buyoutMax: gold(99) }, false],
  [{ endsWithinMs: durationMs(4_000) }, true],
  [{ endsWithinMs: durationMs(3_999) }, false],
  [{ seller: 'me' }, false],
  [{ any: [{ itemClass: 'bow' }, { level: { min: 30 } }] }, true],
  [{ any: [{ itemClass: 'bow' }, { level: { min: 31 } }] }, false],
  [{ none: [{ itemClass: 'bow' }] }, true],
  [{ none: [{ itemClass: 'bow' }, { rarity: ['set'] }] }, false],
  [{ any: [{ none: [{ itemClass: 'ring' }] }] }, false],
];

const sorts = fc.record({ by: fc.constantFrom('buyout', 'currentBid', 'endsAt', 'level', 'dps', 'might'), descending: fc.boolean() });

const valueBySort: Readonly<Record<string, (row: IndexedListing) => number | undefined>> = {
  buyout: ({ buyout }) => buyout,
  currentBid: ({ currentBid }) => currentBid,
  endsAt: ({ endsAt }) => endsAt,
  level: ({ item }) => item.level,
  dps: ({ item }) => item.dps,
  might: ({ item }) => item.affixes.find(({ id }) => id === 'might')?.value,
};

/** Listings with few values, so that many share one, and some have none. */
const listings = fc
  .uniqueArray(fc.nat(1_000), { minLength: 1, maxLength: 30 })
  .chain((rows) => fc.tuple(...rows.map((row) => fc.tuple(fc.constant(row + 1), fc.nat(3), fc.boolean()))))
  .map((drawn) =>
    drawn.map(([row, value, isPriced]): IndexedListing => {
      const base = isPriced ? listing({ buyout: gold(value) }) : withoutBuyout();
      return { ...base, id: listingId(rowId(row), shard), item: { ...base.item, level: value + 1 } };
    }),
  );

describe('matches', () => {
  it.each(cases)('%j: %j', (criteria, expected) => {
    expect(matches(criteria, listing(), context)).toBe(expected);
  });

  it('never shows what has ended, to the millisecond', () => {
    expect(matches({}, listing({ endsAt: instant(1_001) }), context)).toBe(true);
    expect(matches({}, listing({ endsAt: instant(1_000) }), context)).toBe(false);
  });

  it('finds the asking player’s own listings, and nobody’s for one who is not known', () => {
    const own = listing({ seller: playerId('ada') });
    expect(matches({ seller: 'me' }, own, context)).toBe(true);
    expect(matches({ seller: 'me' }, own, { now: context.now, itemClasses: [] })).toBe(false);
  });

  it('keeps hero classes apart, and classes that the catalogue does not know out', () => {
    expect(matches({ heroClass: 'oracle' }, listing({ item: { itemClass: 'bow' } }), context)).toBe(false);
    expect(matches({ heroClass: 'stalker' }, listing({ item: { itemClass: 'lute' } }), context)).toBe(false);
    expect(matches({ itemClass: 'lute' }, listing({ item: { itemClass: 'lute' } }), context)).toBe(true);
  });

  it('does not count a listing without buyout as cheap', () => {
    expect(matches({ buyoutMax: gold(0) }, withoutBuyout(), context)).toBe(false);
  });
});

describe('the order of listings', () => {
  it('is total: by value, those without one last either way, equal values by what nobody chooses', () => {
    fc.assert(
      fc.property(sorts, listings, (sort: Sort, rows) => {
        const sorted = rows.toSorted((a, b) => compareListings(sort, a, b));
        for (const [index, row] of sorted.entries()) {
          const next = sorted[index + 1];
          if (next !== undefined)
            expect([compareListings(sort, row, next) < 0, compareListings(sort, next, row) > 0]).toEqual([true, true]);
        }
        const values = sorted.map((row) => valueBySort[sort.by]?.(row));
        const priced = values.filter((value) => value !== undefined);
        expect(values.slice(0, priced.length)).toEqual(priced);
        expect(priced).toEqual(priced.toSorted((a, b) => (sort.descending === true ? b - a : a - b)));
      }),
    );
  });
});

describe('cursors', () => {
  it('come back as the place that they were made of, and fit the protocol', () => {
    fc.assert(
      fc.property(
        sorts,
        fc.option(fc.maxSafeInteger(), { nil: undefined }),
        fc.integer({ min: 1, max: 2 ** 53 - 1 }),
        (sort: Sort, value, row) => {
          const place = { value, id: listingId(rowId(row), shardId('x'.repeat(64), 'y'.repeat(32), 'hardcore')) };
          const cursor = encodeCursor(sort, place);
          expect(decodeCursor(sort, cursor)).toEqual(place);
          expect(cursorSchema.parse(cursor)).toBe(cursor);
          expect(cursor.length).toBeLessThan(limits.cursorLengthMax);
        },
      ),
    );
  });

  it('of another order, and noise, are none', () => {
    const cursor = encodeCursor({ by: 'buyout' }, { value: 1, id: 'x' });
    expect(decodeCursor({ by: 'level' }, cursor)).toBeUndefined();
    expect(decodeCursor({ by: 'buyout', descending: true }, cursor)).toBeUndefined();
    expect(decodeCursor({ by: 'buyout', descending: false }, cursor)).toEqual({ value: 1, id: 'x' });
    expect(decodeCursor({ by: 'buyout' }, btoa('["buyout",false,1e99,"x"]'))).toBeUndefined();
    expect(decodeCursor({ by: 'buyout' }, btoa('["buyout",false,0.5,"x"]'))).toBeUndefined();
    expect(decodeCursor({ by: 'buyout' }, btoa('["buyout",false,1,2]'))).toBeUndefined();
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (noise) => expect(decodeCursor({ by: 'buyout' }, noise)).toBeUndefined()));
  });
});
