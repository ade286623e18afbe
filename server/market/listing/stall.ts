/**
 * The stall: a player's own listings at fixed prices. A listing holds its item whole; it ends once,
 * by sale, by cancel, or by its alarm.
 */
import { parseListingId } from '#shared/address.ts';
import { tradability } from '#shared/catalog/catalogue.ts';
import type { CommandAnswer, CommandBody } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import { onAlarm } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { complete } from '../completed/completed.ts';
import { onCommands, type Feature, type MarketOptions } from '../feature.ts';
import { fromTo, transfer } from '../ledger.ts';
import { keepFee, listing, listingHoldings, listingRows, listingView, wholeItem, type ListingRow } from './listing.ts';
import { searchIn, show, showListing } from './reads.ts';
import { sell, type PostingRules } from './sell.ts';
import { stallSteps } from './steps.ts';

/** What a player has on sale, under these rules and of this catalogue. */
export function stallFeature({ rules, catalogue }: Pick<MarketOptions, 'rules' | 'catalogue'>): Feature {
  const postingRules: PostingRules = { rules, isTradable: tradability(catalogue) };
  return {
    name: 'stall',
    entities: [listing],
    projections: [listing],
    upgraders: [keepFee(rules)],
    handlers: onCommands({ sell: (turn, body) => sell(postingRules, turn, body), cancel, listing: show }),
    alarms: { 'expire-listing': onAlarm(listing, expire) },
    reads: { search: searchIn(catalogue), listing: showListing },
    view: listingView,
    holdings: [listingHoldings],
    indexed: listingRows,
    steps: stallSteps,
  };
}

/** Takes back an own listing within its cancel window. */
function cancel(turn: Turn, body: CommandBody<'cancel'>): Handled {
  const named = parseListingId(body.listingId);
  const row = named?.shard === turn.shard ? turn.table(listing).get(named.row) : undefined;
  if (row === undefined || row.endsAt <= turn.now) return refusal('listing-gone');
  if (turn.now > row.cancelUntil) return refusal('cancel-window-over');
  // After this point the command must succeed.
  end(turn, row, 'cancelled');
  const returned: CommandAnswer<'cancel'> = { item: wholeItem(row) };
  return answer(returned);
}

/** Its time is over. */
function expire(turn: Turn, row: ListingRow): void {
  end(turn, row, 'expired');
}

/** The item goes to the completed tab. */
function end(turn: Turn, row: ListingRow, how: 'cancelled' | 'expired'): void {
  turn.remove(listing, row.id);
  complete(turn, { entry: how, item: row.item });
  transfer(turn, how, null, [fromTo(`item:${row.item.value.id}`, 'listed', 'completed')]);
}
