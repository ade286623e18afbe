/**
 * Checkers of the market's rules, from the durable rows and the rules as they were agreed: written a second time, slowly, and sharing
 * nothing with the shards that keep them.
 */
import { listingId } from '#shared/address.ts';
import type { Rules } from '#shared/rules.ts';
import type { Instant, NodeName, RowId } from '#shared/units.ts';
import { player } from '#server/market/account/opening.ts';
import { completed } from '#server/market/completed/completed.ts';
import { item } from '#server/market/goods/stash.ts';
import { wallet } from '#server/market/goods/wallet.ts';
import { BUYOUT } from '#server/market/listing/buyout.ts';
import { listing } from '#server/market/listing/listing.ts';
import { operation } from '#server/shard/operations.ts';
import type { Entity, Row } from '#server/shard/entity.ts';
import { decision, hold } from '#server/trade/entities.ts';
import { isSame, whereOf, type Checker, type Complain } from './checker.ts';
import { rowsOfShard, stepsOf, type DurableTurn } from './model.ts';
import { recordOf } from './json-values.ts';

/** What these checkers have to know besides the turns. */
export interface MarketFacts {
  /** The rules under which a node took its turns at that time. */
  rulesOf(node: NodeName, at: Instant): Rules;
  /** The body of the command that a client sent with that operation, as `issuer/op`. */
  bodyOf(shard: string, key: string): unknown;
}

type Listing = Row<typeof listing>;

/** New ones for one simulation. */
export function marketCheckers(facts: MarketFacts): readonly Checker[] {
  const rulesByListing = new Map<string, Rules>();
  const ended = new Set<string>();
  const soldAtOnce = new Map<string, string>();
  return [
    {
      name: 'the wallet adds up',
      sentence:
        'held gold is the sum of the holds, unclaimed gold is the sum of the completed entries, and nothing is negative or above 2^53 - 1',
      onTurn: checkWallet,
    },
    {
      name: 'each listing ends once',
      sentence: 'a listing ends once, by sale, cancel or expiry, and never comes back',
      onTurn: (turn, complain) => checkListings(ended, turn, complain),
    },
    {
      name: 'a sale is at the price of the listing',
      sentence: 'a sale ends one listing, and takes its price; its decision says so',
      onTurn: checkPrice,
    },
    {
      name: 'postings keep the rules',
      sentence: 'a listing is posted within the bounds of price, time and number, and never by a player whose completed tab is full',
      onTurn: (turn, complain) => {
        const rules = facts.rulesOf(turn.node, turn.changes.now);
        for (const { row, id } of listingsOf(turn, 'posted')) {
          rulesByListing.set(`${id}.${turn.changes.shard}`, rules);
          checkPosting(rules, turn, row, complain);
        }
      },
    },
    {
      name: 'a listing keeps what it was posted with',
      sentence: 'nothing of a listing changes while it stands, and a cancel ends it only within its window',
      onTurn: checkStanding,
    },
    {
      name: 'the fee is that of the posting',
      sentence: 'a sale takes the fee of the rules under which the listing was posted, rounded down, and its seller gets all the rest',
      onTurn: (turn, complain) => checkFee(rulesByListing, turn, complain),
    },
    {
      name: 'a hold is what the buyer named',
      sentence: 'a buyer promises the price that it named, for the listing that it named',
      onTurn: (turn, complain) => {
        checkHold(facts, turn, complain);
        checkPurchaseAtOnce(facts, soldAtOnce, turn, complain);
      },
    },
    {
      name: 'the stash has its slots',
      sentence: 'nothing is put into a stash that is full',
      onTurn: (turn, complain) => {
        const { stashSlots } = facts.rulesOf(turn.node, turn.changes.now);
        const isAdded = stepsOf(turn, item).some(({ old, row }) => old === undefined && row !== undefined);
        const items = turn.shard.rowsByEntity.get(item.name)?.size ?? 0;
        if (isAdded && turn.previous !== undefined && items > stashSlots)
          complain(`${whereOf(turn)}: ${items} items are in a stash of ${stashSlots}`);
      },
    },
    {
      name: 'who is frozen does nothing',
      sentence: 'while a player is frozen, no command of its clients has an effect, and no offer to it is accepted',
      onTurn: checkFrozen,
    },
  ];
}

function checkWallet(turn: DurableTurn, complain: Complain): void {
  const { shard } = turn;
  const purse = rowsOfShard(shard, wallet)[0];
  if (purse === undefined) return complain(`${shard.id} has no wallet`);
  const held = rowsOfShard(shard, hold).reduce((sum, row) => sum + row.gold, 0);
  const unclaimed = rowsOfShard(shard, completed).reduce((sum, row) => sum + (row.gold ?? 0), 0);
  const where = whereOf(turn);
  if (purse.held !== held) complain(`${where}: ${purse.held} is held, and the holds sum to ${held}`);
  if (purse.unclaimed !== unclaimed) complain(`${where}: ${purse.unclaimed} is unclaimed, and the entries sum to ${unclaimed}`);
  const parts = [purse.gold, purse.held, purse.unclaimed];
  if (parts.some((part) => part < 0)) complain(`${where}: a part of the wallet is negative: ${parts.join(', ')}`);
  if (!Number.isSafeInteger(parts.reduce((sum, part) => sum + part, 0))) complain(`${where}: the wallet holds more than 2^53 - 1`);
}

/** Listings that a turn has posted, or ended. */
function listingsOf(turn: DurableTurn, what: 'posted' | 'ended'): readonly { readonly id: RowId; readonly row: Listing }[] {
  return stepsOf(turn, listing).flatMap(({ id, old, row }) => {
    const [found, other] = what === 'posted' ? [row, old] : [old, row];
    return found === undefined || other !== undefined ? [] : [{ id, row: found }];
  });
}

/** Rows of an entity before the turn. */
function countBefore(turn: DurableTurn, entity: Entity): number {
  const before = turn.shard.rowsByEntity.get(entity.name)?.size ?? 0;
  return stepsOf(turn, entity).reduce((sum, { old, row }) => sum + (old === undefined ? 0 : 1) - (row === undefined ? 0 : 1), before);
}

function checkPosting(rules: Rules, turn: DurableTurn, row: Listing, complain: Complain): void {
  const { buyout, postedAt, startsAt, cancelUntil, endsAt } = row;
  const say = (detail: string): void => complain(`${whereOf(turn)} posts a listing ${detail}`);
  const { priceMin, priceMax } = { ...rules.gold, ...rules.gold.byItemClass[row.item.value.itemClass] };
  if (buyout < priceMin || buyout > priceMax) say(`for ${buyout}, and ${priceMin} to ${priceMax} are allowed`);
  if (postedAt !== turn.changes.now) say(`at ${postedAt}, and it is ${turn.changes.now}`);
  if (startsAt - postedAt !== rules.startDelayMs) say(`that starts ${startsAt - postedAt} ms later, and not ${rules.startDelayMs}`);
  if (cancelUntil - postedAt !== rules.cancelWindowMs) say(`with ${cancelUntil - postedAt} ms to cancel, and not ${rules.cancelWindowMs}`);
  const stands = endsAt - startsAt;
  if (stands < rules.durationMinMs || stands > rules.durationMaxMs) say(`for ${stands} ms`);
  const others = countBefore(turn, listing);
  if (others >= rules.listingsPerPlayerMax) say(`beside ${others} others`);
  const entries = countBefore(turn, completed);
  if (entries >= rules.completedShown) say(`with ${entries} entries to claim`);
}

function checkStanding(turn: DurableTurn, complain: Complain): void {
  const { changes } = turn;
  for (const { id, old, row } of stepsOf(turn, listing)) {
    if (old !== undefined && row !== undefined && !isSame(old, row)) complain(`${whereOf(turn)} changes the listing ${id}`);
  }
  if (!changes.ledger.some(({ cause }) => cause === 'cancelled')) return;
  for (const { id, row } of listingsOf(turn, 'ended')) {
    if (changes.now > row.cancelUntil) complain(`${whereOf(turn)} cancels the listing ${id} ${changes.now - row.cancelUntil} ms too late`);
  }
}

const ENDINGS: ReadonlySet<string> = new Set(['sale', 'cancelled', 'expired']);

function checkListings(ended: Set<string>, turn: DurableTurn, complain: Complain): void {
  const { changes } = turn;
  for (const { id, row } of stepsOf(turn, listing)) {
    const key = `${id}.${changes.shard}`;
    if (row !== undefined && ended.has(key)) complain(`the listing ${key} has ended, and is there again`);
  }
  for (const { id, row } of listingsOf(turn, 'ended')) {
    const key = `${id}.${changes.shard}`;
    ended.add(key);
    checkEnding(turn, row, (detail) => complain(`the listing ${key} ${detail}`));
  }
}

function checkEnding({ changes }: DurableTurn, { item: goods, startsAt, endsAt }: Listing, say: Complain): void {
  const endings = changes.ledger.filter(({ cause, postings }) => {
    return ENDINGS.has(cause) && postings.some(({ place, asset }) => place === 'listed' && asset === `item:${goods.value.id}`);
  });
  if (endings.length !== 1) say(`ends ${endings.length} times in one turn`);
  const cause = endings[0]?.cause;
  const isEarly = cause === 'expired' && changes.now < endsAt;
  const isLate = cause === 'sale' && (changes.now >= endsAt || changes.now < startsAt);
  if (isEarly || isLate) say(`of ${startsAt} to ${endsAt} is ${cause} at ${changes.now}`);
}

function checkPrice(turn: DurableTurn, complain: Complain): void {
  const steps = stepsOf(turn, decision);
  for (const { cause, tx, postings } of turn.changes.ledger) {
    if (cause !== 'sale') continue;
    const taken = postings.reduce((sum, { place, asset, amount }) => (place === 'clearing' && asset === 'gold' ? sum - amount : sum), 0);
    const sold = listingsOf(turn, 'ended');
    if (sold.length !== 1 || sold[0]?.row.buyout !== taken)
      complain(`${whereOf(turn)} takes ${taken} for ${String(tx)}, and no listing of that price ends`);
    const verdict = steps.find(({ row }) => row?.tx === tx && row.state === 'committed')?.row?.verdict?.value;
    if (verdict === undefined) continue; // In a unit nothing is told: what is taken is what is paid.
    const { paid } = recordOf(verdict.kind === 'committed' ? verdict.result : undefined);
    if (taken !== paid) complain(`${whereOf(turn)} takes ${taken} for ${String(tx)}, and says that it is ${String(paid)}`);
  }
}

function checkFee(rulesByListing: ReadonlyMap<string, Rules>, turn: DurableTurn, complain: Complain): void {
  const { changes } = turn;
  const sale = changes.ledger.find(({ cause }) => cause === 'sale');
  const sold = listingsOf(turn, 'ended')[0];
  if (sale === undefined || sold === undefined) return;
  const { gold } = rulesByListing.get(`${sold.id}.${changes.shard}`) ?? {};
  if (gold === undefined) return complain(`${whereOf(turn)} sells the listing ${sold.id}, which was never posted`);
  const { saleFeeBasisPoints } = { ...gold, ...gold.byItemClass[sold.row.item.value.itemClass] };
  const price = BigInt(sold.row.buyout);
  const fee = (price * BigInt(saleFeeBasisPoints)) / 10_000n;
  const burned = sale.postings.reduce((sum, { place, amount }) => (place === 'burned' ? sum + BigInt(amount) : sum), 0n);
  if (burned !== fee) complain(`${whereOf(turn)} takes a fee of ${burned} for a sale at ${price}, and not ${fee}`);
  const entry = stepsOf(turn, completed).find(({ old }) => old === undefined)?.row;
  const said = entry?.fees.value.reduce((sum, line) => sum + BigInt(line.gold), 0n) ?? -1n;
  if (entry?.entry !== 'sold' || BigInt(entry.gold ?? 0) !== price - fee || said !== fee)
    complain(`${whereOf(turn)} tells its seller of ${entry?.gold ?? 'nothing'} after fees of ${said}, for a sale at ${price}`);
}

function checkHold(facts: MarketFacts, turn: DurableTurn, complain: Complain): void {
  const { changes, shard } = turn;
  for (const { old, row } of stepsOf(turn, hold)) {
    if (old !== undefined || row?.trade !== BUYOUT) continue;
    const asked = rowsOfShard(shard, operation).find(({ id }) => id === row.operation);
    if (asked === undefined) return complain(`${whereOf(turn)} holds ${row.gold} for no operation`);
    const { listingId, price } = recordOf(facts.bodyOf(changes.shard, asked.key));
    const { row: wanted, price: most } = row.terms.value;
    if (price !== row.gold || price !== most || listingId !== `${String(wanted)}.${row.decider}`)
      complain(
        `${whereOf(turn)} holds ${row.gold} for ${String(wanted)} of ${row.decider}, and ${String(price)} was named for ${String(listingId)}`,
      );
  }
}

/** As `checkHold`, of a purchase that has no hold: what was sold right before it, and what is promised in its own turn. */
function checkPurchaseAtOnce(facts: MarketFacts, soldAtOnce: Map<string, string>, turn: DurableTurn, complain: Complain): void {
  const { changes } = turn;
  for (const { cause, tx, postings } of changes.ledger) {
    const [sold] = cause === 'sale' ? listingsOf(turn, 'ended') : [];
    if (tx !== null && sold !== undefined) soldAtOnce.set(tx, listingId(sold.id, changes.shard));
    if (cause !== BUYOUT || tx === null || stepsOf(turn, hold).some(({ row }) => row?.tx === tx)) continue;
    const promised = postings.reduce((sum, { place, amount }) => (place === 'hold' ? sum + amount : sum), 0);
    const asked = stepsOf(turn, operation).filter(({ old, row }) => old === undefined && row !== undefined);
    const { listingId: named, price } = recordOf(facts.bodyOf(changes.shard, asked[0]?.row?.key ?? ''));
    if (asked.length !== 1 || price !== promised || named !== soldAtOnce.get(tx))
      complain(`${whereOf(turn)} pays ${promised} for ${String(soldAtOnce.get(tx))}, and ${String(price)} was named for ${String(named)}`);
  }
}

function checkFrozen(turn: DurableTurn, complain: Complain): void {
  const [changed] = stepsOf(turn, player);
  const owner = changed === undefined ? rowsOfShard(turn.shard, player)[0] : changed.old;
  if (owner?.frozen !== true) return;
  for (const { old, row } of stepsOf(turn, operation)) {
    if (old === undefined && row?.key.startsWith('client/') === true)
      complain(`${whereOf(turn)} does ${row.key}, and its player is frozen`);
  }
  for (const { old, row } of stepsOf(turn, decision)) {
    if (old === undefined && row?.state === 'committed') complain(`${whereOf(turn)} accepts ${row.tx}, and its player is frozen`);
  }
  const decided = new Set(stepsOf(turn, decision).map(({ row }) => row?.tx));
  for (const { cause, tx } of turn.changes.ledger) {
    if (cause === 'sale' && tx !== null && !decided.has(tx)) complain(`${whereOf(turn)} sells for ${tx}, and its player is frozen`);
  }
}
