/**
 * The slow, obvious twin of the fold: every turn, one after the other, decoded whole, into plain
 * maps.
 */
import type { ChangeSet } from '#server/shard/change-set.ts';
import { totalKey, type LedgerEntry } from '#server/shard/ledger.ts';
import type { ShardId } from '#shared/units.ts';
import type { ProjectedRow } from '../persister/persister.ts';
import { asRaw } from './sample.ts';

/** What the projections must be after these turns. */
export interface SlowFold {
  readonly due: readonly ShardId[];
  readonly rows: readonly ProjectedRow[];
  readonly totals: readonly { readonly key: string; readonly amount: bigint }[];
  readonly lines: (shard: ShardId) => readonly LedgerEntry[];
}

/** Folds turns in their order; `table` is the one table that is projected. */
export function slowFold(turns: readonly ChangeSet[], table: string): SlowFold {
  const wakeAt = new Map<ShardId, number>();
  const rows = new Map<string, ProjectedRow>();
  const totals = new Map<string, bigint>();
  const lines: { readonly shard: ShardId; readonly entry: LedgerEntry }[] = [];
  for (const changes of turns) {
    const { shard, version } = changes;
    const { puts, removes, ledger } = asRaw(changes);
    wakeAt.set(shard, changes.wakeAt);
    for (const put of puts) if (put.table === table) rows.set(`${shard} ${put.id}`, { ...put, shard, version });
    for (const { id } of removes) rows.delete(`${shard} ${id}`);
    for (const entry of ledger) {
      lines.push({ shard, entry });
      for (const posting of entry.postings) {
        const key = totalKey(shard, posting);
        totals.set(key, (totals.get(key) ?? 0n) + BigInt(posting.amount));
      }
    }
  }
  const due = [...wakeAt].filter(([, at]) => at !== 0).toSorted(([one, a], [other, b]) => a - b || (one < other ? -1 : 1));
  return {
    due: due.map(([shard]) => shard),
    rows: sortedRows([...rows.values()]),
    totals: [...totals].filter(([, amount]) => amount !== 0n).map(([key, amount]) => ({ key, amount })),
    lines: (shard) => lines.filter((line) => line.shard === shard).map(({ entry }) => entry),
  };
}

/** Rows in an order that does not depend on where they come from. */
export function sortedRows(rows: Iterable<ProjectedRow>): readonly ProjectedRow[] {
  return Array.from(rows).toSorted((a, b) => (a.shard === b.shard ? a.id - b.id : a.shard < b.shard ? -1 : 1));
}
