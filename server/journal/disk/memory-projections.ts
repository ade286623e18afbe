/**
 * The projections of a disk in memory, and their upkeep (`ProjectionUpkeep`). Nothing in memory gets
 * damaged by itself.
 */
import { FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { instant, NO_POSITION, type Instant, type Position, type ShardId } from '#shared/units.ts';
import { byMarket, type CellTotal } from '../fold/sums.ts';
import type { DueShard, Total } from '../persister/persister.ts';
import type { CellEpochs } from './cell-epochs.ts';
import { Synced, type Write } from './memory-writes.ts';
import type {
  AlarmChange,
  CellTotals,
  FoldDelta,
  LedgerSegment,
  LiveRow,
  MirroredShard,
  ProjectionStore,
  ProjectionUpkeep,
  RowChange,
} from './storage.ts';

/** A row or an alarm as it is kept: with its cell and epoch. */
type OfCell<Value> = Value & { readonly of: CellEpoch };

/** What the projections hold. */
export interface ProjectionContent {
  folded: Position;
  entities: readonly string[] | undefined;
  segments: readonly LedgerSegment[];
  readonly alarms: Map<ShardId, OfCell<{ readonly due: Instant }>>;
  readonly rows: Map<string, OfCell<LiveRow>>;
  readonly totals: Map<string, CellTotal>;
  readonly leftOut: Set<ShardId>;
}

/** That of new projections. */
export function projectionContent(write: Write): Synced<ProjectionContent> {
  const copy = ({ alarms, rows, totals, leftOut, ...rest }: ProjectionContent): ProjectionContent => ({
    ...rest,
    alarms: new Map(alarms),
    rows: new Map(rows),
    totals: new Map(totals),
    leftOut: new Set(leftOut),
  });
  const nothing = { alarms: new Map(), rows: new Map(), totals: new Map(), leftOut: new Set<ShardId>() };
  return new Synced({ folded: NO_POSITION, entities: undefined, segments: [], ...nothing }, copy, write);
}

export class MemoryProjections implements ProjectionStore {
  readonly upkeep: ProjectionUpkeep;
  readonly #kept: Synced<ProjectionContent>;
  #epochs: Pick<CellEpochs, 'isPresent'> = { isPresent: ({ epoch }) => epoch === FIRST_EPOCH };

  constructor(kept: Synced<ProjectionContent>) {
    this.#kept = kept;
    this.upkeep = new MemoryUpkeep(kept);
  }

  get folded(): Position {
    return this.#kept.content.folded;
  }

  setEpochs(epochs: Pick<CellEpochs, 'isPresent'>): void {
    this.#epochs = epochs;
  }

  apply({ folded, alarms, rows, segments, totals }: FoldDelta): void {
    this.#kept.transact('apply', (content) => {
      for (const alarm of alarms) setAlarm(content, alarm);
      for (const row of rows) setRow(content, row);
      const added = segments.map((segment) => ({ ...segment, transactions: segment.transactions.slice(), lines: segment.lines.slice() }));
      content.segments = [...content.segments, ...added];
      addTotals(content, totals);
      content.folded = folded;
    });
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const present = [...this.#kept.content.alarms].filter(([, { of, due }]) => due <= now && this.#epochs.isPresent(of));
    const due = present.map(([shard, alarm]): DueShard => ({ shard, due: alarm.due }));
    const later = after === undefined ? due : due.filter((each) => inOrder(after, each) < 0);
    return later.toSorted(inOrder).slice(0, limit);
  }

  segments(shard: ShardId, before: number, lines: number): readonly LedgerSegment[] {
    const segments: LedgerSegment[] = [];
    let found = 0;
    for (const segment of this.#kept.content.segments.toReversed()) {
      if (segment.shard !== shard || segment.firstSeq >= before) continue;
      segments.push(segment);
      found += Math.min(segment.lastSeq, before - 1) - segment.firstSeq + 1;
      if (found >= lines) break;
    }
    return segments;
  }

  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[] {
    const print = Buffer.from(fingerprint);
    return this.#kept.content.segments.filter((segment) => segment.shard === shard && Buffer.from(segment.transactions).includes(print));
  }

  rows(entity: string, of?: CellEpoch, shard?: ShardId): readonly LiveRow[] {
    return [...this.#kept.content.rows.values()]
      .filter((row) => row.entity === entity && this.#isOf(row.of, of) && (shard === undefined || row.shard === shard))
      .map(({ entity: its, shard: whose, id, version, record }) => ({ entity: its, shard: whose, id, version, record }));
  }

  totals(of?: CellEpoch): readonly Total[] {
    return byMarket([...this.#kept.content.totals.values()].filter((total) => this.#isOf(total.of, of)));
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }

  /** Whether what was made there and then exists, and is of the cell that is asked for, if one is. */
  #isOf(made: CellEpoch, asked: CellEpoch | undefined): boolean {
    return this.#epochs.isPresent(made) && (asked === undefined || cellKey(made) === cellKey(asked));
  }
}

class MemoryUpkeep implements ProjectionUpkeep {
  readonly #kept: Synced<ProjectionContent>;

  constructor(kept: Synced<ProjectionContent>) {
    this.#kept = kept;
  }

  get entities(): readonly string[] | undefined {
    return this.#kept.content.entities;
  }

  get leftOut(): readonly ShardId[] {
    return [...this.#kept.content.leftOut];
  }

  check(): ReturnType<ProjectionUpkeep['check']> {
    return { isMirrorWhole: true, areTotalsWhole: true };
  }

  forget(): void {
    this.#kept.transact('upkeep', (content) => {
      content.entities = undefined;
      for (const mirror of [content.rows, content.alarms, content.leftOut]) mirror.clear();
    });
  }

  put(entities: readonly string[], shards: Iterable<MirroredShard>): void {
    // A transaction for each: whoever is cut off in the middle has put some of them.
    for (const mirrored of shards) this.#kept.transact('upkeep', (content) => putShard(content, entities, mirrored));
  }

  finish(entities: readonly string[]): void {
    this.#kept.transact('upkeep', (content) => {
      content.entities = [...entities];
    });
  }

  segments(): Iterable<LedgerSegment> {
    return this.#kept.content.segments;
  }

  setTotals(totals: readonly CellTotals[]): void {
    this.#kept.transact('upkeep', (content) => {
      content.totals.clear();
      addTotals(content, totals);
    });
  }
}

function putShard(content: ProjectionContent, entities: readonly string[], mirrored: MirroredShard): void {
  const { shard, of } = mirrored;
  const isReplaced = (row: OfCell<LiveRow>): boolean =>
    row.shard === shard && entities.includes(row.entity) && cellKey(row.of) === cellKey(of);
  for (const [key, row] of content.rows) if (isReplaced(row)) content.rows.delete(key);
  content.leftOut.delete(shard);
  setAlarm(content, { shard, of, due: mirrored.kind === 'loaded' ? mirrored.due : instant(1) });
  if (mirrored.kind === 'left-out') content.leftOut.add(shard);
  else for (const row of mirrored.rows) setRow(content, { ...row, of });
}

function setAlarm({ alarms }: ProjectionContent, { shard, of, due }: AlarmChange): void {
  if (due === 0) alarms.delete(shard);
  else alarms.set(shard, { of, due });
}

function setRow({ rows }: ProjectionContent, row: RowChange): void {
  // A cell has rows of its own in each epoch.
  const key = `${row.entity} ${cellKey(row.of)} ${row.shard} ${row.id}`;
  if (row.record === undefined) rows.delete(key);
  else rows.set(key, { ...row, record: row.record.slice() });
}

/** Adds to running totals. */
function addTotals({ totals }: ProjectionContent, added: readonly CellTotals[]): void {
  for (const { of, amountByKey } of added) {
    for (const [key, amount] of amountByKey) {
      const name = `${cellKey(of)} ${key}`;
      totals.set(name, { of, key, amount: (totals.get(name)?.amount ?? 0n) + amount });
    }
  }
}

/** The name of a cell in one of its epochs. */
function cellKey({ market, cell, epoch }: CellEpoch): string {
  return `${market} ${cell} ${epoch}`;
}

function inOrder(a: DueShard, b: DueShard): number {
  if (a.due !== b.due) return a.due - b.due;
  return a.shard === b.shard ? 0 : a.shard < b.shard ? -1 : 1;
}
