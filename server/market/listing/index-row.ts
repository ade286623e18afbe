/** Listing rows as the listing index knows them. */
import { listingId, marketOf } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { playerId, type ShardId, type ShardVersion } from '#shared/units.ts';
import { rowOf, type IndexedRows } from '../feature.ts';
import { listing, type ListingRow } from './listing.ts';

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
