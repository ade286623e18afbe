/** What the index makes of mirrored rows, also of those that an older version has written. */
import { describe, expect, it } from '@jest/globals';
import { gold, instant, rowId, shardVersion } from '#shared/units.ts';
import type { RawPut } from '#server/shard/change-set.ts';
import { defineShard, type ShardDefinition } from '#server/shard/definition.ts';
import { defineEntity, goldAmount, json } from '#server/shard/entity.ts';
import { upgrader, type Powerup } from '#server/shard/powerup.ts';
import type { Item } from '#shared/item.ts';
import { listingsOfMirrored } from './indexed-rows.ts';
import { listing, listingRows } from './listing/listing.ts';
import { player, testItem } from './testing/market-bench.ts';

/** A listing as a program before the first one might have had it. */
const oldListing = defineEntity('listing', { version: 0, attributes: { item: json<Item>(), price: goldAmount() } });
/** A price at which the upgrade fails. */
const CURSED = 13;
const powerup: Powerup = {
  name: 'listings',
  entities: [listing],
  alarms: { 'expire-listing': () => undefined },
  projections: [listing],
  upgraders: [
    upgrader(oldListing, listing, ({ item, price }) => {
      if (price === CURSED) throw new Error('a bug of the upgrade');
      const at = instant(1_000);
      return {
        ...listing.newRow(
          { item, buyout: price, postedAt: at, startsAt: at, cancelUntil: at, endsAt: at, saleFeeBasisPoints: 1_500 },
          rowId(1),
        ),
      };
    }),
  ],
};
const definition: ShardDefinition = defineShard([powerup]);
const ADA = player('ada');
const item = testItem('sword');

function mirrored(...puts: readonly RawPut[]) {
  const rows = puts.map((put) => ({ ...put, shard: ADA, version: shardVersion(7) }));
  const faults: Error[] = [];
  const listings = [...listingsOfMirrored(listingRows, definition, rows, (found) => void faults.push(...found))];
  return { listings, faults };
}

describe('a mirrored row', () => {
  const old: RawPut = { table: 'listing_v0', id: rowId(5), values: [JSON.stringify(item), 300] };

  it('of an older version is what its shard will make of it', () => {
    const { listings } = mirrored(old);
    expect(listings).toMatchObject([{ shard: ADA, version: 7, item, buyout: gold(300), endsAt: 1_000 }]);
  });

  it.each<[string, RawPut, string]>([
    ['of another entity', { table: 'failure_v1', id: rowId(6), values: [] }, 'failure_v1 is no table of listings that this program knows'],
    ['of a version that nobody knows', { table: 'listing_v9', id: rowId(6), values: [] }, 'listing_v9 is no table of listings'],
    ['that is no JSON', { table: 'listing_v0', id: rowId(6), values: ['{', 300] }, 'JSON'],
    ['that is no item', { table: 'listing_v0', id: rowId(6), values: ['{"id":"x"}', 300] }, 'its item is none'],
    ['that its entity does not allow', { table: 'listing_v0', id: rowId(6), values: [JSON.stringify(item), -300] }, 'listing.buyout'],
    ['that its upgrade cannot take', { table: 'listing_v0', id: rowId(6), values: [JSON.stringify(item), CURSED] }, 'a bug of the upgrade'],
  ])('%s is none, and is told; the others are there', (_what, put, why) => {
    const { listings, faults } = mirrored(put, old);
    expect(listings).toMatchObject([{ id: `5.${ADA}` }]);
    expect(faults.map(({ message }) => message)).toEqual([`the row 6 of ${put.table} of ${ADA} is no listing`]);
    expect(String(faults[0]?.cause)).toContain(why);
  });
});
