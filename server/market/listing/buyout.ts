/**
 * Buyout: a trade in which the buyer holds gold and the seller, who owns the listing, decides.
 *
 * The buyer promises the price that the player saw. The seller commits at the listing's own price
 * if that is not more; what was promised beyond it is released.
 */
import { parseListingId } from '#shared/address.ts';
import type { Item } from '#shared/item.ts';
import type { CommandBody } from '#shared/protocol.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import { saleFees, type Rules } from '#shared/rules.ts';
import { gold, type Gold, type RowId, rowId, subtractGold, sumGold } from '#shared/units.ts';
import { Json } from '#server/shard/json.ts';
import { answer, type Handled, type Reply } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { beginTrade } from '#server/trade/holder.ts';
import type { Offer, TradeData } from '#server/trade/messages.ts';
import type { Decision, Hold } from '#server/trade/trade-kind.ts';
import { isFrozen } from '../account/moderation.ts';
import { complete } from '../completed/completed.ts';
import { onCommands, type Feature, type MarketOptions, type MarketTrade } from '../feature.ts';
import { hasRoomFor, walletOf } from '../goods/wallet.ts';
import { fromTo, goldFromTo, transfer } from '../ledger.ts';
import { isSameMarket } from '../scope.ts';
import { listing } from './listing.ts';
import { buyoutSteps } from './steps.ts';

/** The name of this kind of trade. */
export const BUYOUT = 'buyout';

/** What the buyer offers: so much at most, for that row of the seller's listings. */
interface Terms extends TradeData {
  readonly row: RowId;
  readonly price: Gold;
}

/**
 * What the seller gives: the item, for what it cost. Within a node it comes with its text, which
 * is written once.
 */
interface Sale extends TradeData {
  readonly item: Json<Item> | Item;
  readonly paid: Gold;
}

function buyout(rules: Rules, regions: readonly string[], turn: Turn, { listingId, price }: CommandBody<'buyout'>): Handled {
  const named = parseListingId(listingId);
  if (named === undefined || !isSameMarket(rules, regions, turn.shard, named.shard)) return refusal('listing-gone');
  if (named.shard === turn.shard) return refusal('own-listing');
  if (turn.neighbours.isUnloadable(named.shard)) return refusal('unavailable', { reason: "the seller's account is being repaired" });
  if (walletOf(turn).gold < price) return refusal('not-enough-gold');
  // After this point the command must succeed.
  const terms: Terms = { row: named.row, price };
  return beginTrade(turn, { trade: BUYOUT, kind: buyoutTrade, decider: named.shard, gold: price, terms });
}

function promise(turn: Turn, { tx, gold: price }: Hold): void {
  transfer(turn, BUYOUT, tx, [goldFromTo('wallet', 'hold', price)]);
}

function decide(turn: Turn, { tx, terms }: Offer): Decision {
  const { row, price } = termsOf(terms);
  const offered = turn.table(listing).get(row);
  if (isFrozen(turn) || offered === undefined || offered.endsAt <= turn.now) return abort('listing-gone');
  if (offered.startsAt > turn.now) return abort('listing-not-started');
  if (offered.buyout > price) return abort('price-changed');
  const paid = offered.buyout;
  const goods = offered.item.value;
  const fees = saleFees(offered.saleFeeBasisPoints, paid);
  const fee = sumGold(...fees.map((line) => line.gold));
  const received = gold(paid - fee);
  if (!hasRoomFor(turn, received)) return abort('seller-gold-overflow');
  // After this point the trade is committed.
  turn.remove(listing, offered.id);
  complete(turn, { entry: 'sold', gold: received, fees: Json.of(fees), tx });
  transfer(turn, 'sale', tx, [
    fromTo(`item:${goods.id}`, 'listed', 'clearing'),
    goldFromTo('clearing', 'completed', received),
    goldFromTo('clearing', 'burned', fee),
  ]);
  const sale: Sale = { item: offered.item, paid };
  return { kind: 'commit', result: sale };
}

function commit(turn: Turn, { tx, gold: held }: Hold, result: TradeData): Reply {
  const { item, paid } = saleOf(result);
  const rest = subtractGold(held, paid);
  if (rest === undefined) throw new Error(`${tx} cost ${paid}, more than the ${held} that were held for it`);
  const goods = item instanceof Json ? item : Json.of(item);
  complete(turn, { entry: 'bought', item: goods, tx });
  transfer(turn, 'purchase', tx, [
    goldFromTo('hold', 'clearing', paid),
    goldFromTo('hold', 'wallet', rest),
    fromTo(`item:${goods.value.id}`, 'clearing', 'completed'),
  ]);
  return answer({ itemId: goods.value.id, paid });
}

function release(turn: Turn, { tx, gold: held }: Hold, reason: RefusalName): Reply {
  transfer(turn, 'release', tx, [goldFromTo('hold', 'wallet', held)]);
  return refusal(reason);
}

function abort(reason: RefusalName): Decision {
  return { kind: 'abort', reason };
}

function termsOf(data: TradeData): Terms {
  const { row, price } = data;
  if (typeof row !== 'number' || typeof price !== 'number') throw new Error('the terms of a buyout are a row and a price');
  return { row: rowId(row), price: gold(price) };
}

function saleOf(data: TradeData): Sale {
  const { item, paid } = data;
  if (typeof item !== 'object' || item === null || typeof paid !== 'number')
    throw new Error('the result of a buyout is an item and a price');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The seller's shard wrote it; items are passed on whole, never looked into.
  return { item: item as Json<Item> | Item, paid: gold(paid) };
}

function isHold({ terms, gold: held }: Hold): boolean {
  const { row, price } = terms.value;
  return Number.isSafeInteger(row) && price === held;
}

/** The buyout as a kind of trade. */
const buyoutTrade: MarketTrade = {
  isHold,
  promise,
  decide,
  commit,
  abort: release,
  causes: { held: 'buyout', decided: 'sale', committed: 'purchase', released: 'release' },
};

/** Buying. */
export function buyoutFeature({ rules, regions }: Pick<MarketOptions, 'rules' | 'regions'>): Feature {
  return {
    name: 'purchases',
    entities: [],
    handlers: onCommands({ buyout: (turn, body) => buyout(rules, regions, turn, body) }),
    trades: { [BUYOUT]: buyoutTrade },
    steps: buyoutSteps,
  };
}
