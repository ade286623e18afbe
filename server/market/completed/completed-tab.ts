/**
 * The completed tab: what became of listings and purchases, with goods and gold to claim. It
 * always takes what a trade brings back; only new postings stop when it is full.
 */
import type { Rules } from '#shared/rules.ts';
import { holds, onCommands, type Feature, type Holding } from '../feature.ts';
import { claim } from './claim.ts';
import { completed, type CompletedRow } from './completed.ts';
import { completedSteps } from './steps.ts';
import { completedView } from './view.ts';

/** The completed tab under these rules: its entries, and the command that claims them. */
export function completedFeature(rules: Rules): Feature {
  return {
    name: 'completed',
    entities: [completed],
    handlers: onCommands({ claim: (turn, body) => claim(rules, turn, body) }),
    view: completedView,
    holdings: [holds(completed, holdingsOf)],
    steps: completedSteps,
  };
}

/**
 * The goods of an entry. Its gold is counted by the wallet, which is checked against the entries.
 */
function holdingsOf({ item, commodity, quantity }: CompletedRow): readonly Holding[] {
  const goods: readonly Holding[] = item === null ? [] : [{ place: 'completed', asset: `item:${item.value.id}`, amount: 1 }];
  if (commodity === null || quantity === null) return goods;
  return [...goods, { place: 'completed', asset: `commodity:${commodity}`, amount: quantity }];
}
