/** The rows of the completed tab. */
import type { Item } from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import { COMPLETED_KINDS } from '#shared/protocol/completed.ts';
import type { Rules } from '#shared/rules.ts';
import { feeLineSchema, type FeeLine } from '#shared/schemas.ts';
import { QUANTITY_MAX, type TransactionId } from '#shared/units.ts';
import { defineEntity, goldAmount, integer, json, nullable, oneOf, text, timestamp, type Row } from '#server/shard/entity.ts';
import { Json } from '#server/shard/json.ts';
import type { Turn } from '#server/shard/turn.ts';
import { isItem } from '../goods/stash.ts';

const isFees = (inside: unknown): boolean => Array.isArray(inside) && inside.every((line) => feeLineSchema.safeParse(line).success);

/**
 * An entry of the completed tab: goods or gold to claim, and what became of a listing or a
 * purchase.
 */
export const completed = defineEntity('completed', {
  version: 1,
  attributes: {
    entry: oneOf(COMPLETED_KINDS),
    item: nullable(json<Item>({ holds: isItem })),
    commodity: nullable(text({ maxLength: 64 })),
    quantity: nullable(integer({ min: 1, max: QUANTITY_MAX })),
    gold: nullable(goldAmount()),
    fees: json<readonly FeeLine[]>({ holds: isFees }),
    tx: nullable(text<TransactionId>({ maxLength: limits.transactionTextLengthMax })),
    at: timestamp(),
  },
});

/** An entry of the completed tab, as a row. */
export type CompletedRow = Row<typeof completed>;

/** What a new entry says; what it does not name is not there. */
type EntryDraft = Pick<CompletedRow, 'entry'> & Partial<Pick<CompletedRow, 'item' | 'gold' | 'fees' | 'tx'>>;

const EMPTY = { item: null, commodity: null, quantity: null, gold: null, fees: Json.of<readonly FeeLine[]>([]), tx: null };

/** Writes an entry. Never refuses. The ledger line is the caller's. */
export function complete(turn: Turn, draft: EntryDraft): CompletedRow {
  return turn.insert(completed, { ...EMPTY, ...draft, at: turn.now });
}

/** Whether no new posting may be made before something is claimed. */
export function isFull(turn: Turn, rules: Rules): boolean {
  return turn.table(completed).size >= rules.completedShown;
}
