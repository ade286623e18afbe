/** The upkeep of projections in memory: see `ProjectionUpkeep`. Nothing in memory gets damaged by itself. */
import type { CellEpoch } from '#shared/cell.ts';
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import type { CellTotal } from '../fold/sums.ts';
import type { Transact } from './memory-writes.ts';
import type { CellTotals, LedgerSegment, LiveRow, MirroredShard, ProjectionUpkeep, RowChange } from './storage.ts';

/** A row or an alarm as it is kept: with its cell and epoch. */
export type OfCell<Value> = Value & { readonly of: CellEpoch };

/** What it works on; somebody else owns it. */
export interface MemoryMirror {
  readonly alarms: Map<ShardId, OfCell<{ readonly due: Instant }>>;
  readonly rows: Map<string, OfCell<LiveRow>>;
  readonly segments: readonly LedgerSegment[];
  readonly totals: Map<string, CellTotal>;
  readonly leftOut: Set<ShardId>;
  entities: readonly string[] | undefined;
}

/** The key of a mirrored row: a cell has rows of its own in each epoch. */
export function rowKey({ entity, shard, id, of }: Pick<RowChange, 'entity' | 'shard' | 'id' | 'of'>): string {
  return `${entity} ${cellKey(of)} ${shard} ${id}`;
}

/** The name of a cell in one of its epochs. */
export function cellKey({ market, cell, epoch }: CellEpoch): string {
  return `${market} ${cell} ${epoch}`;
}

/** Adds to running totals. */
export function addTotals(totals: Map<string, CellTotal>, added: readonly CellTotals[]): void {
  for (const { of, amountByKey } of added) {
    for (const [key, amount] of amountByKey) {
      const name = `${cellKey(of)} ${key}`;
      totals.set(name, { of, key, amount: (totals.get(name)?.amount ?? 0n) + amount });
    }
  }
}

export class MemoryUpkeep implements ProjectionUpkeep {
  readonly #write: Transact;
  readonly #mirror: MemoryMirror;

  constructor(write: Transact, mirror: MemoryMirror) {
    this.#write = write;
    this.#mirror = mirror;
  }

  get entities(): readonly string[] | undefined {
    return this.#mirror.entities;
  }

  get leftOut(): readonly ShardId[] {
    return [...this.#mirror.leftOut];
  }

  check(): { readonly isMirrorWhole: boolean; readonly areTotalsWhole: boolean } {
    return { isMirrorWhole: true, areTotalsWhole: true };
  }

  forget(): void {
    const { rows, alarms, leftOut } = this.#mirror;
    this.#write('upkeep', () => {
      this.#mirror.entities = undefined;
      rows.clear();
      alarms.clear();
      leftOut.clear();
    });
  }

  put(entities: readonly string[], shards: Iterable<MirroredShard>): void {
    // A transaction for each: whoever is cut off in the middle has put some of them.
    for (const mirrored of shards) this.#write('upkeep', () => this.#put(entities, mirrored));
  }

  finish(entities: readonly string[]): void {
    this.#write('upkeep', () => {
      this.#mirror.entities = [...entities];
    });
  }

  segments(): Iterable<LedgerSegment> {
    return this.#mirror.segments;
  }

  setTotals(totals: readonly CellTotals[]): void {
    this.#write('upkeep', () => {
      this.#mirror.totals.clear();
      addTotals(this.#mirror.totals, totals);
    });
  }

  #put(entities: readonly string[], mirrored: MirroredShard): void {
    const { alarms, rows, leftOut } = this.#mirror;
    const { shard, of } = mirrored;
    const isReplaced = (row: OfCell<LiveRow>): boolean =>
      row.shard === shard && entities.includes(row.entity) && cellKey(row.of) === cellKey(of);
    for (const [key, row] of rows) if (isReplaced(row)) rows.delete(key);
    leftOut.delete(shard);
    const due = mirrored.kind === 'loaded' ? mirrored.due : instant(1);
    if (due === 0) alarms.delete(shard);
    else alarms.set(shard, { of, due });
    if (mirrored.kind === 'left-out') leftOut.add(shard);
    else for (const row of mirrored.rows) rows.set(rowKey({ ...row, of }), { ...row, of, record: row.record.slice() });
  }
}
