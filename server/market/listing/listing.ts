/**
 * Listings: their rows and the upgrade of those, and what rooms, answers, the books of the player
 * and the listing index make of a row.
 */
import { listingId, marketOf } from '#shared/address.ts';
import type { Item } from '#shared/item.ts';
import type { Listing, ListingState } from '#shared/protocol/listing.ts';
import { goldRulesOf, type Rules } from '#shared/rules.ts';
import type { Plain } from '#shared/state.ts';
import type { IndexedListing } from '#shared/search.ts';
import { playerId, type SealedId, type ShardId, type ShardVersion } from '#shared/units.ts';
import { defineEntity, goldAmount, integer, json, timestamp, type Row } from '#server/shard/entity.ts';
import { upgrader, type Upgrader } from '#server/shard/powerup.ts';
import { foldIntoMap, holds, rowOf, type IndexedRows, type Room, type View } from '../feature.ts';
import { isItem } from '../goods/stash.ts';

/**
 * A listing as the first release kept it, without its fee. Nothing but an upgrade reads such rows.
 */
export const listingV1 = defineEntity('listing', {
  version: 1,
  attributes: {
    item: json<Item>({ holds: isItem }),
    buyout: goldAmount(),
    postedAt: timestamp(),
    startsAt: timestamp(),
    cancelUntil: timestamp(),
    endsAt: timestamp({ alarm: 'expire-listing' }),
  },
});

/**
 * An item for sale at a fixed price, from `startsAt` until `endsAt`. It keeps every number of the
 * rules under which it was posted that still matters later, so that what the seller was shown is
 * what happens, whatever the rules have become.
 */
export const listing = defineEntity('listing', {
  version: 2,
  attributes: { ...listingV1.attributes, saleFeeBasisPoints: integer({ min: 0, max: 10_000 }) },
});

/** An item for sale, as a row. */
export type ListingRow = Row<typeof listing>;

/**
 * A listing of the first release does not know its fee. It takes the rate of the rules that are
 * in force when it is upgraded: that is what a sale in the release before would have taken at that
 * moment, and from then on it keeps it.
 */
export function keepFee(rules: Rules): Upgrader {
  return upgrader(listingV1, listing, (row) => {
    const { saleFeeBasisPoints } = goldRulesOf(rules, row.item.value.itemClass);
    return { ...row, saleFeeBasisPoints };
  });
}

/** The own listings of one room. */
export function listingView({ state, shard, seal }: Room): View {
  const shown = (row: ListingRow): readonly [string, Plain<ListingState>] => {
    const id = seal('listing', listingId(row.id, shard));
    return [id, listingState(row, id)];
  };
  return { folds: [foldIntoMap(listing, state.listings, shown)] };
}

/** A listing holds its item whole. */
export const listingHoldings = holds(listing, ({ item }) => [{ place: 'listed', asset: `item:${item.value.id}`, amount: 1 }]);

/**
 * The listing without a seller's eyes: the one who asks for it knows whether it is the player's
 * own.
 */
export function listingAnswer(row: ListingRow, shard: ShardId): Listing {
  const { id, buyout, startsAt, endsAt } = row;
  return { id: listingId(id, shard), item: wholeItem(row), buyout, startsAt, endsAt, mine: false };
}

/** The item as an answer shows it: in arrays of its own. */
export function wholeItem({ item: { value } }: ListingRow): NonNullable<Listing['item']> {
  return { ...value, affixes: [...value.affixes] };
}

function listingState({ item, buyout, startsAt, endsAt }: ListingRow, id: SealedId): Plain<ListingState> {
  return { id, item: item.value, buyout, startsAt, endsAt, mine: true };
}

/** The rows that the index is fed with. */
export const listingRows: IndexedRows = {
  entity: listing,
  indexed: (shard, version, row) => indexedListing(shard, version, rowOf(listing, row)),
};

function indexedListing(shard: ShardId, version: ShardVersion, row: ListingRow): IndexedListing {
  const { id, item, buyout, startsAt, endsAt } = row;
  const seller = playerId(shard.slice(0, shard.indexOf('@')));
  return { id: listingId(id, shard), shard, seller, market: marketOf(shard), item: item.value, buyout, startsAt, endsAt, version };
}
