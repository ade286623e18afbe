import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { listingId, marketOf, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { createPrng } from '#shared/prng.ts';
import { commands } from '#shared/protocol.ts';
import { gold, instant, itemId, playerId, rowId, shardVersion } from '#shared/units.ts';
import { encodeRow, foundListing } from '#server/listing-index/row-packing.ts';
import { ShownListing } from '#server/listing-index/shown-listing.ts';
import { packShownListings } from './shown-listings.ts';

const shard = shardId('ada', 'europe', 'softcore');
/** As Colyseus makes its own. */
const packr = new Packr({ useRecords: false });

const listings = fc
  .record({
    row: fc.integer({ min: 1, max: 9_999 }),
    seed: fc.nat(99),
    buyout: fc.option(fc.nat(), { nil: undefined }),
    mine: fc.boolean(),
  })
  .map(({ row, seed, buyout, mine }) => {
    const id = listingId(rowId(row), shard);
    const price = buyout === undefined ? {} : { buyout: gold(buyout) };
    const item = rollItem(BUILT_IN_CATALOGUE, createPrng(seed), { id: itemId(`item-${row}`), level: 30 });
    const body = { item, ...price, startsAt: instant(5), endsAt: instant(9) };
    const text = encodeRow({ id, shard, seller: playerId('ada'), market: marketOf(shard), version: shardVersion(1), ...body });
    return { plain: { id, mine, ...body }, shown: new ShownListing(id, mine, foundListing(id, text).body) };
  });

describe('a listing whose fields are made already', () => {
  it('is the same to a client as one that is packed value by value, in answers of any size', () => {
    packShownListings();
    packShownListings();
    fc.assert(
      fc.property(fc.array(listings, { maxLength: 100 }), (drawn) => {
        const answer = { total: drawn.length, lagMs: 0, cursor: 'next' };
        const read: unknown = packr.unpack(packr.pack({ listings: drawn.map(({ shown }) => shown), ...answer }));
        expect(read).toEqual({ listings: drawn.map(({ plain }) => plain), ...answer });
        expect(commands.search.answer.safeParse(read).success).toBe(true);
      }),
    );
  });

  it('is never cut: what cannot be one is refused', () => {
    packShownListings();
    for (const [id, body] of [
      ['x'.repeat(256), [0x80]],
      ['x', [0x8e]],
      ['x', []],
    ] as const)
      expect(() => packr.pack([new ShownListing(id, false, Uint8Array.from(body))])).toThrow('cannot be written');
  });
});
