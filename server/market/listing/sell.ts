/**
 * Putting an item up for sale at a fixed price.
 *
 * Rules and catalogue are asked here, and not again: a listing stands by the numbers under which it
 * was posted, and can be sold, cancelled and claimed though its item could not be listed any more.
 */
import { listingId } from '#shared/address.ts';
import type { Item } from '#shared/item.ts';
import type { CommandAnswer, CommandBody } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { goldRulesOf, saleFees, type Rules } from '#shared/rules.ts';
import { later } from '#shared/units.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { isFull } from '../completed/completed.ts';
import { findItem, item } from '../goods/stash.ts';
import { fromTo, transfer } from '../ledger.ts';
import { listing } from './listing.ts';

/** What decides whether something may be put up for sale. */
export interface PostingRules {
  readonly rules: Rules;
  readonly isTradable: (item: Item) => boolean;
}

/** The item leaves the stash and is whole in its listing from then on. */
export function sell({ rules, isTradable }: PostingRules, turn: Turn, body: CommandBody<'sell'>): Handled {
  const { itemId, startBid, buyout, durationMs = rules.durationDefaultMs } = body;
  if (startBid !== undefined || buyout === undefined)
    return refusal('bad-request', { fault: 'bids are not taken yet: name a buyout only' });
  if (isFull(turn, rules)) return refusal('completed-full');
  if (turn.table(listing).size >= rules.listingsPerPlayerMax) return refusal('listing-limit', { max: rules.listingsPerPlayerMax });
  const own = findItem(turn, itemId);
  if (own === undefined) return refusal('no-such-item');
  const goods = own.item.value;
  if (!isTradable(goods)) return refusal('item-not-tradable');
  const { priceMin, priceMax, saleFeeBasisPoints } = goldRulesOf(rules, goods.itemClass);
  if (buyout < priceMin || buyout > priceMax) return refusal('price-out-of-range', { priceMin, priceMax });
  const { durationMinMs, durationMaxMs } = rules;
  if (durationMs < durationMinMs || durationMs > durationMaxMs) return refusal('duration-not-allowed', { durationMinMs, durationMaxMs });
  // After this point the command must succeed.
  turn.remove(item, own.id);
  const startsAt = later(turn.now, rules.startDelayMs);
  const row = turn.insert(listing, {
    item: own.item,
    buyout,
    saleFeeBasisPoints,
    postedAt: turn.now,
    startsAt,
    cancelUntil: later(turn.now, rules.cancelWindowMs),
    endsAt: later(startsAt, durationMs),
  });
  transfer(turn, 'sell', null, [fromTo(`item:${goods.id}`, 'stash', 'listed')]);
  const posted: CommandAnswer<'sell'> = {
    listingId: listingId(row.id, turn.shard),
    endsAt: row.endsAt,
    fees: [...saleFees(saleFeeBasisPoints, buyout)],
  };
  return answer(posted);
}
