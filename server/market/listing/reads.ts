/**
 * Looking at the market: the search, answered by the listing index, and one listing, as its owner
 * knows it now.
 */
import { marketOf, parseListingId } from '#shared/address.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import { SORT_CHEAPEST } from '#shared/criteria.ts';
import { commands, type CommandAnswer, type CommandBody } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { durationMs } from '#shared/units.ts';
import { sellerOf } from '#server/listing-index/row-packing.ts';
import { ShownListing } from '#server/listing-index/shown-listing.ts';
import { answer, type Command, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { Read } from '../feature.ts';
import { isSameMarket } from '../scope.ts';
import { listing, listingAnswer } from './listing.ts';
import { searchWordsOf } from './search-words.ts';

/** The answer to a search, with listings whose fields are made already. */
type ShownAnswer = Omit<CommandAnswer<'search'>, 'listings'> & { readonly listings: readonly ShownListing[] };

/** Answers `search`, with the words of a catalogue. */
export function searchIn(catalogue: Catalogue): Read<'search'> {
  const faultOfWords = searchWordsOf(catalogue);
  return (services, caller, request) => {
    const fault = faultOfWords(request.criteria, request.sort ?? SORT_CHEAPEST);
    return fault === undefined ? search(services, caller, request) : refusal('bad-request', { fault });
  };
}

const search: Read<'search'> = async (services, { player, shard }, request) => {
  const { criteria, sort = SORT_CHEAPEST, limit, cursor } = request;
  const market = marketOf(shard);
  const now = services.now();
  const result = await services.search({ market, criteria, sort, limit, now, self: player, ...(cursor === undefined ? {} : { cursor }) });
  if (result.kind === 'unavailable') return refusal('unavailable');
  if (result.kind === 'bad-cursor') return refusal('bad-request', { fault: 'cursor: must be one that this search gave' });
  if (result.kind === 'too-broad') return refusal('search-too-broad', { cost: result.cost, costMax: result.costMax });
  const found: ShownAnswer = {
    listings: result.rows.map(({ id, body }) => new ShownListing(id, sellerOf(id) === player, body)),
    total: result.total,
    ...(result.cursor === undefined ? {} : { cursor: result.cursor }),
    lagMs: durationMs(Math.round(result.lagMs)),
  };
  return answer(found);
};

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
