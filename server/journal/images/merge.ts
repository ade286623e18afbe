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
export function mergeRecords(skimmer: RecordCursor, records: readonly RecordPlace[]): RawChangeSet {
  const newest = records.at(-1);
  if (newest === undefined) throw new Error('there is nothing to merge');
  skimmer.key(newest.bytes, newest.offset);
  const header = skimmer.header();
  const winnersByTable = new Map<string, Map<RowId, Winner | undefined>>();
  const entries: RecordPlace[] = [];
  for (let index = records.length - 1; index >= 0; index--) {
    const record = records[index];
    if (record === undefined) continue;
    skimmer.open(record.bytes, record.offset);
    while (skimmer.nextPut()) settle(winnersByTable, skimmer, { bytes: record.bytes, columnsStart: skimmer.columnsStart });
    while (skimmer.nextRemove()) settle(winnersByTable, skimmer, undefined);
    if (entries.length < limits.ledgerLinesKept) collectEntries(entries, skimmer, record.bytes);
  }
  const { puts, removes } = outcome(winnersByTable, skimmer);
  const ledger = entries.slice(0, limits.ledgerLinesKept).map(({ bytes, offset }) => skimmer.entry(bytes, offset));
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
function settle(winnersByTable: Map<string, Map<RowId, Winner | undefined>>, skimmer: RecordCursor, winner: Winner | undefined): void {
  let winners = winnersByTable.get(skimmer.table);
  if (winners === undefined) {
    winners = new Map();
    winnersByTable.set(skimmer.table, winners);
  }
  if (!winners.has(skimmer.id)) winners.set(skimmer.id, winner);
}

function collectEntries(entries: RecordPlace[], skimmer: RecordCursor, bytes: Buffer): void {
  const starts: number[] = [];
  while (skimmer.nextEntry()) starts.push(skimmer.entryStart);
  for (const offset of starts.toReversed()) entries.push({ bytes, offset });
}

function outcome(winnersByTable: ReadonlyMap<string, ReadonlyMap<RowId, Winner | undefined>>, skimmer: RecordCursor) {
  const puts: RawPut[] = [];
  const removes: Remove[] = [];
  for (const [table, winners] of winnersByTable) {
    for (const [id, winner] of winners) {
      if (winner === undefined) removes.push({ table, id });
      else puts.push({ table, id, values: skimmer.columns(winner.bytes, table, winner.columnsStart) });
    }
  }
  return { puts, removes };
}
