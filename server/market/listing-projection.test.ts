/** What the index makes of mirrored rows, also of those that an older version has written. */
import { describe, expect, it } from '@jest/globals';
import { gold, instant } from '#shared/units.ts';
import type { RawPut } from '#server/shard/change-set.ts';
import { defineShard, type ShardDefinition } from '#server/shard/definition.ts';
import { defineEntity, gold as goldAttribute, json } from '#server/shard/entity.ts';
import { upgrader, type Powerup } from '#server/shard/powerup.ts';
import type { Item } from '#shared/item.ts';
import { listing } from './entities.ts';
import { listingOfMirrored } from './listing-projection.ts';
import { player, testItem } from './testing/market-bench.ts';

/** A listing as a program before the first one might have had it. */
const oldListing = defineEntity('listing', { version: 0, attributes: { item: json<Item>(), price: goldAttribute() } });
const powerup: Powerup = {
  name: 'listings',
  entities: [listing],
  alarms: { 'expire-listing': () => undefined },
  projections: [listing],
  upgraders: [
    upgrader(oldListing, listing, ({ item, price }) => {
      const at = instant(1_000);
      return {
        ...listing.newRow({ item, buyout: price, postedAt: at, startsAt: at, cancelUntil: at, endsAt: at, saleFeeBasisPoints: 1_500 }, 1),
      };
    }),
  ],
};
const definition: ShardDefinition = defineShard([powerup]);
const ADA = player('ada');
const item = testItem('sword');

function mirrored(put: RawPut): ReturnType<typeof listingOfMirrored> {
  return listingOfMirrored(definition, { ...put, shard: ADA, version: 7 });
}

describe('a mirrored row', () => {
  it('of an older version is what its shard will make of it', () => {
    const found = mirrored({ table: 'listing_v0', id: 5, values: [JSON.stringify(item), 300] });
    expect(found).toMatchObject({ shard: ADA, version: 7, item, buyout: gold(300), endsAt: 1_000 });
  });

  it.each([
    ['of another entity', { table: 'failure_v1', id: 5, values: [] }],
    ['of a version that nobody knows', { table: 'listing_v9', id: 5, values: [] }],
    ['that is no JSON', { table: 'listing_v0', id: 5, values: ['{', 300] }],
    ['that is no item', { table: 'listing_v0', id: 5, values: ['{"id":"x"}', 300] }],
    ['that its entity does not allow', { table: 'listing_v0', id: 5, values: [JSON.stringify(item), -300] }],
  ])('%s is none, and no failure', (_what, put) => {
    expect(mirrored(put)).toBeUndefined();
  });
});
