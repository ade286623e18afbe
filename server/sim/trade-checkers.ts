/**
 * Checkers of trades: what holder and decider may do, from their durable rows and ledger lines
 * alone. T1 to T9 of the design. They know no kind of trade, but for what each declares: a kind
 * that may accept and decide later has a `stand`. What a line does is read from the places that it
 * moves between, and its cause must be the one that its kind declares for that.
 *
 * A local unit leaves neither hold nor decision; what there is of it, `unit-checker.ts` looks at.
 */
import { limits } from '#shared/limits.ts';
import type { Instant, RowId, ShardId, TransactionId } from '#shared/units.ts';
import type { Row } from '#server/shard/entity.ts';
import type { MarketTrade } from '#server/market/feature.ts';
import { decision, hold } from '#server/trade/entities.ts';
import { checkRules, isSame, whereOf, type Checker, type Complain, type CheckerRule } from './checker.ts';
import { rowsOfShard, stepsOf, type DurableTurn } from './model.ts';
import { goldTaken, tradeEffectOf, type TradeEffect } from './trade-effect.ts';
import { unitChecker } from './unit-checker.ts';

type HoldRow = Row<typeof hold>;
type DecisionRow = Row<typeof decision>;

/** What the journals have said of one transaction. */
interface Transaction {
  readonly tx: TransactionId;
  readonly trade: string;
  readonly price: number;
  readonly offerUntil: number;
  verdict: 'committed' | 'aborted' | undefined;
  resolution: 'purchase' | 'release' | undefined;
  readonly clearing: Map<string, number>;
}

/** What the checkers have to know besides the turns. */
export interface TradeFacts {
  /** The time of the node of a shard. */
  readonly timeOf: (shard: ShardId) => Instant;
  /** Whether the image of a shard is damaged, or was a moment ago. */
  readonly isDamaged: (shard: ShardId) => boolean;
  /** All kinds of trade, by name. */
  readonly kinds: Readonly<Record<string, MarketTrade>>;
}

/** What the checkers of one simulation know together. */
interface Known extends TradeFacts {
  readonly transactions: Map<string, Transaction>;
  /** When each shard came to be. */
  readonly createdAt: Map<string, number>;
}

/** New ones for one simulation. They share what they know, and the first of them keeps it. */
export function tradeCheckers(facts: TradeFacts): readonly Checker[] {
  const known: Known = { ...facts, transactions: new Map(), createdAt: new Map() };
  return [
    unitChecker({ isOffered: (tx) => known.transactions.has(tx), onSale: (tx, cause) => noteUnit(known, tx, cause) }),
    {
      name: 'T1 T2 a hold goes only with the outcome',
      sentence: 'a hold is made once, never changed, and goes only after the decider has durably decided, in the way that it decided',
      onTurn: (turn, complain) => checkHolds(known, turn, complain),
    },
    {
      name: 'T3 T4 a decision is final',
      sentence: 'a transaction is decided once, for a durable hold, in time if it commits, with all effects of its side or none',
      onTurn: (turn, complain) => checkDecisions(known, turn, complain),
    },
    {
      name: 'T5 a trade has its effects once',
      sentence: 'however often its messages come, a transaction holds once, sells at most once, and either buys or releases once',
      onTurn: effectsOnce(),
    },
    {
      name: 'a line of a trade has its cause',
      sentence: 'the cause of a ledger line is the one that the kind of its trade declares for what the line does',
      onTurn: (turn, complain) => checkCauses(known, turn, complain),
    },
    {
      name: 'T9 a decision goes when it is of no more use, and not before',
      sentence: 'a decision is settled only after its holder has acted, and forgotten only when its offer can no longer be accepted',
      onTurn: (turn, complain) => checkSettling(known, turn, complain),
    },
    {
      name: 'T9 decisions are bounded',
      sentence: 'a settled decision whose offer can no longer be accepted is forgotten within a few turns of its shard',
      onTurn: decisionsBounded(),
    },
    {
      name: 'T7 clearing is empty in the end',
      sentence: 'what a sale leaves between the two shards is exactly what the purchase takes, and nothing is left of a settled trade',
      onTurn: (turn, complain) => checkClearing(known, turn, complain),
      onQuiet: (_quiet, complain) => {
        for (const { tx, clearing } of known.transactions.values())
          if (clearing.size > 0) complain(`${tx} still has ${inWords(clearing)} in clearing`);
      },
    },
  ];
}

/** A transaction that was never offered: its decider has sold, and the checker of units sees to it that its holder has bought. */
function noteUnit({ transactions, kinds }: Known, tx: TransactionId, cause: string): void {
  const trade = Object.entries(kinds).find(([, { causes }]) => causes.decided === cause)?.[0] ?? '';
  transactions.set(tx, { tx, trade, price: 0, offerUntil: 0, verdict: 'committed', resolution: 'purchase', clearing: new Map() });
}

function checkHolds(known: Known, turn: DurableTurn, complain: Complain): void {
  const { changes, previous } = turn;
  if (previous === undefined) known.createdAt.set(changes.shard, changes.now);
  for (const { old, row } of stepsOf(turn, hold)) {
    if (old === undefined) {
      if (row !== undefined) noteHold(known, row, complain);
    } else if (row === undefined) checkHoldGone(known, turn, old, complain);
    else if (!isSame(promiseOf(old), promiseOf(row))) complain(`the hold of ${old.tx} was changed`);
  }
}

function noteHold({ transactions }: Known, { tx, trade, gold: price, offerUntil }: HoldRow, complain: Complain): void {
  if (transactions.has(tx)) complain(`${tx} is minted twice`);
  transactions.set(tx, { tx, trade, price, offerUntil, verdict: undefined, resolution: undefined, clearing: new Map() });
}

/** What never changes of a hold. */
function promiseOf({ tx, trade, gold, decider, offerUntil, terms }: HoldRow): object {
  return { tx, trade, gold, decider, offerUntil, terms };
}

const VERDICT_FOR = { purchase: 'committed', release: 'aborted' } as const;

function checkHoldGone(known: Known, { changes }: DurableTurn, old: HoldRow, complain: Complain): void {
  const transaction = known.transactions.get(old.tx);
  const lines = changes.ledger.filter(({ tx }) => tx === old.tx);
  const resolution = lines.length === 1 ? lines.map(tradeEffectOf)[0] : undefined;
  if (transaction === undefined || (resolution !== 'purchase' && resolution !== 'release')) {
    return complain(`the hold of ${old.tx} went with the ledger lines [${lines.map(({ cause }) => cause).join(', ')}]`);
  }
  transaction.resolution = resolution;
  const { verdict } = transaction;
  if (verdict === undefined && resolution === 'release' && mayGoUndecided(known, old, changes.now)) {
    const earlyMs = old.offerUntil - known.timeOf(old.decider);
    if (earlyMs > 0) complain(`the hold of ${old.tx} is released ${earlyMs} ms too early: nobody has decided, and somebody still may`);
  } else if (verdict !== VERDICT_FOR[resolution]) {
    complain(`the hold of ${old.tx} became a ${resolution}, and its decider has ${verdict ?? 'decided nothing'}`);
  }
}

/**
 * Where there is no decider to write a decision down: its shard was created after the offer was
 * late, if ever, and until then its cell aborts what is late; or it cannot be loaded. That it has
 * decided nothing is seen here by its journal, and that it never will, by `checkDecisions`.
 */
function mayGoUndecided({ createdAt, isDamaged }: Known, { decider, offerUntil }: HoldRow, now: number): boolean {
  return (createdAt.get(decider) ?? Number.POSITIVE_INFINITY) > offerUntil || (isDamaged(decider) && now > offerUntil);
}

function checkDecisions(known: Known, turn: DurableTurn, complain: Complain): void {
  const say = (detail: string): void => complain(`${whereOf(turn)} ${detail}`);
  for (const { old, row } of stepsOf(turn, decision)) if (row !== undefined) checkDecision(known, turn, old, row, say);
  for (const line of turn.changes.ledger) {
    if (tradeEffectOf(line) !== 'sale') continue;
    const verdict = known.transactions.get(line.tx ?? '')?.verdict;
    if (verdict !== 'committed') say(`sells for ${String(line.tx)}, of which the verdict is ${verdict ?? 'none'}`);
  }
}

type DecisionState = DecisionRow['state'];

/**
 * What a decision may become in one turn. Whether a kind of trade may begin with `accepted`, it
 * declares.
 */
const NEXT_STATES: Readonly<Record<DecisionState | 'unknown', readonly DecisionState[]>> = {
  unknown: ['accepted', 'committed', 'aborted'],
  accepted: ['accepted', 'committed', 'aborted'],
  committed: ['committed', 'settled'],
  aborted: ['aborted', 'settled'],
  settled: ['settled'],
};

function checkDecision(known: Known, turn: DurableTurn, old: DecisionRow | undefined, row: DecisionRow, say: Complain): void {
  const { tx, state } = row;
  const from = old?.state ?? 'unknown';
  if (!NEXT_STATES[from].includes(state)) return say(`has a decision of ${tx} that goes from ${from} to ${state}`);
  const transaction = known.transactions.get(tx);
  if (transaction === undefined) return say(`decides ${tx}, for which there is no durable hold`);
  const decided: Decided = { turn, row, transaction, kind: known.kinds[transaction.trade] };
  if (old === undefined) checkRules(FIRST_RULES, decided, say);
  else if (from !== 'accepted' && row.verdict !== null && !isSame(row.verdict, old.verdict)) say(`changes the verdict of ${tx}`);
  if (state === from || (state !== 'committed' && state !== 'aborted')) return;
  checkRules(state === 'committed' ? COMMIT_RULES : ABORT_RULES, decided, say);
  // A late double of an offer that is long settled is aborted anew; its holder has nothing to lose by then.
  transaction.verdict ??= state;
}

/** A transaction as a turn of its decider decides it. */
interface Decided {
  readonly turn: DurableTurn;
  readonly row: DecisionRow;
  readonly transaction: Transaction;
  readonly kind: MarketTrade | undefined;
}

/** Of the first that is known of an offer. Only an abort may be late. */
const FIRST_RULES: readonly CheckerRule<Decided>[] = [
  {
    isBroken: ({ row, transaction }) => row.offerUntil !== transaction.offerUntil,
    detail: ({ row, transaction }) => `believes that ${row.tx} is offered until ${row.offerUntil}, not ${transaction.offerUntil}`,
  },
  {
    isBroken: ({ turn, row }) => row.state !== 'aborted' && turn.changes.now > row.offerUntil,
    detail: ({ turn, row }) => `has ${row.tx} ${row.state} ${turn.changes.now - row.offerUntil} ms too late`,
  },
  {
    isBroken: ({ row, kind }) => row.state === 'accepted' && kind?.stand === undefined,
    detail: ({ row, transaction }) => `accepts ${row.tx}, and a ${transaction.trade} is decided at once`,
  },
];

const COMMIT_RULES: readonly CheckerRule<Decided>[] = [
  {
    isBroken: ({ transaction }) => (transaction.verdict ?? transaction.resolution) !== undefined,
    detail: ({ row, transaction }) => `commits ${row.tx}, which has its ${String(transaction.verdict ?? transaction.resolution)} already`,
  },
  { isBroken: (decided) => takenBy(decided) === undefined, detail: ({ row }) => `commits ${row.tx} without its sale` },
  {
    isBroken: (decided) => (takenBy(decided) ?? 0) > decided.transaction.price,
    detail: (decided) => `takes ${String(takenBy(decided))} for ${decided.row.tx}, which holds ${decided.transaction.price}`,
  },
];

const ABORT_RULES: readonly CheckerRule<Decided>[] = [
  {
    isBroken: ({ transaction }) => transaction.verdict === 'committed' && transaction.resolution === undefined,
    detail: ({ row }) => `aborts ${row.tx}, which is committed, before its holder knows`,
  },
];

/** The gold that the decider's sale takes of the transaction; `undefined` if it makes none. */
function takenBy({ turn, row }: Decided): number | undefined {
  const sale = turn.changes.ledger.find((line) => line.tx === row.tx && tradeEffectOf(line) === 'sale');
  return sale === undefined ? undefined : goldTaken(sale);
}

function checkSettling({ transactions }: Known, turn: DurableTurn, complain: Complain): void {
  const where = whereOf(turn);
  for (const { old, row } of stepsOf(turn, decision)) {
    if (old === undefined || (row !== undefined && row.state !== 'settled')) continue;
    if (transactions.get(old.tx)?.resolution === undefined) complain(`${where} takes ${old.tx} for settled, and its holder still holds`);
    if (row === undefined && turn.changes.now <= old.offerUntil) complain(`${where} forgets ${old.tx}, which may still be offered`);
  }
}

/** Others that were settled before it may have to go first: their offers end within a window, by clocks that differ. */
const BLOCKED_MS_MAX = limits.offerWindowMs + 2 * limits.clockBehindMaxMs;
/** From then on, turns until it goes: one round of tidying, and as many more as those before it may take. */
const TURNS_TO_FORGET = 4 * limits.tidyEveryTurns;

function decisionsBounded(): (turn: DurableTurn, complain: Complain) => void {
  const overdueByShard = new Map<string, { readonly id: RowId; readonly turns: number }>();
  return (turn, complain) => {
    const { changes, shard } = turn;
    let oldest: DecisionRow | undefined;
    for (const row of rowsOfShard(shard, decision)) {
      if (row.state === 'settled' && (oldest === undefined || row.offerUntil < oldest.offerUntil)) oldest = row;
    }
    if (oldest === undefined || oldest.offerUntil + BLOCKED_MS_MAX >= changes.now) return void overdueByShard.delete(changes.shard);
    const before = overdueByShard.get(changes.shard);
    const turns = before?.id === oldest.id ? before.turns + 1 : 1;
    overdueByShard.set(changes.shard, { id: oldest.id, turns });
    if (turns >= TURNS_TO_FORGET) complain(`${whereOf(turn)} still has the decision on ${oldest.tx}, after ${turns} turns`);
  };
}

/** Effects of one group exclude each other: a trade has each at most once. */
const EFFECT_GROUPS: Readonly<Record<TradeEffect, 'hold' | 'sale' | 'end'>> = {
  hold: 'hold',
  sale: 'sale',
  purchase: 'end',
  release: 'end',
};

function effectsOnce(): (turn: DurableTurn, complain: Complain) => void {
  const causeByEffect = new Map<string, string>();
  return (turn, complain) => {
    for (const line of turn.changes.ledger) {
      const effect = tradeEffectOf(line);
      if (effect === undefined) continue;
      const { tx, cause } = line;
      const key = `${EFFECT_GROUPS[effect]} ${String(tx)}`;
      const earlier = causeByEffect.get(key);
      if (earlier !== undefined) complain(`${whereOf(turn)}: ${String(tx)} has a ${cause} after its ${earlier}`);
      causeByEffect.set(key, cause);
    }
  };
}

/** What a kind of trade calls the cause of each effect. */
const CAUSE_NAMES = { hold: 'held', sale: 'decided', purchase: 'committed', release: 'released' } as const;

function checkCauses({ transactions, kinds }: Known, turn: DurableTurn, complain: Complain): void {
  for (const line of turn.changes.ledger) {
    const effect = tradeEffectOf(line);
    const kind = kinds[transactions.get(line.tx ?? '')?.trade ?? ''];
    if (effect === undefined || kind === undefined) continue;
    const expected = kind.causes[CAUSE_NAMES[effect]];
    if (line.cause !== expected) complain(`${whereOf(turn)}: line ${line.seq} is a ${line.cause}, and does what a ${expected} does`);
  }
}

function checkClearing({ transactions }: Known, turn: DurableTurn, complain: Complain): void {
  for (const line of turn.changes.ledger) {
    const { cause, tx, postings } = line;
    const transaction = tx === null ? undefined : transactions.get(tx);
    for (const { place, asset, amount } of postings) {
      if (place !== 'clearing') continue;
      if (transaction === undefined) {
        complain(`${whereOf(turn)}: ${cause} moves ${asset} through the clearing of no transaction`);
        continue;
      }
      const sum = (transaction.clearing.get(asset) ?? 0) + amount;
      if (sum === 0) transaction.clearing.delete(asset);
      else transaction.clearing.set(asset, sum);
    }
    if (transaction !== undefined && transaction.clearing.size > 0 && tradeEffectOf(line) === 'purchase')
      complain(`${transaction.tx} is bought and sold, and ${inWords(transaction.clearing)} is left in clearing`);
  }
}

function inWords(clearing: ReadonlyMap<string, number>): string {
  return [...clearing].map(([asset, amount]) => `${amount} of ${asset}`).join(', ');
}
