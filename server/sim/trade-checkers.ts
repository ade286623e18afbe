/** Checkers of trades: what holder and decider may do, from their durable rows alone. T1 to T9 of the design. */
import { listing } from '#server/market/entities.ts';
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
  sales: number;
  readonly clearing: Map<string, number>;
}

type Transactions = Map<string, Transaction>;

/** New ones for one simulation. They share what they know, and the first of them keeps it. */
export function tradeCheckers(): readonly Checker[] {
  const transactions: Transactions = new Map();
  const endedListings = new Set<string>();
  return [
    {
      name: 'T1 T2 a hold goes only with the outcome',
      sentence: 'a hold is made once, never changed, and goes only after the decider has durably decided, in the way that it decided',
      onTurn: (turn, complain) => forEachHold(turn, (delta) => checkHold(transactions, turn, delta, complain)),
    },
    {
      name: 'T3 T4 a decision is final',
      sentence: 'a transaction is decided once, for a durable hold, in time if it commits, with all effects of its side or none',
      onTurn: (turn, complain) => checkDecisions(transactions, turn, complain),
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

function checkHold(transactions: Transactions, { changes }: DurableTurn, { before, after }: RowDelta, complain: Complain): void {
  const old = rowAs(hold, hold.name, before);
  const row = rowAs(hold, hold.name, after);
  if (old === undefined && row !== undefined) {
    if (transactions.has(row.tx)) complain(`${row.tx} is minted twice`);
    const { tx, gold: price, offerUntil } = row;
    const fresh = { verdict: undefined, resolution: undefined, sales: 0, clearing: new Map<string, number>() };
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
    if (old !== undefined) checkOldDecision(transactions, turn, old, row, complain);
  }
  for (const { cause, tx } of turn.changes.ledger) {
    if (cause !== 'sale' || tx === null) continue;
    const known = transactions.get(tx);
    if (known === undefined) complain(`${turn.changes.shard} sells for ${tx}, which nobody holds gold for`);
    else if (++known.sales > 1) complain(`${tx} is sold for twice`);
    else if (known.verdict !== 'committed') complain(`${tx} is sold for, and its verdict is ${known.verdict ?? 'none'}`);
  }
}

type DecisionRow = NonNullable<ReturnType<typeof rowAs<(typeof decision)['attributes']>>>;

function checkNewDecision(transactions: Transactions, { changes }: DurableTurn, row: DecisionRow, complain: Complain): void {
  const known = transactions.get(row.tx);
  const where = `${changes.shard} version ${changes.version}`;
  if (known === undefined) return complain(`${where} decides ${row.tx}, for which there is no durable hold`);
  if (row.state !== 'committed' && row.state !== 'aborted')
    return complain(`${where} has a first decision of ${row.tx} that is ${row.state}`);
  if (row.offerUntil !== known.offerUntil)
    complain(`${where} believes that ${row.tx} is offered until ${row.offerUntil}, not ${known.offerUntil}`);
  if (row.state === 'committed') {
    if (changes.now > row.offerUntil) complain(`${where} commits ${row.tx} ${changes.now - row.offerUntil} ms too late`);
    if (known.verdict !== undefined) complain(`${where} commits ${row.tx}, which is ${known.verdict} already`);
    if (!changes.ledger.some(({ cause, tx }) => cause === 'sale' && tx === row.tx)) complain(`${where} commits ${row.tx} without its sale`);
    const paid = fieldsOf(row.verdict?.kind === 'committed' ? row.verdict.result : undefined)['paid'];
    if (typeof paid !== 'number' || paid > known.price)
      complain(`${where} takes ${String(paid)} for ${row.tx}, which holds ${known.price}`);
  } else if (known.verdict === 'committed' && known.resolution === undefined) {
    complain(`${where} aborts ${row.tx}, which is committed, before its holder knows`);
  }
  // A late double of an offer that is long settled is aborted anew; its holder has nothing to lose by then.
  known.verdict ??= row.state;
}

function checkOldDecision(
  transactions: Transactions,
  turn: DurableTurn,
  old: DecisionRow,
  row: DecisionRow | undefined,
  complain: Complain,
): void {
  const where = `${turn.changes.shard} version ${turn.changes.version}`;
  const known = transactions.get(old.tx);
  if (row !== undefined && row.state !== old.state && row.state !== 'settled')
    complain(`${where}: ${old.tx} goes from ${old.state} to ${row.state}`);
  if (row !== undefined && row.verdict !== null && !isSame(row.verdict, old.verdict))
    complain(`${where}: the verdict of ${old.tx} is changed`);
  const isOver = row === undefined || row.state === 'settled';
  if (isOver && known?.resolution === undefined) complain(`${where} takes ${old.tx} for settled, and its holder still holds`);
  if (row === undefined && turn.changes.now <= old.offerUntil) complain(`${where} forgets ${old.tx}, which may still be offered`);
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
      return ENDINGS.has(cause) && postings.some(({ place, asset }) => place === 'listed' && asset === `item:${old.item.id}`);
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
