/** What a change of the rules or the catalogue does to what was there before: nothing that a player was shown or owns is taken away. */
import { describe, expect, it } from '@jest/globals';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { Json } from '#server/shard/json.ts';
import { completed } from './completed/completed.ts';
import { item } from './goods/stash.ts';
import { listing, listingV1 } from './listing/listing.ts';
import { ADA, BOB, buy, faultsOf, HOUR, list, market, newOp, sell } from './testing/dealings.ts';
import { catalogueWithBound, nameOf, testMarket, testRules } from './testing/market-bench.ts';

/** The image as the first release would have written it: its listings knew no fee. */
function asFirstRelease(image: RawChangeSet): RawChangeSet {
  const fee = listing.schema.columns.findIndex(({ name }) => name === 'saleFeeBasisPoints');
  const puts = image.puts.map((put) =>
    put.table === listing.schema.table ? { ...put, table: listingV1.schema.table, values: put.values.toSpliced(fee, 1) } : put,
  );
  return { ...image, puts };
}

describe('a listing', () => {
  const atRate = (saleFeeBasisPoints: number, more: object = {}) =>
    testMarket({ rules: testRules({ gold: { priceMax: Number.MAX_SAFE_INTEGER, saleFeeBasisPoints, ...more } }) });

  it('is sold at the fee under which it was posted, whatever the rules have become, and over a reload', () => {
    const net = market(testRules(), { gold: 2_000 });
    const id = list(net, ADA, 'ada-0', 1_000);
    net.driver(ADA).reload(atRate(3_000, { byItemClass: { sword: { saleFeeBasisPoints: 4_000 } } }));
    net.driver(ADA).reload();
    const later = list(net, ADA, 'ada-1', 1_000);
    buy(net, BOB, id, 1_000);
    net.driver(ADA).reload(atRate(0));
    buy(net, BOB, later, 1_000);
    expect(net.driver(ADA).rows(completed)).toMatchObject([
      { gold: 850, fees: Json.of([{ name: 'sale', rate: 1_500, gold: 150 }]) },
      { gold: 600, fees: Json.of([{ name: 'sale', rate: 4_000, gold: 400 }]) },
    ]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('of the first release takes the fee of the rules in force when it is upgraded, and keeps it from then on', () => {
    const net = market();
    const id = list(net, ADA, 'ada-0', 1_000);
    const ada = net.driver(ADA);
    ada.loadFrom(asFirstRelease(ada.image()));
    expect(ada.rows(listing)).toMatchObject([{ buyout: 1_000, saleFeeBasisPoints: 1_500 }]);
    ada.reload(atRate(3_000));
    buy(net, BOB, id, 1_000);
    expect(ada.rows(completed)).toMatchObject([{ gold: 850, fees: Json.of([{ name: 'sale', rate: 1_500, gold: 150 }]) }]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('of the first release takes the fee of its own item class', () => {
    const net = market();
    list(net, ADA, 'ada-0', 1_000);
    const ada = net.driver(ADA);
    const old = asFirstRelease(ada.image());
    ada.reload(atRate(1_000, { byItemClass: { sword: { saleFeeBasisPoints: 2_000 } } }));
    const upgrade = ada.loadFrom(old);
    expect(ada.rows(listing)).toMatchObject([{ saleFeeBasisPoints: 2_000 }]);
    expect(upgrade?.removes).toEqual(upgrade?.puts.map(({ row }) => ({ table: 'listing_v1', id: row.id })));
  });
});

describe('an item that can no longer be traded', () => {
  const changes: readonly (readonly [string, Catalogue])[] = [
    ['its base is bound', catalogueWithBound('sword-4')],
    ['its base is gone', { ...BUILT_IN_CATALOGUE, baseItems: BUILT_IN_CATALOGUE.baseItems.filter(({ id }) => id !== 'sword-4') }],
    ['an affix is gone', { ...BUILT_IN_CATALOGUE, affixes: BUILT_IN_CATALOGUE.affixes.filter(({ id }) => id !== 'vigor') }],
    [
      'its base is of another class',
      {
        ...BUILT_IN_CATALOGUE,
        baseItems: BUILT_IN_CATALOGUE.baseItems.map((base) => (base.id === 'sword-4' ? { ...base, itemClass: 'axe' } : base)),
      },
    ],
  ];

  it.each(changes)('because %s, is not put up for sale, and stays where it is', (_why, catalogue) => {
    const net = market();
    net.driver(ADA).reload(testMarket({ catalogue }));
    const before = net.driver(ADA).image();
    expect(sell(net, ADA, { itemId: 'ada-0', buyout: 100 })).toMatchObject({ name: 'item-not-tradable' });
    expect(net.driver(ADA).image()).toEqual(before);
  });

  it.each(changes)('because %s, is sold, cancelled, expires and is claimed if it was listed before', (_why, catalogue) => {
    const net = market(testRules(), { items: 4 });
    const [sold = '', cancelled = ''] = [0, 1, 2].map((index) => list(net, ADA, `ada-${index}`, 100, { durationMs: HOUR }));
    for (const shard of [ADA, BOB]) net.driver(shard).reload(testMarket({ catalogue }));
    expect(nameOf(buy(net, BOB, sold, 100))).toBe('answer');
    expect(net.command(ADA, 'cancel', { listingId: cancelled }, newOp()).handled).toMatchObject({ value: { item: { id: 'ada-1' } } });
    net.wait(HOUR);
    net.command(ADA, 'claim', { all: true }, newOp());
    net.command(BOB, 'claim', { all: true }, newOp());
    const stash = net.driver(ADA).rows(item);
    expect(stash.map(({ itemId }) => itemId).toSorted()).toEqual(['ada-1', 'ada-2', 'ada-3']);
    expect(sell(net, BOB, { itemId: 'ada-0', buyout: 100 })).toMatchObject({ name: 'item-not-tradable' });
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });
});
