import { Decoder, Encoder } from '@colyseus/schema';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BUILT_IN_CATALOGUE } from './catalog/built-in.ts';
import { lootFor } from './catalog/loot.ts';
import type { Item } from './item.ts';
import { AffixState, ItemState } from './item-state.ts';
import { CompletedState, FeeLineState } from './protocol/completed.ts';
import { ListingState } from './protocol/listing.ts';
import { PlayerState } from './state.ts';
import { GOLD_MAX, itemId, QUANTITY_MAX, sealedId } from './units.ts';

// The default of 8 KiB is grown with a warning on the console; the full state here is larger on purpose.
Encoder.BUFFER_SIZE = 64 * 1_024;

const toItemState = (item: Item): ItemState => new ItemState({ ...item, affixes: item.affixes.map((affix) => new AffixState(affix)) });

/** A server's state and the client's copy, with the two ways to bring the copy up to date. */
const replicated = () => {
  const server = new PlayerState({ name: 'ada', region: 'europe', mode: 'softcore', frozen: false, serverTime: 0, gold: 0, held: 0 });
  const encoder = new Encoder(server);
  const client = new PlayerState();
  const decoder = new Decoder(client);
  return {
    server,
    client,
    join: () => decoder.decode(encoder.encodeAll()),
    patch: () => {
      decoder.decode(encoder.encode());
      encoder.discardChanges();
    },
  };
};

const loot = lootFor(BUILT_IN_CATALOGUE, { seed: 'state', count: 120, idOf: (index) => itemId(`item-${index}`) });

const LISTING = sealedId('a listing');

describe('the player state', () => {
  it('arrives whole at a client that joins, with a full stash and completed tab', () => {
    const { server, client, join } = replicated();
    server.gold = GOLD_MAX;
    server.commodities.set('scrap-iron', QUANTITY_MAX);
    for (const item of loot.slice(0, 70)) server.stash.set(item.id, toItemState(item));
    for (const [id, item] of loot.slice(70).entries()) {
      const fees = [new FeeLineState({ name: 'sale', rate: 1_500, gold: 15 })];
      server.completed.set(
        String(id),
        new CompletedState({ id, kind: 'sold', item: toItemState(item), gold: 85, fees, tx: sealedId('a transaction'), at: 5 }),
      );
    }
    join();
    expect(client.toJSON()).toEqual(server.toJSON());
    expect(client.stash.get('item-0')?.toJSON()).toEqual(loot[0]);
    expect([client.gold, client.commodities.get('scrap-iron')]).toEqual([GOLD_MAX, QUANTITY_MAX]);
  });

  it('follows change by change, with fields that come and go', () => {
    const { server, client, join, patch } = replicated();
    join();
    const [first] = loot;
    if (first === undefined) throw new Error('no loot');
    server.listings.set(
      LISTING,
      new ListingState({ id: LISTING, item: toItemState(first), buyout: 100, startsAt: 1, endsAt: 2, mine: true }),
    );
    patch();
    const listing = server.listings.get(LISTING);
    if (listing === undefined) throw new Error('no listing');
    listing.currentBid = 50;
    patch();
    expect(client.listings.get(LISTING)?.toJSON()).toEqual({
      id: LISTING,
      item: first,
      buyout: 100,
      currentBid: 50,
      startsAt: 1,
      endsAt: 2,
      mine: true,
    });
    server.listings.delete(LISTING);
    server.stash.set(first.id, toItemState(first));
    patch();
    expect(client.listings.size).toBe(0);
    expect(client.toJSON()).toEqual(server.toJSON());
  });

  it('keeps every safe integer exactly', () => {
    const { server, client, join, patch } = replicated();
    join();
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 32 + 1, GOLD_MAX)), (amount) => {
        server.gold = amount;
        patch();
        expect(client.gold).toBe(amount);
      }),
      { numRuns: 1_000 },
    );
  });
});
