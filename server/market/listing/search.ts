/** The search of the market, answered by the listing index. */
import { marketOf } from '#shared/address.ts';
import { SORT_CHEAPEST } from '#shared/criteria.ts';
import type { CommandAnswer } from '#shared/protocol.ts';
import type { Listing } from '#shared/protocol/listing.ts';
import { refusal } from '#shared/refusals.ts';
import type { IndexedListing } from '#shared/search.ts';
import { durationMs, type PlayerId } from '#shared/units.ts';
import { answer } from '#server/shard/message.ts';
import type { Read } from '../feature.ts';

/** Answers `search`. */
export const search: Read<'search'> = async (services, { player, shard }, request) => {
  const { criteria, sort = SORT_CHEAPEST, limit, cursor } = request;
  const market = marketOf(shard);
  const now = services.now();
  const result = await services.search({ market, criteria, sort, limit, now, self: player, ...(cursor === undefined ? {} : { cursor }) });
  if (result.kind === 'unavailable') return refusal('unavailable');
  if (result.kind === 'bad-cursor') return refusal('bad-request', { fault: 'cursor: must be one that this search gave' });
  const found: CommandAnswer<'search'> = {
    listings: result.rows.map((row) => listingOf(row, player)),
    total: result.total,
    ...(result.cursor === undefined ? {} : { cursor: result.cursor }),
    lagMs: durationMs(Math.round(result.lagMs)),
  };
  return answer(found);
};

function listingOf({ id, item, buyout, currentBid, startsAt, endsAt, seller }: IndexedListing, self: PlayerId): Listing {
  return {
    id,
    item,
    ...(currentBid === undefined ? {} : { currentBid }),
    ...(buyout === undefined ? {} : { buyout }),
    startsAt,
    endsAt,
    mine: seller === self,
  };
}
