/**
 * The holder: it has promised, and waits. Unsolicited vote, presumed abort: its offer is its yes,
 * and from then on only the decider decides.
 *
 * T1 A hold is a row, never a lock or an open transaction.
 * T2 A holder with a hold never decides alone: the hold goes only with the outcome.
 * T6 An outcome without a hold: at or below the counter it was resolved before, through this very
 *    outcome, and is answered `settled`; above it, state was lost, and the shard is quarantined.
 */
import { limits } from '#shared/limits.ts';
import { durationMs, later, type Gold, type ShardId, type TransactionId } from '#shared/units.ts';
import { StateLost } from '#server/shard/failures.ts';
import { Json } from '#server/shard/json.ts';
import { DONE, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { repeatAt } from './backoff.ts';
import { hold } from './entities.ts';
import { offerOf, tradeAtOnce, type Promised } from './local-unit.ts';
import { messageKey, type Outcome, type Pending, type Settled, type TradeData } from './messages.ts';
import { kindOf, type Hold, type TradeKind, type TradeKinds } from './trade-kind.ts';
import { parseTransaction, transactionId, wasMinted } from './transaction.ts';

/** What a holder promises, in a trade of that kind. */
export interface TradeDraft {
  readonly trade: string;
  readonly kind: TradeKind;
  readonly decider: ShardId;
  readonly gold: Gold;
  readonly terms: TradeData;
}

/**
 * Begins a trade for the operation under way. If the decider is at hand, the trade is over with this
 * turn, of which the decider takes its part (`local-unit.ts`); else the hold is written, the offer
 * goes out, and the operation is answered with the outcome. A decider that is known not to load is
 * for the caller to refuse, before anything moves.
 */
export function beginTrade(turn: Turn, { kind, ...draft }: TradeDraft): Handled {
  const { operation } = turn;
  if (turn.neighbours.isUnloadable(draft.decider)) throw new Error(`nothing is held towards ${draft.decider}, which cannot be loaded`);
  if (draft.decider === turn.shard) throw new Error('a shard cannot trade with itself');
  if (operation === undefined) throw new Error('a hold belongs to an operation');
  const tx = transactionId({ holder: turn.shard, generation: turn.minted.generation, seq: turn.mintSequence() });
  const promised: Promised = {
    ...draft,
    id: turn.reserveId(),
    tx,
    terms: Json.of(draft.terms),
    offerUntil: later(turn.now, limits.offerWindowMs),
    repeatAt: repeatAt(turn.now, 0),
    attempts: 0,
    operation,
  };
  const partner = turn.join(draft.decider);
  if (partner !== undefined) return tradeAtOnce(kind, turn, partner, promised);
  turn.put(hold, promised);
  kind.promise(turn, promised);
  turn.emit(promised.decider, offerOf(promised));
  return { kind: 'later', operation };
}

/** The outcome has come: the hold becomes what was decided, and the decider may forget. */
export function onOutcome(kinds: TradeKinds, turn: Turn, { tx, decider, verdict }: Outcome): Handled {
  const held = turn.table(hold).find('tx', tx);
  if (held === undefined) {
    if (!wasMintedHere(turn, tx)) throw new StateLost(`the outcome of ${tx} came, which this shard never offered: its state was lost`);
    emitSettled(turn, decider, tx);
    return DONE;
  }
  if (held.decider !== decider) throw new Error(`${decider} decides on ${tx}, which was offered to ${held.decider}`);
  const kind = kindOf(kinds, held.trade);
  turn.remove(hold, held.id);
  const reply = verdict.kind === 'committed' ? kind.commit(turn, held, verdict.result) : kind.abort(turn, held, verdict.reason);
  if (held.operation !== null) turn.complete(held.operation, reply);
  emitSettled(turn, decider, tx);
  return DONE;
}

/**
 * The decider has accepted and will decide later: the command is answered, the hold stands, and
 * asks again then.
 */
export function onPending(kinds: TradeKinds, turn: Turn, { tx, askAgainAt }: Pending): Handled {
  const held = turn.table(hold).find('tx', tx);
  if (held === undefined) return DONE;
  const stand = kindOf(kinds, held.trade).stand;
  if (held.operation !== null && stand !== undefined) turn.complete(held.operation, stand(turn, held));
  const repeat = askAgainAt > turn.now ? askAgainAt : repeatAt(turn.now, 0);
  turn.put(hold, { ...held, operation: stand === undefined ? held.operation : null, repeatAt: repeat, attempts: 0 });
  return DONE;
}

/**
 * No answer yet: the same offer again, also after its time and after a restart. One repeat, beside
 * the others, comes as soon as its time is over: where nobody could decide, that can be said from
 * then on, and nobody's gold is held for longer.
 */
export function repeatOffer(turn: Turn, held: Hold): void {
  const attempts = held.attempts + 1;
  const next = repeatAt(turn.now, attempts);
  const over = later(held.offerUntil, durationMs(1));
  turn.put(hold, turn.now < over && over < next ? { ...held, repeatAt: over } : { ...held, attempts, repeatAt: next });
  turn.emit(held.decider, offerOf(held));
}

function emitSettled(turn: Turn, decider: ShardId, tx: TransactionId): void {
  const settled: Settled = { kind: 'settled', key: messageKey('settled', tx), tx };
  turn.emit(decider, settled);
}

function wasMintedHere({ shard, minted }: Turn, tx: TransactionId): boolean {
  const transaction = parseTransaction(tx);
  if (transaction?.holder !== shard) throw new Error(`${tx} is not of ${shard}`);
  return wasMinted(transaction, minted);
}
