/**
 * The decider: the shard that owns what is contended. It coordinates, and as the last agent it
 * decides in one turn, so nothing that is contended is ever locked.
 *
 * T3 Every abort leaves a durable trace, a decision, before it is told.
 * T4 An offer after `offerUntil` is answered from what is known, else aborted, and can never commit
 *    later: what is late once is late for ever, as the time of a node never runs back.
 * T9 A decision goes only when it is settled and past `offerUntil`, in a turn that happens anyway.
 *
 * Strangers make the decisions of a shard: there are at most `decisionsMax`. Past it an unknown
 * offer is left unanswered, for an abort needs its row (T3), and the holder asks again. Once the
 * offer is late, time is the trace: it is aborted without a row.
 */
import { limits } from '#shared/limits.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import type { Instant, ShardId, TransactionId } from '#shared/units.ts';
import type { Row } from '#server/shard/entity.ts';
import { Json } from '#server/shard/json.ts';
import { DONE, type Absence, type Emitted, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { repeatAt } from './backoff.ts';
import { decision } from './entities.ts';
import { isOffer, messageKey, type Offer, type Outcome, type Pending, type Settled, type Verdict } from './messages.ts';
import { kindOf, type Decision, type TradeKinds } from './trade-kind.ts';
import { holderOf } from './transaction.ts';

/** What is known of a transaction, as a row. */
export type DecisionRow = Row<typeof decision>;

/**
 * An offer: what is known is repeated; the unknown is decided now, or waits for room, until it is
 * late.
 */
export function onOffer(kinds: TradeKinds, turn: Turn, offer: Offer): Handled {
  const known = turn.table(decision).find('tx', offer.tx);
  const isLate = offer.offerUntil < turn.now;
  if (known !== undefined) tell(turn, known);
  else if (hasRoomForDecision(turn)) decide(turn, offer, isLate ? LATE : kindOf(kinds, offer.trade).decide(turn, offer));
  else if (isLate) turn.emit(holderOf(offer.tx), abortOf(offer, turn.shard, LATE.reason));
  return DONE;
}

/**
 * Decides a transaction that was accepted before. Its own effects are made by the caller, in this
 * turn.
 */
export function decideAccepted(turn: Turn, tx: TransactionId, verdict: Verdict): void {
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

/**
 * T9: removes a few decisions that nobody can ask about any more. They come in the order of their
 * time, nearly.
 */
export function forgetSettled(turn: Turn): void {
  if (turn.isEmpty(decision)) return;
  const decisions = turn.table(decision);
  for (let looks = 0; looks < limits.tidiedRowsMax; looks++) {
    const oldest = decisions.firstOf('state', 'settled');
    if (oldest === undefined || oldest.offerUntil >= turn.now) return;
    turn.remove(decision, oldest.id);
  }
}

/**
 * Whether one more decision may be written down. Nobody else tidies while nothing but offers comes,
 * and those have no effect.
 */
export function hasRoomForDecision(turn: Turn): boolean {
  const decisions = turn.table(decision);
  if (decisions.size >= limits.decisionsMax) forgetSettled(turn);
  return decisions.size < limits.decisionsMax;
}

const LATE = { kind: 'abort', reason: 'offer-expired' } as const satisfies Decision;

function decide(turn: Turn, offer: Offer, decided: Decision): void {
  if (decided.kind === 'accept') return tell(turn, acceptOffer(turn, offer, decided.askAgainAt));
  const { tx, offerUntil } = offer;
  const common = { tx, offerUntil, attempts: 0 };
  const verdict = verdictOf(decided);
  const row = { ...common, state: verdict.kind, verdict: Json.of(verdict), askAgainAt: null, repeatAt: repeatAt(turn.now, 0) };
  tell(turn, turn.insert(decision, row));
}

/** Writes down that a transaction is accepted, to be decided later. */
export function acceptOffer(turn: Turn, { tx, offerUntil }: Offer, askAgainAt: Instant): DecisionRow {
  return turn.insert(decision, { tx, offerUntil, attempts: 0, state: 'accepted', verdict: null, askAgainAt, repeatAt: null });
}

function verdictOf(decided: Exclude<Decision, { kind: 'accept' }>): Verdict {
  if (decided.kind === 'commit') return { kind: 'committed', result: decided.result };
  assertFinal(decided.reason);
  return { kind: 'aborted', reason: decided.reason };
}

/**
 * Throws `Error` for a reason that says to try again: it becomes the stored answer of the
 * operation, and who asks again with the same op would hear it for ever.
 */
export function assertFinal(reason: RefusalName): void {
  if (refusal(reason).retryable) throw new Error(`a trade cannot end with ${reason}`);
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
 * What is sent back in the place of a shard that cannot take a message: only an offer that is late
 * may be answered so, and nothing else has an answer. `isOwn` tells whether a shard lives on this
 * node.
 */
export function replyInPlaceOf(
  { to, message }: Emitted,
  now: Instant,
  absence: Absence,
  isOwn: (shard: ShardId) => boolean,
): Emitted | undefined {
  if (!isOffer(message)) return undefined;
  const holder = holderOf(message.tx);
  // Times of turns can be compared only within a node: clocks of others may differ.
  const known: Absence = absence.kind === 'never-created' || isOwn(holder) ? absence : { ...absence, lastTurnAt: undefined };
  const outcome = outcomeInPlaceOf(message, to, now, known);
  return outcome === undefined ? undefined : { to: holder, message: outcome };
}

/**
 * What a cell tells in the place of a decider that cannot answer: abort, but only what is late and
 * was provably never decided. Nothing can be written down there, so T3 rests on time alone: what is
 * late cannot commit later, whatever copy of the offer arrives (T4), for a node's time never runs
 * back.
 *
 * A shard that was never created has decided nothing. One that cannot be loaded has decided nothing
 * about an offer if its last turn was before the hold was made.
 */
export function outcomeInPlaceOf(offer: Offer, decider: ShardId, now: Instant, absence: Absence): Outcome | undefined {
  if (offer.offerUntil >= now || !hasDecidedNothing(offer, absence)) return undefined;
  return abortOf(offer, decider, absence.kind === 'never-created' ? 'listing-gone' : LATE.reason);
}

function abortOf({ tx }: Offer, decider: ShardId, reason: RefusalName): Outcome {
  return { kind: 'outcome', key: messageKey('outcome', tx), tx, decider, verdict: { kind: 'aborted', reason } };
}

function hasDecidedNothing({ offerUntil }: Offer, absence: Absence): boolean {
  if (absence.kind === 'never-created') return true;
  const { lastTurnAt } = absence;
  // Strictly before: hold and decision may be of the same instant.
  return lastTurnAt !== undefined && lastTurnAt < offerUntil - limits.offerWindowMs;
}
