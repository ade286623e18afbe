/**
 * The stall: a player's own listings at fixed prices. A listing holds its item whole; it ends once, by sale, by cancel, or by its
 * alarm.
 */
import { listingId, parseListingId } from '#shared/address.ts';
import type { CommandAnswer, CommandRequest, Listing } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { goldRulesOf, saleFees, type Rules } from '#shared/rules.ts';
import { later } from '#shared/units.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import { onAlarm, onCommand, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { complete, isFull } from './completed-tab.ts';
import { item, listing, type ListingRow } from './entities.ts';
import { findItem } from './stash.ts';
import { fromTo, move } from './wallet.ts';

type Body<Type extends 'sell' | 'cancel' | 'listing'> = Omit<CommandRequest<Type>, 'op'>;

function sell(rules: Rules, turn: Turn, { itemId, startBid, buyout, durationMs = rules.durationDefaultMs }: Body<'sell'>): Handled {
  if (startBid !== undefined || buyout === undefined)
    return refusal('bad-request', { fault: 'bids are not taken yet: name a buyout only' });
  if (isFull(turn, rules)) return refusal('completed-full');
  if (turn.table(listing).size >= rules.listingsPerPlayerMax) return refusal('listing-limit', { max: rules.listingsPerPlayerMax });
  const own = findItem(turn, itemId);
  if (own === undefined) return refusal('no-such-item');
  const goods = own.item.value;
  const { priceMin, priceMax } = goldRulesOf(rules, goods.itemClass);
  if (buyout < priceMin || buyout > priceMax) return refusal('price-out-of-range', { priceMin, priceMax });
  const { durationMinMs, durationMaxMs } = rules;
  if (durationMs < durationMinMs || durationMs > durationMaxMs) return refusal('duration-not-allowed', { durationMinMs, durationMaxMs });
  // After this point the command must succeed.
  turn.remove(item, own.id);
  const startsAt = later(turn.now, rules.startDelayMs);
  const row = turn.insert(listing, {
    item: own.item,
    buyout,
    postedAt: turn.now,
    startsAt,
    cancelUntil: later(turn.now, rules.cancelWindowMs),
    endsAt: later(startsAt, durationMs),
  });
  move(turn, 'sell', null, [fromTo(`item:${goods.id}`, 'stash', 'listed')]);
  const posted: CommandAnswer<'sell'> = {
    listingId: listingId(row.id, turn.shard),
    endsAt: row.endsAt,
    fees: [...saleFees(rules, goods.itemClass, buyout)],
  };
  return answer(posted);
}

function cancel(turn: Turn, body: Body<'cancel'>): Handled {
  const named = parseListingId(body.listingId);
  const row = named?.shard === turn.shard ? turn.table(listing).get(named.row) : undefined;
  if (row === undefined || row.endsAt <= turn.now) return refusal('listing-gone');
  if (turn.now > row.cancelUntil) return refusal('cancel-window-over');
  // After this point the command must succeed.
  end(turn, row, 'cancelled');
  const returned: CommandAnswer<'cancel'> = { item: whole(row) };
  return answer(returned);
}

function show(turn: Turn, body: Body<'listing'>): Handled {
  const named = parseListingId(body.listingId);
  const row = named?.shard === turn.shard ? turn.table(listing).get(named.row) : undefined;
  return row === undefined || row.endsAt <= turn.now ? refusal('listing-gone') : answer({ listing: viewOf(turn, row) });
}

/** The listing without a seller's eyes; who asks for it says whether it is the player's own. */
function viewOf(turn: Turn, row: ListingRow): Listing {
  const { id, buyout, startsAt, endsAt } = row;
  return { id: listingId(id, turn.shard), item: whole(row), buyout, startsAt, endsAt, mine: false };
}

/** The item as an answer shows it: in arrays of its own. */
function whole({ item: { value } }: ListingRow): NonNullable<Listing['item']> {
  return { ...value, affixes: [...value.affixes] };
}

/** Ends a listing that did not sell: the item goes to the completed tab. */
function end(turn: Turn, row: ListingRow, how: 'cancelled' | 'expired'): void {
  turn.remove(listing, row.id);
  complete(turn, { entry: how, item: row.item });
  move(turn, how, null, [fromTo(`item:${row.item.value.id}`, 'listed', 'completed')]);
}

/** The powerup of listings. */
export function stall(rules: Rules): Powerup {
  return {
    name: 'stall',
    entities: [listing],
    projections: [listing],
    handlers: {
      sell: onCommand<Body<'sell'>>((turn, body) => sell(rules, turn, body)),
      cancel: onCommand<Body<'cancel'>>(cancel),
      listing: onCommand<Body<'listing'>>(show),
    },
    alarms: { 'expire-listing': onAlarm(listing, (turn, row) => end(turn, row, 'expired')) },
  };
}
