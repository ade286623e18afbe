/**
 * `node.db`: what the journal folds into. Written and read by one thread. Every row carries a
 * CRC-32 of its values: neither SQLite nor a disk tells a flipped bit, and what is folded here is
 * in no image.
 */
import type Database from 'better-sqlite3';
import { FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import type { Instant, Position, ShardId } from '#shared/units.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import { byMarket, type CellTotal } from '../fold/sums.ts';
import { ShardFault, type DueShard, type Total } from '../persister/persister.ts';
import type { CellEpochs } from './cell-epochs.ts';
import { projectionLayout, type UpgradeFacts } from './projection-layout.ts';
import { alarmSum, ProjectionTables, rowSum, SEGMENTS, segmentSum, totalSum, type SegmentRow } from './projection-tables.ts';
import { FileUpkeep } from './projection-upkeep.ts';
import { DatabaseError, openVersioned, unlessCorrupt } from './sqlite.ts';
import type { FoldDelta, LedgerSegment, LiveRow, ProjectionStore } from './storage.ts';

type Row = Omit<LiveRow, 'entity'> & { readonly cell: number; readonly sum: number };
type Alarm = DueShard & { readonly cell: number; readonly sum: number };
interface TotalRow {
  readonly cell: number;
  readonly key: string;
  readonly amount: string;
  readonly sum: number;
}

/** Of data that are of the present version, and so have nothing to upgrade. */
const NO_PLACES: UpgradeFacts = { cellsPerRegion: limits.cellsPerRegion, places: [] };

export class FileProjections implements ProjectionStore {
  readonly upkeep: FileUpkeep;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #tables: ProjectionTables;
  #epochs: Pick<CellEpochs, 'isPresent'> = { isPresent: ({ epoch }) => epoch === FIRST_EPOCH };

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#tables = new ProjectionTables(database);
    this.upkeep = new FileUpkeep(database, this.#tables);
  }

  /** Opens the projections at that path, or makes new ones that belong to `instance`. What is upgraded is of a world with these facts. */
  static openFor(path: string, instance: string, of: UpgradeFacts = NO_PLACES): FileProjections {
    return openVersioned(path, projectionLayout(instance, of), (database) => new FileProjections(database));
  }

  /** Whose they are. */
  get instance(): string {
    return this.#tables.node.instance;
  }

  get folded(): Position {
    return this.#tables.node.folded;
  }

  setEpochs(epochs: Pick<CellEpochs, 'isPresent'>): void {
    this.#epochs = epochs;
  }

  apply({ folded, alarms, rows, segments, totals }: FoldDelta): void {
    const { deleteRow, insertSegment } = this.#statements;
    const tables = this.#tables;
    tables.transaction(() => {
      // The number of each cell is looked up once: the fold has one object for each of them.
      const idByCell = new Map<CellEpoch, number>();
      const newId = (of: CellEpoch): number => tables.cells.idOf(of);
      const idOf = (of: CellEpoch): number => idByCell.getOrInsertComputed(of, newId);
      for (const { shard, of, due } of alarms) tables.setAlarm(shard, idOf(of), due);
      for (const row of rows) {
        if (row.record === undefined) deleteRow.run(row.entity, idOf(row.of), row.shard, row.id);
        else tables.putRow(idOf(row.of), row, row.record);
      }
      for (const segment of segments) {
        const { shard, epoch, firstSeq, lastSeq, transactions, lines } = segment;
        insertSegment.run(shard, epoch, firstSeq, lastSeq, asBuffer(transactions), asBuffer(lines), segmentSum(segment));
      }
      for (const { of, amountByKey } of totals) this.#addTotals(idOf(of), amountByKey);
      return { folded };
    });
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const found: DueShard[] = [];
    for (const { shard, cell, due, sum } of this.#statements.due.iterate(now, after?.due ?? -1, after?.shard ?? '')) {
      if (found.length >= limit) break;
      if (sum !== alarmSum(shard, cell, due)) throw damaged('alarms');
      if (this.#isPresent(cell)) found.push({ shard, due });
    }
    return found;
  }

  segments(shard: ShardId, before: number, lines: number): readonly LedgerSegment[] {
    return ofLedger(shard, () => {
      const segments: LedgerSegment[] = [];
      let found = 0;
      for (const row of this.#statements.segments.iterate(shard, before)) {
        const segment = whole(row);
        segments.push(segment);
        found += Math.min(segment.lastSeq, before - 1) - segment.firstSeq + 1;
        if (found >= lines) break;
      }
      return segments;
    });
  }

  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[] {
    return ofLedger(shard, () => this.#statements.segmentsWith.all(shard, asBuffer(fingerprint)).map(whole));
  }

  rows(entity: string, of?: CellEpoch, ofShard?: ShardId): readonly LiveRow[] {
    const rows: LiveRow[] = [];
    for (const { cell, shard, id, version, record, sum } of this.#rowsOf(entity, of, ofShard)) {
      if (sum !== rowSum(entity, cell, shard, id, version, record)) throw damaged(`rows of ${entity}`);
      if (this.#isPresent(cell)) rows.push({ entity, shard, id, version, record });
    }
    return rows;
  }

  totals(asked?: CellEpoch): readonly Total[] {
    const totals: CellTotal[] = [];
    for (const { cell, key, amount, sum } of this.#statements.totals.all()) {
      if (sum !== totalSum(cell, key, amount)) throw damaged('totals');
      const of = this.#tables.cells.cellOf(cell);
      if (of === undefined || !this.#epochs.isPresent(of) || (asked !== undefined && cell !== this.#tables.cells.find(asked))) continue;
      totals.push({ of, key, amount: BigInt(amount) });
    }
    return byMarket(totals);
  }

  /** Throws if another program has the database locked. */
  probe(): void {
    this.#database.exec('BEGIN IMMEDIATE; ROLLBACK');
  }

  close(): void {
    this.#database.close();
  }

  /** The rows of an entity, of whatever epoch unless a cell in one is named. */
  #rowsOf(entity: string, of: CellEpoch | undefined, shard: ShardId | undefined): readonly Row[] {
    const { rows, rowsOfCell, rowsOfShard } = this.#statements;
    if (of === undefined) return rows.all(entity);
    const cell = this.#tables.cells.find(of);
    if (cell === undefined) return [];
    return shard === undefined ? rowsOfCell.all(entity, cell) : rowsOfShard.all(entity, cell, shard);
  }

  #isPresent(cell: number): boolean {
    const of = this.#tables.cells.cellOf(cell);
    return of !== undefined && this.#epochs.isPresent(of);
  }

  #addTotals(cell: number, addedByKey: ReadonlyMap<string, bigint>): void {
    for (const [key, added] of addedByKey) {
      const old = this.#statements.total.get(cell, key);
      // Added to and summed anew, what is damaged would be believed.
      if (old !== undefined && old.sum !== totalSum(cell, key, old.amount)) throw damaged('totals');
      this.#tables.setTotal(cell, key, BigInt(old?.amount ?? 0) + added);
    }
  }
}

function prepare(database: Database.Database) {
  return {
    due: database.prepare<[number, number, string], Alarm>(
      'SELECT shard, cell, due, sum FROM alarm WHERE due <= ? AND (due, shard) > (?, ?) ORDER BY due, shard',
    ),
    deleteRow: database.prepare<[string, number, string, number]>(
      'DELETE FROM projected WHERE entity = ? AND cell = ? AND shard = ? AND id = ?',
    ),
    rows: database.prepare<[string], Row>(`${ROW} WHERE entity = ?`),
    rowsOfCell: database.prepare<[string, number], Row>(ROWS_OF_CELL),
    rowsOfShard: database.prepare<[string, number, string], Row>(`${ROWS_OF_CELL} AND shard = ?`),
    insertSegment: database.prepare<[string, number, number, number, Buffer, Buffer, number]>(
      'INSERT INTO ledger_segment(shard, epoch, first_seq, last_seq, transactions, lines, sum) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    segments: database.prepare<[string, number], SegmentRow>(`${SEGMENTS} WHERE shard = ? AND first_seq < ? ORDER BY first_seq DESC`),
    segmentsWith: database.prepare<[string, Buffer], SegmentRow>(
      `${SEGMENTS} WHERE shard = ? AND instr(transactions, ?) > 0 ORDER BY first_seq`,
    ),
    total: database.prepare<[number, string], TotalRow>('SELECT cell, key, amount, sum FROM total WHERE cell = ? AND key = ?'),
    totals: database.prepare<[], TotalRow>('SELECT cell, key, amount, sum FROM total'),
  };
}

const ROW = 'SELECT cell, shard, id, version, record, sum FROM projected';
/** The rows of an entity in one cell: found by the key. */
export const ROWS_OF_CELL = `${ROW} WHERE entity = ? AND cell = ?`;

/**
 * Ledger lines are nowhere else: only who asks for these very ones is told that they are damaged,
 * and all others have theirs.
 */
function whole(segment: SegmentRow): LedgerSegment {
  const { shard, epoch, firstSeq, lastSeq, transactions, lines, sum } = segment;
  if (sum === segmentSum(segment)) return { shard, epoch, firstSeq, lastSeq, transactions, lines };
  throw new ShardFault(`the ledger of ${shard} (node.db) is damaged in its lines ${firstSeq} to ${lastSeq}`);
}

/**
 * Reads of the ledger of a shard. A tree that does not hang together there costs only who asks, as
 * a damaged line does.
 */
function ofLedger<T>(shard: ShardId, read: () => T): T {
  return unlessCorrupt(read, (cause) => {
    throw new ShardFault(`the ledger of ${shard} (node.db) is damaged where its lines are looked up`, { cause });
  });
}

/** The next start makes these anew. */
function damaged(what: string): DatabaseError {
  return new DatabaseError(`the projections (node.db) are damaged in their ${what}, which the next start makes anew`);
}
