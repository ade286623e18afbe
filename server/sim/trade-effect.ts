/**
 * What a line of the ledger does to its transaction, read from the places that it moves between:
 * its cause is the market's own word.
 */
import type { LedgerEntry } from '#server/shard/ledger.ts';

/**
 * The holder promises; the decider gives and takes; the holder gets what it promised for, or gets
 * everything back.
 */
export type TradeEffect = 'hold' | 'sale' | 'purchase' | 'release';

/** The effect of a line; `undefined` if it is of no trade. */
export function tradeEffectOf({ tx, postings }: LedgerEntry): TradeEffect | undefined {
  if (tx === null) return undefined;
  const held = postings.reduce((sum, { place, amount }) => (place === 'hold' ? sum + amount : sum), 0);
  const clears = postings.some(({ place }) => place === 'clearing');
  if (held > 0) return 'hold';
  if (held < 0) return clears ? 'purchase' : 'release';
  return clears ? 'sale' : undefined;
}

/** The gold that a decider's line takes of its transaction. */
export function goldTaken({ postings }: LedgerEntry): number {
  return postings.reduce((sum, { place, asset, amount }) => (place === 'clearing' && asset === 'gold' ? sum - amount : sum), 0);
}
