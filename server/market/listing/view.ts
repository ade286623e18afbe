/** Listings as the room, the protocol and the books of the player show them. */
import { listingId } from '#shared/address.ts';
import { itemState } from '#shared/item-state.ts';
import { ListingState, type Listing } from '#shared/protocol/listing.ts';
import type { ShardId } from '#shared/units.ts';
import { foldIntoMap, holds, type Room, type View } from '../feature.ts';
import { listing, type ListingRow } from './listing.ts';

/** The own listings of one room. */
export function listingView({ state, shard }: Room): View {
  return { folds: [foldIntoMap(listing, state.listings, (row) => [listingId(row.id, shard), listingState(row, shard)])] };
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

function listingState({ id, item, buyout, startsAt, endsAt }: ListingRow, shard: ShardId): ListingState {
  return new ListingState({ id: listingId(id, shard), item: itemState(item.value), buyout, startsAt, endsAt, mine: true });
}
