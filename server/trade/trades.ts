/** The powerup of trades: holder and decider of every kind that the market brings. */
import type { Inspected, Powerup } from '#server/shard/powerup.ts';
import { onAlarm, onMessage } from '#server/shard/powerup.ts';
import { forgetSettled, onOffer, onSettled, repeatOutcome } from './decider.ts';
import { decision, hold } from './entities.ts';
import { onOutcome, onPending, repeatOffer } from './holder.ts';
import type { Offer, Outcome, Pending, Settled } from './messages.ts';
import { kindOf, type TradeKinds } from './trade-kind.ts';
import { parseTransaction, wasMinted } from './transaction.ts';

/** Part of every shard that trades. */
export function trades(kinds: TradeKinds): Powerup {
  return {
    name: 'trades',
    priority: 900,
    entities: [hold, decision],
    handlers: {
      offer: onMessage<Offer>((turn, message) => onOffer(kinds, turn, message)),
      outcome: onMessage<Outcome>((turn, message) => onOutcome(kinds, turn, message)),
      pending: onMessage<Pending>((turn, message) => onPending(kinds, turn, message)),
      settled: onMessage<Settled>((turn, message) => onSettled(turn, message)),
    },
    alarms: {
      'repeat-offer': onAlarm(hold, repeatOffer),
      'repeat-outcome': onAlarm(decision, repeatOutcome),
    },
    tidy: forgetSettled,
    inspect: (turn) => inspectHolds(kinds, turn),
  };
}

/**
 * A hold of a transaction that this shard has not minted would take the outcome of another one for
 * its own; one that is none of its kind could not take its outcome, and the goods that the decider
 * has given for it would be nowhere.
 */
function inspectHolds(kinds: TradeKinds, turn: Inspected): string | undefined {
  const { shard, minted } = turn;
  for (const held of turn.table(hold).rows()) {
    const transaction = parseTransaction(held.tx);
    if (transaction?.holder !== shard || !wasMinted(transaction, minted)) return `it has a hold of ${held.tx}, which it has never minted`;
    if (!kindOf(kinds, held.trade).isHold(held)) return `its hold of ${held.tx} is not one of a ${held.trade}`;
  }
  return undefined;
}
