/** The projections of a disk in memory. */
import { FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { type Instant, NO_POSITION, type Position, type ShardId } from '#shared/units.ts';
import { byMarket, type CellTotal } from '../fold/sums.ts';
import type { DueShard, Total } from '../persister/persister.ts';
import type { CellEpochs } from './cell-epochs.ts';
import { addTotals, cellKey, MemoryUpkeep, rowKey, type MemoryMirror, type OfCell } from './memory-upkeep.ts';
import type { Restorable, Transact } from './memory-writes.ts';
import type { FoldDelta, LedgerSegment, LiveRow, ProjectionStore } from './storage.ts';

/** What the projections hold. */
export interface ProjectionContent {
  readonly folded: Position;
  readonly alarms: ReadonlyMap<ShardId, OfCell<{ readonly due: Instant }>>;
  readonly rows: ReadonlyMap<string, OfCell<LiveRow>>;
  readonly segments: readonly LedgerSegment[];
  readonly totals: ReadonlyMap<string, CellTotal>;
  readonly leftOut: ReadonlySet<ShardId>;
  readonly entities: readonly string[] | undefined;
}

export class MemoryProjections implements ProjectionStore, Restorable<ProjectionContent> {
  readonly upkeep: MemoryUpkeep;
  readonly #write: Transact;
  readonly #alarms = new Map<ShardId, OfCell<{ readonly due: Instant }>>();
  readonly #rows = new Map<string, OfCell<LiveRow>>();
  readonly #segments: LedgerSegment[] = [];
  readonly #totals = new Map<string, CellTotal>();
  #epochs: Pick<CellEpochs, 'isPresent'> = { isPresent: ({ epoch }) => epoch === FIRST_EPOCH };
  readonly #mirror: MemoryMirror;
  #folded = NO_POSITION;

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

  setEpochs(epochs: Pick<CellEpochs, 'isPresent'>): void {
    this.#epochs = epochs;
  }

  apply({ folded, alarms, rows, segments, totals }: FoldDelta): void {
    this.#write('apply', () => {
      for (const { shard, of, due } of alarms) {
        if (due === 0) this.#alarms.delete(shard);
        else this.#alarms.set(shard, { of, due });
      }
      for (const row of rows) {
        const key = rowKey(row);
        if (row.record === undefined) this.#rows.delete(key);
        else this.#rows.set(key, { ...row, record: row.record.slice() });
      }
      for (const segment of segments)
        this.#segments.push({ ...segment, transactions: segment.transactions.slice(), lines: segment.lines.slice() });
      addTotals(this.#totals, totals);
      this.#folded = folded;
    });
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const present = [...this.#alarms].filter(([, { of, due }]) => due <= now && this.#epochs.isPresent(of));
    const due = present.map(([shard, alarm]): DueShard => ({ shard, due: alarm.due }));
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

  rows(entity: string, of?: CellEpoch, shard?: ShardId): readonly LiveRow[] {
    return [...this.#rows.values()]
      .filter((row) => row.entity === entity && this.#isOf(row.of, of) && (shard === undefined || row.shard === shard))
      .map(({ entity: its, shard: whose, id, version, record }) => ({ entity: its, shard: whose, id, version, record }));
  }

  totals(of?: CellEpoch): readonly Total[] {
    return byMarket([...this.#totals.values()].filter((total) => this.#isOf(total.of, of)));
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }

  /** Whether what was made there and then exists, and is of the cell that is asked for, if one is. */
  #isOf(made: CellEpoch, asked: CellEpoch | undefined): boolean {
    return this.#epochs.isPresent(made) && (asked === undefined || cellKey(made) === cellKey(asked));
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
