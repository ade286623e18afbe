/**
 * The checker of local units, from durable rows and ledger lines alone. A unit leaves neither hold nor
 * decision: what is told of it is a sale that no decision comes with, and right after it, in the same
 * batch, a turn that promises and buys at once.
 */
import { type NodeName, nextPosition, type Position, type TransactionId } from '#shared/units.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { decision, hold } from '#server/trade/entities.ts';
import { parseTransaction } from '#server/trade/transaction.ts';
import { whereOf, type Checker, type Complain } from './checker.ts';
import { stepsOf, type DurableTurn } from './model.ts';
import { goldTaken, tradeEffectOf } from './trade-effect.ts';

/** What the checkers of trades know, and want to know. */
interface Transactions {
  /** Whether a hold was ever made for it. */
  readonly isOffered: (tx: TransactionId) => boolean;
  /** A decider has sold for it in a unit, with a line of that cause. */
  readonly onSale: (tx: TransactionId, cause: string) => void;
}

/** The decider's half of a unit. */
interface Half {
  /** Where the holder's half must be. */
  readonly next: Position;
  readonly sales: readonly LedgerEntry[];
}

/** A new one for one simulation. */
export function unitChecker({ isOffered, onSale }: Transactions): Checker {
  const halfByNode = new Map<NodeName, Half>();
  return {
    name: 'U1 a unit is whole',
    sentence: 'a sale without a decision, and the purchase that makes it, are two turns in a row of one batch, or neither is there',
    onTurn: (turn, complain) => {
      const { node, position, changes } = turn;
      const say: Complain = (detail) => complain(`${whereOf(turn)} ${detail}`);
      const half = halfByNode.get(node);
      halfByNode.delete(node);
      const holds = changes.ledger.filter((line) => tradeEffectOf(line) === 'hold' && isBoughtIn(turn, line.tx));
      if (half?.next === position) checkPurchase(turn, half.sales, holds, say);
      else
        for (const { tx } of [...holds, ...(half?.sales ?? [])])
          say(`is at one half of the unit ${String(tx)}, and the other is not beside it`);
      const decided = new Set(stepsOf(turn, decision).map(({ old, row }) => (row ?? old)?.tx));
      const sales = changes.ledger.filter((line) => tradeEffectOf(line) === 'sale' && !decided.has(line.tx ?? undefined));
      if (sales.length === 0) return;
      halfByNode.set(node, { next: nextPosition(position), sales });
      for (const { tx, cause } of sales) {
        if (turn.isLastOfBatch) say(`sells for ${String(tx)} without a decision, and its batch ends there`);
        if (tx === null) continue;
        if (isOffered(tx)) say(`sells for ${tx} without a decision, and it was offered before`);
        onSale(tx, cause);
      }
    },
  };
}

function checkPurchase(turn: DurableTurn, sales: readonly LedgerEntry[], holds: readonly LedgerEntry[], say: Complain): void {
  const [sold] = sales;
  const [promised] = holds;
  if (
    sold === undefined ||
    promised?.tx !== sold.tx ||
    [sales, holds].some(({ length }) => length !== 1) ||
    turn.changes.ledger.length !== 2
  )
    return say(`is not the purchase of ${sales.map(({ tx }) => String(tx)).join(', ')}, which was sold right before it`);
  const { tx, postings } = promised;
  if (tx === null || parseTransaction(tx)?.holder !== turn.changes.shard) say(`buys for ${String(tx)}, which it cannot have minted`);
  const price = postings.reduce((sum, { place, amount }) => (place === 'hold' ? sum + amount : sum), 0);
  if (goldTaken(sold) > price) say(`promises ${price} for ${String(tx)}, and ${goldTaken(sold)} are taken`);
  if (stepsOf(turn, hold).some(({ old, row }) => (row ?? old)?.tx === tx)) say(`buys ${String(tx)} at once, and has a hold of it`);
}

/** Whether a turn buys for that transaction. */
function isBoughtIn({ changes }: DurableTurn, tx: TransactionId | null): boolean {
  return changes.ledger.some((line) => line.tx === tx && tradeEffectOf(line) === 'purchase');
}
