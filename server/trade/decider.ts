/**
 * The decider: the shard that owns what is contended. It coordinates, and as the last agent it decides in one turn, so nothing that is
 * contended is ever locked.
 *
 * T3 Every abort leaves a durable trace, a decision, before it is told.
 * T4 An offer after `offerUntil` is answered from what is known, else aborted, and can never commit later: what is late once is late for
 *    ever, as the time of a node never runs back.
 * T9 A decision goes only when it is settled and past `offerUntil`, in a turn that happens anyway.
 */
import { limits } from '#shared/limits.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import type { Row } from '#server/shard/entity.ts';
import { Json } from '#server/shard/json.ts';
import { DONE, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { repeatAt } from './backoff.ts';
import { decision } from './entities.ts';
import { messageKey, type Offer, type Outcome, type Pending, type Settled, type Verdict } from './messages.ts';
import { kindOf, type Decision, type TradeKinds } from './trade-kind.ts';
import { holderOf } from './transaction.ts';

/** What is known of a transaction, as a row. */
export type DecisionRow = Row<typeof decision>;

/** An offer: what is known is repeated; the unknown is decided now. */
export function onOffer(kinds: TradeKinds, turn: Turn, offer: Offer): Handled {
  const known = turn.table(decision).find('tx', offer.tx);
  if (known === undefined) decide(turn, offer, offer.offerUntil < turn.now ? LATE : kindOf(kinds, offer.trade).decide(turn, offer));
  else tell(turn, known);
  return DONE;
}

/** Decides a transaction that was accepted before. Its own effects are made by the caller, in this turn. */
export function decideAccepted(turn: Turn, tx: string, verdict: Verdict): void {
  const known = turn.table(decision).find('tx', tx);
  if (known?.state !== 'accepted') throw new Error(`${tx} is not accepted`);
  const decided: DecisionRow = {
    ...known,
    state: verdict.kind,
    verdict: Json.of(verdict),
    askAgainAt: null,
    attempts: 0,
    repeatAt: repeatAt(turn.now, 0),
  };
  turn.put(decision, decided);
  tell(turn, decided);
}

/** The holder has acted on the outcome. */
export function onSettled(turn: Turn, { tx }: Settled): Handled {
  const known = turn.table(decision).find('tx', tx);
  if (known === undefined || known.state === 'accepted' || known.state === 'settled') return DONE;
  if (known.offerUntil < turn.now) turn.remove(decision, known.id);
  else turn.put(decision, { ...known, state: 'settled', verdict: null, repeatAt: null });
  return DONE;
}

/** The holder has not answered: the same outcome again. */
export function repeatOutcome(turn: Turn, known: DecisionRow): void {
  const attempts = known.attempts + 1;
  turn.put(decision, { ...known, attempts, repeatAt: repeatAt(turn.now, attempts) });
  tell(turn, known);
}

/** T9: removes a few decisions that nobody can ask about any more. They come in the order of their time, nearly. */
export function forgetSettled(turn: Turn): void {
  if (turn.isEmpty(decision)) return;
  const decisions = turn.table(decision);
  for (let looks = 0; looks < limits.tidiedRowsMax; looks++) {
    const oldest = decisions.firstOf('state', 'settled');
    if (oldest === undefined || oldest.offerUntil >= turn.now) return;
    turn.remove(decision, oldest.id);
  }
}

const LATE: Decision = { kind: 'abort', reason: 'offer-expired' };

function decide(turn: Turn, { tx, offerUntil }: Offer, decided: Decision): void {
  const common = { tx, offerUntil, attempts: 0 };
  if (decided.kind === 'accept') {
    const { askAgainAt } = decided;
    return tell(turn, turn.insert(decision, { ...common, state: 'accepted', verdict: null, askAgainAt, repeatAt: null }));
  }
  const verdict = verdictOf(decided);
  const row = { ...common, state: verdict.kind, verdict: Json.of(verdict), askAgainAt: null, repeatAt: repeatAt(turn.now, 0) };
  tell(turn, turn.insert(decision, row));
}

function verdictOf(decided: Exclude<Decision, { kind: 'accept' }>): Verdict {
  return decided.kind === 'commit' ? { kind: 'committed', result: decided.result } : { kind: 'aborted', reason: decided.reason };
}

/** Tells the holder what is known. Who has settled knows it already. */
function tell(turn: Turn, { tx, state, verdict, askAgainAt }: DecisionRow): void {
  if (state === 'settled') return;
  const message: Outcome | Pending =
    verdict === null
      ? { kind: 'pending', key: messageKey('pending', tx), tx, askAgainAt: askAgainAt ?? turn.now }
      : { kind: 'outcome', key: messageKey('outcome', tx), tx, decider: turn.shard, verdict: verdict.value };
  turn.emit(holderOf(tx), message);
}

/**
 * What a cell tells for an offer to a shard that was never created: abort, but only when the offer is late. No decision can be kept
 * where there is no shard, and were it aborted in time, its double could commit in a shard created a moment later (T3). Once late it
 * cannot, in no life of the node: its time never runs back.
 */
export function outcomeOfNobody(offer: Offer, decider: ShardId, now: Instant): Outcome | undefined {
  const { tx, offerUntil } = offer;
  if (offerUntil >= now) return undefined;
  return { kind: 'outcome', key: messageKey('outcome', tx), tx, decider, verdict: { kind: 'aborted', reason: 'listing-gone' } };
}
