/**
 * The local unit: a trade whose two shards are at hand is one turn of both, in one write.
 *
 * It is the same two-phase commit with both phases in one forced write. The vote is the holder's
 * promise, the decision the decider's own checks and effects, the log record the batch that has the
 * change sets of both. As no offer leaves the unit, none can come late, twice or to a decider that
 * has forgotten it: so there is no hold and no decision to be kept, and nothing to be settled.
 *
 * U1 The change sets of a unit are durable together or not at all. The journal keeps it
 *    (`group-commit.ts`), and the shard that both turns are kept or neither (S8).
 * U2 An abort takes back the whole unit, the operation included: a repeat is tried anew.
 */
import { refusal } from '#shared/refusals.ts';
import type { RowId } from '#shared/units.ts';
import type { Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { acceptOffer, assertFinal, hasRoomForDecision } from './decider.ts';
import { hold } from './entities.ts';
import { messageKey, type Offer } from './messages.ts';
import type { Hold, TradeKind } from './trade-kind.ts';

/** The offer that a hold stands for. */
export function offerOf({ tx, trade, offerUntil, terms }: Hold): Offer {
  return { kind: 'offer', key: messageKey('offer', tx), tx, trade, offerUntil, terms: terms.value };
}

/** A promise, as the row of the hold that it may become. */
export type Promised = Hold & { readonly operation: RowId };

/** The whole trade, as a turn of the holder and the part that the decider takes in it. */
export function tradeAtOnce(kind: TradeKind, holder: Turn, decider: Turn, promised: Promised): Handled {
  const offer = offerOf(promised);
  const decided = kind.decide(decider, offer);
  if (decided.kind === 'abort') {
    assertFinal(decided.reason);
    return refusal(decided.reason);
  }
  // By messages such an offer would wait unanswered (T9); here nothing is held yet.
  if (decided.kind === 'accept' && !hasRoomForDecision(decider)) return refusal('busy', { reason: 'the other side has too many offers' });
  kind.promise(holder, promised);
  if (decided.kind === 'commit') return kind.commit(holder, promised, decided.result);
  // The decision comes later, by messages: both sides keep their row, as after `pending`.
  const { stand } = kind;
  const { askAgainAt } = decided;
  acceptOffer(decider, offer, askAgainAt);
  holder.put(hold, { ...promised, operation: stand === undefined ? promised.operation : null, repeatAt: askAgainAt });
  return stand === undefined ? { kind: 'later', operation: promised.operation } : stand(holder, promised);
}
