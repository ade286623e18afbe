/** The projections of a disk in memory. */
import type { Instant, ShardId } from '#shared/units.ts';
import type { DueShard, Position } from '../persister/persister.ts';
import { MemoryUpkeep, rowKey, type MemoryMirror } from './memory-upkeep.ts';
import type { Restorable, Transact } from './memory-writes.ts';
import type { FoldDelta, LedgerSegment, ProjectionStore, RowChange } from './storage.ts';

/** What the projections hold. */
export interface ProjectionContent {
  readonly folded: Position;
  readonly alarms: ReadonlyMap<ShardId, Instant>;
  readonly rows: ReadonlyMap<string, RowChange>;
  readonly segments: readonly LedgerSegment[];
  readonly totals: ReadonlyMap<string, bigint>;
  readonly leftOut: ReadonlySet<ShardId>;
  readonly entities: readonly string[] | undefined;
}

export class MemoryProjections implements ProjectionStore, Restorable<ProjectionContent> {
  readonly upkeep: MemoryUpkeep;
  readonly #write: Transact;
  readonly #alarms = new Map<ShardId, Instant>();
  readonly #rows = new Map<string, RowChange>();
  readonly #segments: LedgerSegment[] = [];
  readonly #totals = new Map<string, bigint>();
  readonly #mirror: MemoryMirror;
  #folded: Position = 0;

  constructor(write: Transact) {
    this.#write = write;
    const content = { alarms: this.#alarms, rows: this.#rows, segments: this.#segments, totals: this.#totals };
    this.#mirror = { ...content, leftOut: new Set(), entities: undefined };
    this.upkeep = new MemoryUpkeep(write, this.#mirror);
  }

  snapshot(): ProjectionContent {
    const { leftOut, entities } = this.#mirror;
    return {
      folded: this.#folded,
      alarms: new Map(this.#alarms),
      rows: new Map(this.#rows),
      segments: [...this.#segments],
      totals: new Map(this.#totals),
      leftOut: new Set(leftOut),
      entities,
    };
  }

  restore({ folded, alarms, rows, segments, totals, leftOut, entities }: ProjectionContent): void {
    this.#folded = folded;
    refill(this.#alarms, alarms);
    refill(this.#rows, rows);
    refill(this.#totals, totals);
    this.#segments.splice(0, this.#segments.length, ...segments);
    this.#mirror.leftOut.clear();
    for (const shard of leftOut) this.#mirror.leftOut.add(shard);
    this.#mirror.entities = entities;
  }

  get folded(): Position {
    return this.#folded;
  }

  apply({ folded, alarms, rows, segments, totals }: FoldDelta): void {
    this.#write('apply', () => {
      for (const [shard, due] of alarms) {
        if (due === 0) this.#alarms.delete(shard);
        else this.#alarms.set(shard, due);
      }
      for (const row of rows) {
        const key = rowKey(row);
        if (row.record === undefined) this.#rows.delete(key);
        else this.#rows.set(key, { ...row, record: new Uint8Array(row.record) });
      }
      this.#segments.push(...segments);
      for (const [key, amount] of totals) this.#totals.set(key, (this.#totals.get(key) ?? 0n) + amount);
      this.#folded = folded;
    });
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const due = [...this.#alarms].map(([shard, at]): DueShard => ({ shard, due: at })).filter((each) => each.due <= now);
    const later = after === undefined ? due : due.filter((each) => inOrder(after, each) < 0);
    return later.toSorted(inOrder).slice(0, limit);
  }

  segments(shard: ShardId, before: number, lines: number): readonly LedgerSegment[] {
    const segments: LedgerSegment[] = [];
    let found = 0;
    for (const segment of this.#segments.toReversed()) {
      if (segment.shard !== shard || segment.firstSeq >= before) continue;
      segments.push(segment);
      found += Math.min(segment.lastSeq, before - 1) - segment.firstSeq + 1;
      if (found >= lines) break;
    }
    return segments;
  }

  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[] {
    const print = Buffer.from(fingerprint);
    return this.#segments.filter((segment) => segment.shard === shard && Buffer.from(segment.transactions).includes(print));
  }

  rows(entity: string, shard?: ShardId): readonly RowChange[] {
    return [...this.#rows.values()].filter((row) => row.entity === entity && (shard === undefined || row.shard === shard));
  }

  totals(): readonly { readonly key: string; readonly amount: bigint }[] {
    return [...this.#totals].map(([key, amount]) => ({ key, amount })).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }
}

function inOrder(a: DueShard, b: DueShard): number {
  if (a.due !== b.due) return a.due - b.due;
  return a.shard === b.shard ? 0 : a.shard < b.shard ? -1 : 1;
}

function refill<Key, Value>(map: Map<Key, Value>, content: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of content) map.set(key, value);
}
