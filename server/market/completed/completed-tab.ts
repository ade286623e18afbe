/**
 * The completed tab: what became of listings and purchases, with goods and gold to claim. It
 * always takes what a trade brings back; only new postings stop when it is full.
 */
import { limits } from '#shared/limits.ts';
import type { CommandAnswer, CommandBody } from '#shared/protocol.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import { gold, NO_GOLD, quantity, sumGold, type ItemId, type RowId } from '#shared/units.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { holds, onCommands, type Feature, type Holding, type Step } from '../feature.ts';
import { addCommodity, addItem, hasSlot } from '../goods/stash.ts';
import { fromTo, goldFromTo, transfer, type Transfer } from '../ledger.ts';
import { completed, type CompletedRow } from './completed.ts';
import { completedView } from './view.ts';

/** The completed tab under these rules: its entries, and the command that claims them. */
export function completedFeature(rules: Rules): Feature {
  return {
    name: 'completed',
    entities: [completed],
    handlers: onCommands({ claim: (turn, body) => claim(rules, turn, body) }),
    view: completedView,
    holdings: [holds(completed, holdingsOf)],
    steps: STEPS,
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

type ClaimAnswer = CommandAnswer<'claim'>;

/** Moves one entry, or as many as fit, to stash and wallet. */
function claim(rules: Rules, turn: Turn, { entryId }: CommandBody<'claim'>): Handled {
  if (entryId !== undefined) {
    const row = turn.table(completed).get(entryId);
    if (row === undefined) return refusal('no-such-entry');
    const obstacle = obstacleTo(turn, rules, row);
    if (obstacle !== undefined) return refusal(obstacle);
    return answer(claimRows(turn, rules, [row]));
  }
  return answer(claimRows(turn, rules, turn.table(completed).rows()));
}

/** Claims what fits, oldest first, at most so many; names of the rest as many as are shown. */
function claimRows(turn: Turn, rules: Rules, rows: readonly CompletedRow[]): ClaimAnswer {
  const claimed: CompletedRow[] = [];
  const left: { entryId: RowId; reason: RefusalName }[] = [];
  const items: ItemId[] = [];
  const transfers: Transfer[] = [];
  for (const row of rows) {
    if (claimed.length === limits.claimEntriesMax) break;
    const obstacle = obstacleTo(turn, rules, row);
    if (obstacle !== undefined) {
      if (left.length < rules.completedShown) left.push({ entryId: row.id, reason: obstacle });
      continue;
    }
    turn.remove(completed, row.id);
    if (row.item !== null) {
      const { id } = row.item.value;
      addItem(turn, row.item);
      transfers.push(fromTo(`item:${id}`, 'completed', 'stash'));
      items.push(id);
    }
    if (row.commodity !== null && row.quantity !== null) {
      addCommodity(turn, row.commodity, row.quantity);
      transfers.push(fromTo(`commodity:${row.commodity}`, 'completed', 'stash', row.quantity));
    }
    claimed.push(row);
  }
  const amount = sumGold(...claimed.map((row) => row.gold ?? NO_GOLD));
  if (amount > 0) transfers.push(goldFromTo('completed', 'wallet', amount));
  if (transfers.length > 0) transfer(turn, 'claim', null, transfers);
  return {
    claimed: claimed.map(({ id }) => id),
    gold: gold(amount),
    items,
    commodities: claimed.flatMap((row) =>
      row.commodity === null || row.quantity === null ? [] : [{ commodity: row.commodity, quantity: quantity(row.quantity) }],
    ),
    left,
  };
}

function obstacleTo(turn: Turn, rules: Rules, row: CompletedRow): RefusalName | undefined {
  return row.item !== null && !hasSlot(turn, rules) ? 'stash-full' : undefined;
}

/** Claims all, or one entry; now and then where there is none. */
const STEPS: readonly Step[] = [
  {
    name: 'claim',
    weight: 16,
    wish: ({ state }, prng) => {
      const entries = [...state.completed.keys()];
      if (entries.length === 0 && prng.chance(0.9)) return undefined;
      const isOne = entries.length > 0 && prng.chance(0.4);
      return { type: 'claim', body: isOne ? { entryId: Number(prng.pick(entries)) } : { all: true } };
    },
  },
];
