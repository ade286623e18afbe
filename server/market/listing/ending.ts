/** How a listing ends that did not sell: by cancel, or by its alarm. */
import { parseListingId } from '#shared/address.ts';
import type { CommandAnswer, CommandBody } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { complete } from '../completed/completed.ts';
import { fromTo, transfer } from '../ledger.ts';
import { listing, type ListingRow } from './listing.ts';
import { wholeItem } from './view.ts';

/** Takes back an own listing within its cancel window. */
export function cancel(turn: Turn, body: CommandBody<'cancel'>): Handled {
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
export function expire(turn: Turn, row: ListingRow): void {
  end(turn, row, 'expired');
}

/** The item goes to the completed tab. */
function end(turn: Turn, row: ListingRow, how: 'cancelled' | 'expired'): void {
  turn.remove(listing, row.id);
  complete(turn, { entry: how, item: row.item });
  transfer(turn, how, null, [fromTo(`item:${row.item.value.id}`, 'listed', 'completed')]);
}
