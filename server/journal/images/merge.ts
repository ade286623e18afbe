/**
 * Records of one shard into one change set, and a change set into an image: what an image pass and
 * a load are made of.
 */
import { limits } from '#shared/limits.ts';
import type { RowId } from '#shared/units.ts';
import type { RawChangeSet, RawPut, Remove } from '#server/shard/change-set.ts';
import type { RecordCursor } from '#server/shard/record/cursor.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';

/** Where one record is. */
export interface RecordPlace {
  readonly bytes: Buffer;
  readonly offset: number;
}

interface Winner {
  readonly bytes: Buffer;
  readonly columnsStart: number;
}

/**
 * The change set that has the effect of all these, which are of one shard and of consecutive
 * versions, oldest first. Of the ledger it keeps what an image keeps. Goes from the newest to the
 * oldest, so that what was overwritten later is never decoded.
 */
export function mergeRecords(cursor: RecordCursor, records: readonly RecordPlace[]): RawChangeSet {
  const newest = records.at(-1);
  if (newest === undefined) throw new Error('there is nothing to merge');
  cursor.key(newest.bytes, newest.offset);
  const header = cursor.header();
  const winnersByTable = new Map<string, Map<RowId, Winner | undefined>>();
  const entries: RecordPlace[] = [];
  for (let index = records.length - 1; index >= 0; index--) {
    const record = records[index];
    if (record === undefined) continue;
    cursor.open(record.bytes, record.offset);
    while (cursor.nextPut()) settle(winnersByTable, cursor, { bytes: record.bytes, columnsStart: cursor.columnsStart });
    while (cursor.nextRemove()) settle(winnersByTable, cursor, undefined);
    if (entries.length < limits.ledgerLinesKept) collectEntries(entries, cursor, record.bytes);
  }
  const { puts, removes } = outcome(winnersByTable, cursor);
  const ledger = entries.slice(0, limits.ledgerLinesKept).map(({ bytes, offset }) => cursor.entry(bytes, offset));
  return { ...header, puts, removes, ledger: ledger.toReversed() };
}

/** The image after the changes. Rows are in the order of their tables' names and ids. */
export function applyChanges(image: RawChangeSet | undefined, changes: RawChangeSet): RawChangeSet {
  const putByKey = new Map((image?.puts ?? []).map((put) => [rowKey(put), put]));
  for (const remove of changes.removes) putByKey.delete(rowKey(remove));
  for (const put of changes.puts) putByKey.set(rowKey(put), put);
  return {
    ...changes,
    puts: [...putByKey.values()].toSorted(inOrder),
    removes: [],
    ledger: newestLines(image?.ledger ?? [], changes.ledger),
  };
}

/** The lines that an image keeps. */
function newestLines(old: readonly LedgerEntry[], added: readonly LedgerEntry[]): readonly LedgerEntry[] {
  return [...old, ...added].slice(-limits.ledgerLinesKept);
}

function rowKey({ table, id }: Remove): string {
  return `${table} ${id}`;
}

function inOrder(a: RawPut, b: RawPut): number {
  if (a.table !== b.table) return a.table < b.table ? -1 : 1;
  return a.id - b.id;
}

/** Records come newest first: what a newer one has put or removed stands. */
function settle(winnersByTable: Map<string, Map<RowId, Winner | undefined>>, cursor: RecordCursor, winner: Winner | undefined): void {
  let winners = winnersByTable.get(cursor.table);
  if (winners === undefined) {
    winners = new Map();
    winnersByTable.set(cursor.table, winners);
  }
  if (!winners.has(cursor.id)) winners.set(cursor.id, winner);
}

function collectEntries(entries: RecordPlace[], cursor: RecordCursor, bytes: Buffer): void {
  const starts: number[] = [];
  while (cursor.nextEntry()) starts.push(cursor.entryStart);
  for (const offset of starts.toReversed()) entries.push({ bytes, offset });
}

function outcome(winnersByTable: ReadonlyMap<string, ReadonlyMap<RowId, Winner | undefined>>, cursor: RecordCursor) {
  const puts: RawPut[] = [];
  const removes: Remove[] = [];
  for (const [table, winners] of winnersByTable) {
    for (const [id, winner] of winners) {
      if (winner === undefined) removes.push({ table, id });
      else puts.push({ table, id, values: cursor.columns(winner.bytes, table, winner.columnsStart) });
    }
  }
  return { puts, removes };
}
