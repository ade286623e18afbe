/** The powerup of trades: holder and decider of every kind that the market brings. */
import type { Powerup } from '#server/shard/powerup.ts';
import { onAlarm, onMessage } from '#server/shard/powerup.ts';
import { forgetSettled, onOffer, onSettled, repeatOutcome } from './decider.ts';
import { decision, hold } from './entities.ts';
import { onOutcome, onPending, repeatOffer } from './holder.ts';
import type { Offer, Outcome, Pending, Settled } from './messages.ts';
import type { TradeKinds } from './trade-kind.ts';

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
  };
}
