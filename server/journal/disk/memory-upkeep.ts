/** The upkeep of projections in memory: see `ProjectionUpkeep`. Nothing in memory gets damaged by itself. */
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import type { Transact } from './memory-writes.ts';
import type { LedgerSegment, MirroredShard, ProjectionUpkeep, RowChange } from './storage.ts';

/** What it works on; somebody else owns it. */
export interface MemoryMirror {
  readonly alarms: Map<ShardId, Instant>;
  readonly rows: Map<string, RowChange>;
  readonly segments: readonly LedgerSegment[];
  readonly totals: Map<string, bigint>;
  readonly leftOut: Set<ShardId>;
  entities: readonly string[] | undefined;
}

/** The key of a mirrored row. */
export function rowKey({ entity, shard, id }: Pick<RowChange, 'entity' | 'shard' | 'id'>): string {
  return `${entity} ${shard} ${id}`;
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

  setTotals(totals: ReadonlyMap<string, bigint>): void {
    this.#write('upkeep', () => {
      this.#mirror.totals.clear();
      for (const [key, amount] of totals) this.#mirror.totals.set(key, amount);
    });
  }

  #put(entities: readonly string[], mirrored: MirroredShard): void {
    const { alarms, rows, leftOut } = this.#mirror;
    const { shard } = mirrored;
    for (const [key, row] of rows) if (row.shard === shard && entities.includes(row.entity)) rows.delete(key);
    leftOut.delete(shard);
    const due = mirrored.kind === 'loaded' ? mirrored.due : instant(1);
    if (due === 0) alarms.delete(shard);
    else alarms.set(shard, due);
    if (mirrored.kind === 'left-out') leftOut.add(shard);
    else for (const row of mirrored.rows) rows.set(rowKey(row), { ...row, record: row.record.slice() });
  }
}
