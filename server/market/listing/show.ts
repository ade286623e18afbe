/** Showing one listing as its owner knows it now: the edge asks the listing's own shard. */
import { parseListingId } from '#shared/address.ts';
import { commands, type CommandBody } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { answer, type Command, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { Read } from '../feature.ts';
import { isSameMarket } from '../scope.ts';
import { listing } from './listing.ts';
import { listingAnswer } from './view.ts';

/** At the listing's own shard. */
export function show(turn: Turn, body: CommandBody<'listing'>): Handled {
  const named = parseListingId(body.listingId);
  const row = named?.shard === turn.shard ? turn.table(listing).get(named.row) : undefined;
  return row === undefined || row.endsAt <= turn.now ? refusal('listing-gone') : answer({ listing: listingAnswer(row, turn.shard) });
}

/** At the edge. Whether the listing is the player's own, only the asking side knows. */
export const showListing: Read<'listing'> = async (services, { shard }, request) => {
  const owner = parseListingId(request.listingId)?.shard;
  if (owner === undefined || !isSameMarket(services.rules, services.regions, shard, owner)) return refusal('listing-gone');
  const message: Command = { kind: 'listing', issuer: 'client', body: request };
  const reply = await services.accept({ to: owner, message });
  // For a shard that was never created, there is no such listing either.
  if (reply.kind === 'refusal') return reply.name === 'unauthorized' ? refusal('listing-gone') : reply;
  const shown = commands.listing.answer.parse(reply.value).listing;
  return answer({ listing: { ...shown, mine: owner === shard } });
};
