/**
 * The stall: a player's own listings at fixed prices. A listing holds its item whole; it ends once, by sale, by cancel, or by its
 * alarm.
 *
 * Rules and catalogue are asked when an item is put up for sale, and not again: a listing stands by the numbers under which it was
 * posted, and can be sold, cancelled and claimed though its item could not be listed any more.
 */
import { listingId, parseListingId } from '#shared/address.ts';
import { tradability } from '#shared/catalog/catalogue.ts';
import type { Item } from '#shared/item.ts';
import type { CommandAnswer, CommandRequest, Listing } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { goldRulesOf, saleFees, type Rules } from '#shared/rules.ts';
import { later } from '#shared/units.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import { onAlarm, onCommand, upgrader, type Powerup, type Upgrader } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { complete, isFull } from './completed-tab.ts';
import { item, listing, listingV1, type ListingRow } from './entities.ts';
import type { MarketOptions } from './options.ts';
import { findItem } from './stash.ts';
import { fromTo, move } from './wallet.ts';

/** What decides whether something may be put up for sale. */
interface PostingRules {
  readonly rules: Rules;
  readonly isTradable: (item: Item) => boolean;
}

type Body<Type extends 'sell' | 'cancel' | 'listing'> = Omit<CommandRequest<Type>, 'op'>;

function sell({ rules, isTradable }: PostingRules, turn: Turn, body: Body<'sell'>): Handled {
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
  move(turn, 'sell', null, [fromTo(`item:${goods.id}`, 'stash', 'listed')]);
  const posted: CommandAnswer<'sell'> = {
    listingId: listingId(row.id, turn.shard),
    endsAt: row.endsAt,
    fees: [...saleFees(saleFeeBasisPoints, buyout)],
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

/**
 * A listing of the first release does not know its fee. It takes the rate of the rules that are in force when it is upgraded: that is
 * what a sale in the release before would have taken at that moment, and from then on it keeps it.
 */
function keepFee(rules: Rules): Upgrader {
  return upgrader(listingV1, listing, (row) => {
    const { saleFeeBasisPoints } = goldRulesOf(rules, row.item.value.itemClass);
    return { ...row, saleFeeBasisPoints };
  });
}

/** The powerup of listings. */
export function stall({ rules, catalogue }: Pick<MarketOptions, 'rules' | 'catalogue'>): Powerup {
  const postingRules: PostingRules = { rules, isTradable: tradability(catalogue) };
  return {
    name: 'stall',
    entities: [listing],
    projections: [listing],
    upgraders: [keepFee(rules)],
    handlers: {
      sell: onCommand<Body<'sell'>>((turn, body) => sell(postingRules, turn, body)),
      cancel: onCommand<Body<'cancel'>>(cancel),
      listing: onCommand<Body<'listing'>>(show),
    },
    alarms: { 'expire-listing': onAlarm(listing, (turn, row) => end(turn, row, 'expired')) },
  };
}
