/**
 * The completed tab: what became of listings and purchases, with goods and gold to claim. It always takes what a trade brings back;
 * only new postings stop when it is full.
 */
import type { CommandAnswer, CommandRequest, FeeLine } from '#shared/protocol.ts';
import { limits } from '#shared/limits.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import { gold, NO_GOLD, quantity, sumGold, type Gold, type ItemId } from '#shared/units.ts';
import type { Item } from '#shared/item.ts';
import { Json } from '#server/shard/json.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import { onCommand, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { completed, type CompletedRow } from './entities.ts';
import { addCommodity, addItem, hasSlot } from './stash.ts';
import { fromTo, goldFromTo, move, type Transfer } from './wallet.ts';

/** What a new entry says; what it does not name is not there. */
export interface EntryDraft {
  readonly entry: CompletedRow['entry'];
  readonly item?: Json<Item>;
  readonly gold?: Gold;
  readonly fees?: readonly FeeLine[];
  readonly tx?: string;
}

const NO_FEES: CompletedRow['fees'] = Json.of([]);

/** Writes an entry. Never refuses. The ledger line is the caller's. */
export function complete(turn: Turn, { entry, item, gold: amount, fees, tx }: EntryDraft): CompletedRow {
  return turn.insert(completed, {
    entry,
    item: item ?? null,
    commodity: null,
    quantity: null,
    gold: amount ?? null,
    fees: fees === undefined ? NO_FEES : Json.of(fees),
    tx: tx ?? null,
    at: turn.now,
  });
}

/** Whether no new posting may be made before something is claimed. */
export function isFull(turn: Turn, rules: Rules): boolean {
  return turn.table(completed).size >= rules.completedShown;
}

type ClaimAnswer = CommandAnswer<'claim'>;

function claim(rules: Rules, turn: Turn, { entryId }: Omit<CommandRequest<'claim'>, 'op'>): Handled {
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
  const left: { entryId: number; reason: RefusalName }[] = [];
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
  if (transfers.length > 0) move(turn, 'claim', null, transfers);
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

/** The powerup of the completed tab. */
export function completedTab(rules: Rules): Powerup {
  return {
    name: 'completed',
    entities: [completed],
    handlers: { claim: onCommand<Omit<CommandRequest<'claim'>, 'op'>>((turn, body) => claim(rules, turn, body)) },
  };
}
