/**
 * Charges: gold and goods leave the world, or go back into the game. All of a charge is taken, or
 * nothing, and only what is at hand: what is held, listed or not claimed yet is promised to somebody
 * or not there to be spent.
 */
import type { Charge, ChargeAnswer } from '#shared/protocol/service.ts';
import { refusal } from '#shared/refusals.ts';
import { NO_GOLD } from '#shared/units.ts';
import { answer, type Command, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { findItem, stackOf, takeCommodity, takeItem } from '../goods/stash.ts';
import { walletOf } from '../goods/wallet.ts';
import { fromTo, goldFromTo, transfer } from '../ledger.ts';

/** The body of `charge`: what it is of, without whom it is for. */
export type ChargeBody = Pick<Charge, 'gold' | 'items' | 'commodities' | 'reason'>;

/** Takes all that the charge names. */
export function charge(turn: Turn, body: ChargeBody, { issuer, by = issuer }: Command): Handled {
  const { gold = NO_GOLD, items = [], commodities = [] } = body;
  if (issuer !== 'service' || turn.operation === undefined) return refusal('unauthorized');
  if (walletOf(turn).gold < gold) return refusal('not-enough-gold', { gold: walletOf(turn).gold });
  const missing = items.find((id) => findItem(turn, id) === undefined);
  if (missing !== undefined) return refusal('no-such-item', { itemId: missing });
  const scarce = commodities.find(({ commodity, quantity }) => stackOf(turn, commodity) < quantity)?.commodity;
  if (scarce !== undefined) return refusal('not-enough-goods', { commodity: scarce, quantity: stackOf(turn, scarce) });
  // After this point the command must succeed.
  for (const id of items) takeItem(turn, id);
  for (const { commodity, quantity } of commodities) takeCommodity(turn, commodity, quantity);
  transfer(turn, 'charged', null, [
    goldFromTo('wallet', 'burned', gold),
    ...items.map((id) => fromTo(`item:${id}`, 'stash', 'burned')),
    ...commodities.map(({ commodity, quantity }) => fromTo(`commodity:${commodity}`, 'stash', 'burned', quantity)),
  ]);
  const taken: ChargeAnswer = { by, gold: walletOf(turn).gold };
  return answer(taken);
}
