/** The upkeep of projections in memory: see `ProjectionUpkeep`. Nothing in memory gets damaged by itself. */
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import type { LedgerSegment, MirroredShard, ProjectionUpkeep, RowChange } from './storage.ts';

/** What it works on: the maps of whoever owns them. */
export interface MemoryMirror {
  readonly alarms: Map<ShardId, Instant>;
  readonly rows: Map<string, RowChange>;
  readonly segments: readonly LedgerSegment[];
  readonly totals: Map<string, bigint>;
}

/** The key of a mirrored row. */
export function rowKey({ entity, shard, id }: Pick<RowChange, 'entity' | 'shard' | 'id'>): string {
  return `${entity} ${shard} ${id}`;
}

/** See the head of this file. */
export class MemoryUpkeep implements ProjectionUpkeep {
  readonly #mirror: MemoryMirror;
  readonly #leftOut = new Set<ShardId>();
  #entities: readonly string[] | undefined;

  constructor(mirror: MemoryMirror) {
    this.#mirror = mirror;
  }

  get entities(): readonly string[] | undefined {
    return this.#entities;
  }

  get leftOut(): readonly ShardId[] {
    return [...this.#leftOut];
  }

  check(): { readonly isMirrorWhole: boolean; readonly areTotalsWhole: boolean } {
    return { isMirrorWhole: true, areTotalsWhole: true };
  }

  forget(): void {
    this.#entities = undefined;
    this.#mirror.rows.clear();
    this.#mirror.alarms.clear();
    this.#leftOut.clear();
  }

  put(entities: readonly string[], shards: Iterable<MirroredShard>): void {
    const { alarms, rows } = this.#mirror;
    for (const mirrored of shards) {
      const { shard } = mirrored;
      for (const [key, row] of rows) if (row.shard === shard && entities.includes(row.entity)) rows.delete(key);
      this.#leftOut.delete(shard);
      const due = mirrored.kind === 'loaded' ? mirrored.due : instant(1);
      if (due === 0) alarms.delete(shard);
      else alarms.set(shard, due);
      if (mirrored.kind === 'left-out') this.#leftOut.add(shard);
      else for (const row of mirrored.rows) rows.set(rowKey(row), { ...row, record: row.record.slice() });
    }
  }

  finish(entities: readonly string[]): void {
    this.#entities = [...entities];
  }

  segments(): Iterable<LedgerSegment> {
    return this.#mirror.segments;
  }

  setTotals(totals: ReadonlyMap<string, bigint>): void {
    this.#mirror.totals.clear();
    for (const [key, amount] of totals) this.#mirror.totals.set(key, amount);
  }
}
