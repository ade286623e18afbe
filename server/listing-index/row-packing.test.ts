import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, shardId, marketOf } from '#shared/address.ts';
import { RARITIES } from '#shared/item.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, GOLD_MAX, instant, itemId, playerId, rowId, shardVersion } from '#shared/units.ts';
import { encodeRow, foundListing, openListing } from './row-packing.ts';

const shard = shardId('ada', 'europe', 'softcore');

describe('the text of a row', () => {
  it('gives back what the row says, whatever its words', () => {
    // What half a character is to a client, MessagePack cannot say.
    const word = fc.string({ unit: 'binary' }).map((text) => text.toWellFormed());
    const items = fc.record(
      {
        id: fc.constant(itemId('item-1')),
        baseId: word,
        itemClass: fc.constant('ring'),
        name: fc.oneof(word, fc.constantFrom('Ő', '\u0100', 'Karrow’s', '𝔊', 'é\u00ff')),
        rarity: fc.constantFrom(...RARITIES),
        level: fc.nat(70),
        affixes: fc.array(fc.record({ id: word, value: fc.integer() })),
        dps: fc.nat(),
        armor: fc.nat(),
      },
      { requiredKeys: ['id', 'baseId', 'itemClass', 'name', 'rarity', 'level', 'affixes'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(items, fc.boolean(), (item, isPriced) => {
        const prices = isPriced ? { buyout: GOLD_MAX, currentBid: gold(0) } : {};
        const ids = { id: listingId(rowId(7), shard), shard, seller: playerId('ada'), market: marketOf(shard) };
        const facts = { ...ids, item, ...prices, startsAt: instant(5), endsAt: instant(9) };
        const row: IndexedListing = { ...facts, version: shardVersion(3) };
        const text = encodeRow(row);
        expect(openListing(foundListing(row.id, text))).toEqual(facts);
        expect(/^[\0-\xff]*$/.test(text)).toBe(true);
      }),
    );
  });
});
