/** Checkers of trades: what holder and decider may do, from their durable rows alone. T1 to T9 of the design. */
import { limits } from '#shared/limits.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import { listing } from '#server/market/listing/listing.ts';
import { decision, hold } from '#server/trade/entities.ts';
import { isSame, type Checker, type Complain } from './checker.ts';
import type { DurableTurn, RowDelta } from './model.ts';
import { fieldsOf, rowAs } from './row-decode.ts';

/** What the journals have said of one transaction. */
interface Transaction {
  readonly tx: string;
  readonly holder: string;
  readonly price: number;
  readonly offerUntil: number;
  verdict: 'committed' | 'aborted' | undefined;
  resolution: 'purchase' | 'release' | undefined;
  readonly clearing: Map<string, number>;
}

type Transactions = Map<string, Transaction>;

/** What the checkers have to know besides the turns. */
export interface TradeFacts {
  /** The time of the node of a shard. */
  readonly timeOf: (shard: ShardId) => Instant;
  /** Whether the image of a shard is damaged, or was a moment ago. */
  readonly isDamaged: (shard: string) => boolean;
}

/** New ones for one simulation. They share what they know, and the first of them keeps it. */
export function tradeCheckers(facts: TradeFacts): readonly Checker[] {
  const transactions: Transactions = new Map();
  const createdAt = new Map<string, number>();
  const endedListings = new Set<string>();
  return [
    {
      name: 'T1 T2 a hold goes only with the outcome',
      sentence: 'a hold is made once, never changed, and goes only after the decider has durably decided, in the way that it decided',
      onTurn: (turn, complain) => {
        if (turn.previous === undefined) createdAt.set(turn.changes.shard, turn.changes.now);
        forEachHold(turn, (delta) => checkHold(transactions, createdAt, facts, turn, delta, complain));
      },
    },
    {
      name: 'T3 T4 a decision is final',
      sentence: 'a transaction is decided once, for a durable hold, in time if it commits, with all effects of its side or none',
      onTurn: (turn, complain) => checkDecisions(transactions, turn, complain),
    },
    {
      name: 'T5 a trade has its effects once',
      sentence: 'however often its messages come, a transaction holds once, sells at most once, and either buys or releases once',
      onTurn: effectsOnce(),
    },
    {
      name: 'T9 a decision goes when it is of no more use, and not before',
      sentence: 'a decision is settled only after its holder has acted, and forgotten only when its offer can no longer be accepted',
      onTurn: (turn, complain) => checkSettling(transactions, turn, complain),
    },
    {
      name: 'T9 decisions are bounded',
      sentence: 'a settled decision whose offer can no longer be accepted is forgotten within a few turns of its shard',
      onTurn: decisionsBounded(),
    },
    {
      name: 'T7 clearing is empty in the end',
      sentence: 'what a sale leaves between the two shards is exactly what the purchase takes, and nothing is left of a settled trade',
      onTurn: (turn, complain) => checkClearing(transactions, turn, complain),
      onQuiet: (_quiet, complain) => {
        for (const { tx, clearing } of transactions.values())
          if (clearing.size > 0) complain(`${tx} still has ${inWords(clearing)} in clearing`);
      },
    },
    {
      name: 'each listing ends once',
      sentence: 'a listing ends once, by sale, cancel or expiry, and never comes back',
      onTurn: (turn, complain) => checkListings(endedListings, turn, complain),
    },
  ];
}

function forEachHold({ deltas }: DurableTurn, visit: (delta: RowDelta) => void): void {
  for (const delta of deltas) if (delta.entity === hold.name) visit(delta);
}

function checkHold(
  transactions: Transactions,
  createdAt: ReadonlyMap<string, number>,
  { timeOf, isDamaged }: TradeFacts,
  { changes }: DurableTurn,
  { before, after }: RowDelta,
  complain: Complain,
): void {
  const old = rowAs(hold, hold.name, before);
  const row = rowAs(hold, hold.name, after);
  if (old === undefined && row !== undefined) {
    if (transactions.has(row.tx)) complain(`${row.tx} is minted twice`);
    const { tx, gold: price, offerUntil } = row;
    const fresh = { verdict: undefined, resolution: undefined, clearing: new Map<string, number>() };
    transactions.set(tx, { tx, holder: changes.shard, price, offerUntil, ...fresh });
  } else if (old !== undefined && row !== undefined) {
    const isKept = old.tx === row.tx && old.gold === row.gold && old.decider === row.decider && old.offerUntil === row.offerUntil;
    if (!isKept || !isSame(old.terms, row.terms)) complain(`the hold of ${old.tx} was changed`);
  } else if (old !== undefined) {
    const known = transactions.get(old.tx);
    const causes = changes.ledger.filter(({ tx }) => tx === old.tx).map(({ cause }) => cause);
    const resolution = causes.length === 1 ? causes[0] : undefined;
    if (known === undefined || (resolution !== 'purchase' && resolution !== 'release')) {
      return complain(`the hold of ${old.tx} went with the ledger lines [${causes.join(', ')}]`);
    }
    known.resolution = resolution;
    // Where there is no shard, nothing can be written down: its cell aborts what is late, and the shard may come to be a moment later.
    const hasComeAt = createdAt.get(old.decider) ?? Number.POSITIVE_INFINITY;
    const isOfNobody = hasComeAt > old.offerUntil;
    // Nor where it cannot be loaded. That it has decided nothing is seen here by its journal, and that it never will, by `checkNewDecision`.
    const isOfDamaged = isDamaged(old.decider) && changes.now > old.offerUntil;
    if (known.verdict === undefined && resolution === 'release' && (isOfNobody || isOfDamaged)) {
      const earlyMs = old.offerUntil - timeOf(old.decider);
      if (earlyMs > 0) complain(`the hold of ${old.tx} is released ${earlyMs} ms too early: nobody has decided, and somebody still may`);
      return;
    }
    const expected = resolution === 'purchase' ? 'committed' : 'aborted';
    if (known.verdict !== expected)
      complain(`the hold of ${old.tx} became a ${resolution}, and its decider has ${known.verdict ?? 'decided nothing'}`);
  }
}

function checkDecisions(transactions: Transactions, turn: DurableTurn, complain: Complain): void {
  for (const { entity, before, after } of turn.deltas) {
    const old = rowAs(decision, entity, before);
    const row = rowAs(decision, entity, after);
    if (old === undefined && row !== undefined) checkNewDecision(transactions, turn, row, complain);
    if (old !== undefined) checkOldDecision(turn, old, row, complain);
  }
  for (const { cause, tx } of turn.changes.ledger) {
    if (cause !== 'sale') continue;
    const known = tx === null ? undefined : transactions.get(tx);
    if (known?.verdict !== 'committed')
      complain(`${turn.changes.shard} sells for ${String(tx)}, of which the verdict is ${known?.verdict ?? 'none'}`);
  }
}

type DecisionRow = NonNullable<ReturnType<typeof rowAs<(typeof decision)['attributes']>>>;

function checkNewDecision(transactions: Transactions, { changes, deltas }: DurableTurn, row: DecisionRow, complain: Complain): void {
  const known = transactions.get(row.tx);
  const where = `${changes.shard} version ${changes.version}`;
  if (known === undefined) return complain(`${where} decides ${row.tx}, for which there is no durable hold`);
  if (row.state !== 'committed' && row.state !== 'aborted')
    return complain(`${where} has a first decision of ${row.tx} that is ${row.state}`);
  if (row.offerUntil !== known.offerUntil)
    complain(`${where} believes that ${row.tx} is offered until ${row.offerUntil}, not ${known.offerUntil}`);
  if (row.state === 'committed') {
    if (changes.now > row.offerUntil) complain(`${where} commits ${row.tx} ${changes.now - row.offerUntil} ms too late`);
    const isOver = known.verdict ?? known.resolution;
    if (isOver !== undefined) complain(`${where} commits ${row.tx}, which has its ${isOver} already`);
    if (!changes.ledger.some(({ cause, tx }) => cause === 'sale' && tx === row.tx)) complain(`${where} commits ${row.tx} without its sale`);
    const verdict = row.verdict?.value;
    const paid = fieldsOf(verdict?.kind === 'committed' ? verdict.result : undefined)['paid'];
    const sold = deltas.flatMap(({ entity, before, after }) => (after === undefined ? (rowAs(listing, entity, before) ?? []) : []));
    if (sold.length !== 1 || sold[0]?.buyout !== paid)
      complain(`${where} takes ${String(paid)} for ${row.tx}, and no listing of that price ends`);
    if (typeof paid !== 'number' || paid > known.price)
      complain(`${where} takes ${String(paid)} for ${row.tx}, which holds ${known.price}`);
  } else if (known.verdict === 'committed' && known.resolution === undefined) {
    complain(`${where} aborts ${row.tx}, which is committed, before its holder knows`);
  }
  // A late double of an offer that is long settled is aborted anew; its holder has nothing to lose by then.
  known.verdict ??= row.state;
}

function checkOldDecision({ changes }: DurableTurn, old: DecisionRow, row: DecisionRow | undefined, complain: Complain): void {
  if (row === undefined) return;
  const where = `${changes.shard} version ${changes.version}`;
  if (row.state !== old.state && row.state !== 'settled') complain(`${where}: ${old.tx} goes from ${old.state} to ${row.state}`);
  if (row.verdict !== null && !isSame(row.verdict, old.verdict)) complain(`${where}: the verdict of ${old.tx} is changed`);
}

function checkSettling(transactions: Transactions, { changes, deltas }: DurableTurn, complain: Complain): void {
  const where = `${changes.shard} version ${changes.version}`;
  for (const { entity, before, after } of deltas) {
    const old = rowAs(decision, entity, before);
    const row = rowAs(decision, entity, after);
    if (old === undefined || (row !== undefined && row.state !== 'settled')) continue;
    const known = transactions.get(old.tx);
    if (known?.resolution === undefined) complain(`${where} takes ${old.tx} for settled, and its holder still holds`);
    if (row === undefined && changes.now <= old.offerUntil) complain(`${where} forgets ${old.tx}, which may still be offered`);
  }
}

/** Others that were settled before it may have to go first: their offers end within a window, by clocks that differ. */
const BLOCKED_MS_MAX = limits.offerWindowMs + 2 * limits.clockBehindMaxMs;
/** From then on, turns until it goes: one round of tidying, and as many more as those before it may take. */
const TURNS_TO_FORGET = 4 * limits.tidyEveryTurns;

function decisionsBounded(): (turn: DurableTurn, complain: Complain) => void {
  const overdueByShard = new Map<string, { readonly id: number; readonly turns: number }>();
  return ({ changes, shard }, complain) => {
    let oldest: DecisionRow | undefined;
    for (const row of shard.rowsByEntity.get(decision.name)?.values() ?? []) {
      const known = rowAs(decision, decision.name, row);
      if (known?.state === 'settled' && (oldest === undefined || known.offerUntil < oldest.offerUntil)) oldest = known;
    }
    if (oldest === undefined || oldest.offerUntil + BLOCKED_MS_MAX >= changes.now) return void overdueByShard.delete(changes.shard);
    const before = overdueByShard.get(changes.shard);
    const turns = before?.id === oldest.id ? before.turns + 1 : 1;
    overdueByShard.set(changes.shard, { id: oldest.id, turns });
    if (turns >= TURNS_TO_FORGET)
      complain(`${changes.shard} version ${changes.version} still has the decision on ${oldest.tx}, after ${turns} turns`);
  };
}

/** The lines of a trade, and which of them exclude each other. */
const EFFECTS: Readonly<Record<string, 'hold' | 'sale' | 'end'>> = { buyout: 'hold', sale: 'sale', purchase: 'end', release: 'end' };

function effectsOnce(): (turn: DurableTurn, complain: Complain) => void {
  const causeByEffect = new Map<string, string>();
  return ({ changes }, complain) => {
    for (const { cause, tx } of changes.ledger) {
      const effect = EFFECTS[cause];
      if (effect === undefined || tx === null) continue;
      const key = `${effect} ${tx}`;
      const earlier = causeByEffect.get(key);
      if (earlier !== undefined) complain(`${changes.shard} version ${changes.version}: ${tx} has a ${cause} after its ${earlier}`);
      causeByEffect.set(key, cause);
    }
  };
}

function checkClearing(transactions: Transactions, { changes }: DurableTurn, complain: Complain): void {
  for (const { cause, tx, postings } of changes.ledger) {
    for (const { place, asset, amount } of postings) {
      if (place !== 'clearing') continue;
      const clearing = tx === null ? undefined : transactions.get(tx)?.clearing;
      if (clearing === undefined) {
        complain(`${changes.shard} version ${changes.version}: ${cause} moves ${asset} through the clearing of no transaction`);
        continue;
      }
      const sum = (clearing.get(asset) ?? 0) + amount;
      if (sum === 0) clearing.delete(asset);
      else clearing.set(asset, sum);
    }
    const known = tx === null ? undefined : transactions.get(tx);
    if (cause === 'purchase' && known !== undefined && known.clearing.size > 0) {
      complain(`${known.tx} is bought and sold, and ${inWords(known.clearing)} is left in clearing`);
    }
  }
}

const ENDINGS: ReadonlySet<string> = new Set(['sale', 'cancelled', 'expired']);

function checkListings(ended: Set<string>, { changes, deltas }: DurableTurn, complain: Complain): void {
  for (const { entity, id, before, after } of deltas) {
    const old = rowAs(listing, entity, before);
    const row = rowAs(listing, entity, after);
    const key = `${id}.${changes.shard}`;
    if (row !== undefined && ended.has(key)) complain(`the listing ${key} has ended, and is there again`);
    if (old === undefined || row !== undefined) continue;
    ended.add(key);
    const endings = changes.ledger.filter(({ cause, postings }) => {
      return ENDINGS.has(cause) && postings.some(({ place, asset }) => place === 'listed' && asset === `item:${old.item.value.id}`);
    });
    if (endings.length !== 1) complain(`the listing ${key} ends ${endings.length} times in one turn`);
    const isEarly = endings[0]?.cause === 'expired' && changes.now < old.endsAt;
    const isLate = endings[0]?.cause === 'sale' && (changes.now >= old.endsAt || changes.now < old.startsAt);
    if (isEarly || isLate)
      complain(`the listing ${key} of ${old.startsAt} to ${old.endsAt} is ${String(endings[0]?.cause)} at ${changes.now}`);
  }
}

function inWords(clearing: ReadonlyMap<string, number>): string {
  return [...clearing].map(([asset, amount]) => `${amount} of ${asset}`).join(', ');
}
