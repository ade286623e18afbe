/**
 * A player's own ledger, for its eyes: one line per posting at a place of its own, newest first, in
 * pages.
 */
import { limits } from '#shared/limits.ts';
import type { CommandAnswer } from '#shared/protocol.ts';
import type { LedgerLine } from '#shared/protocol/history.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { itemId, type ShardId } from '#shared/units.ts';
import { answer } from '#server/shard/message.ts';
import type { LedgerEntry, Posting } from '#server/shard/ledger.ts';
import type { Read, ReadServices } from '../feature.ts';
import { balanceAfter, OWN_PLACES } from '../places.ts';

/** Reads the newest entries with `seq` below `before`, at most `limit`. */
export type ReadHistory = ReadServices['history'];

/** Answers `history`. */
export const history: Read<'history'> = async (services, { shard }, { cursor }) => {
  const page = await historyPage((...range) => services.history(...range), shard, cursor);
  return 'kind' in page ? page : answer(page);
};

/**
 * One page of the ledger; a refusal if the cursor is none that an earlier page gave, or the reading
 * was refused.
 */
export async function historyPage(
  read: ReadHistory,
  shard: ShardId,
  cursor: string | undefined,
): Promise<CommandAnswer<'history'> | Refusal> {
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : parseCursor(cursor);
  if (before === undefined) return refusal('bad-request', { fault: 'cursor: must be one that history gave' });
  const entries = await read(shard, before, limits.historyPageMax);
  if ('kind' in entries) return entries;
  const lines: LedgerLine[] = [];
  for (const entry of entries) {
    const more = linesOf(entry);
    // An entry is never cut in two; the first one is always shown, so that every page gets further.
    if (lines.length > 0 && lines.length + more.length > limits.historyPageMax) return { lines, cursor: String(entry.seq + 1) };
    lines.push(...more);
  }
  const last = entries.at(-1);
  return last === undefined || last.seq === 1 || entries.length < limits.historyPageMax ? { lines } : { lines, cursor: String(last.seq) };
}

/** The lines of one entry: none for a movement that touches no place of the player's. */
export function linesOf(entry: LedgerEntry): readonly LedgerLine[] {
  const { seq, at, cause, tx, postings } = entry;
  const own = postings.filter(({ place }) => OWN_PLACES.has(place));
  return own.map((posting) => {
    const balance = balanceAfter(entry, posting);
    return {
      seq,
      at,
      cause,
      account: posting.place,
      ...movedBy(posting),
      ...(tx === null ? {} : { tx }),
      ...(balance === undefined ? {} : { balance }),
    };
  });
}

function movedBy({ asset, amount }: Posting): Pick<LedgerLine, 'gold' | 'item' | 'commodity' | 'quantity'> {
  if (asset === 'gold') return { gold: amount };
  const id = asset.slice(asset.indexOf(':') + 1);
  return asset.startsWith('item:') ? { item: itemId(id), quantity: amount } : { commodity: id, quantity: amount };
}

/** The cursor is the `seq` below which the next page starts. */
function parseCursor(cursor: string): number | undefined {
  const before = /^[1-9][0-9]{0,15}$/.test(cursor) ? Number(cursor) : undefined;
  return before !== undefined && Number.isSafeInteger(before) ? before : undefined;
}
