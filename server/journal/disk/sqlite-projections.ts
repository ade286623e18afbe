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
import { CellTable } from './cell-table.ts';
import type { FoldDelta, LedgerSegment, LiveRow, ProjectionStore } from './storage.ts';
import { projectionLayout, readNode, type UpgradeFacts } from './projection-layout.ts';
import { FileUpkeep, SEGMENT_COLUMNS } from './projection-upkeep.ts';
import { alarmSum, nodeSum, rowSum, segmentSum, totalSum } from './projection-sums.ts';
import { DatabaseError, isCorrupt, MEBIBYTE, openVersioned } from './sqlite.ts';

type Row = Omit<LiveRow, 'entity' | 'record'> & { readonly cell: number; readonly record: Buffer; readonly sum: number };
type Alarm = DueShard & { readonly cell: number; readonly sum: number };
interface TotalRow {
  readonly cell: number;
  readonly key: string;
  readonly amount: string;
  readonly sum: number;
}
type Segment = LedgerSegment & { readonly sum: number };

/** Of data that are of the present version, and so have nothing to upgrade. */
const NO_PLACES: UpgradeFacts = { cellsPerRegion: limits.cellsPerRegion, places: [] };

export class FileProjections implements ProjectionStore {
  readonly instance: string;
  readonly upkeep: FileUpkeep;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #cells: CellTable;
  #epochs: Pick<CellEpochs, 'isPresent'> = { isPresent: ({ epoch }) => epoch === FIRST_EPOCH };
  #folded: Position;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = prepare(database);
    const node = readNode(database);
    this.instance = node.instance;
    this.#folded = node.folded;
    this.#cells = new CellTable(database);
    this.upkeep = new FileUpkeep(database, this.#cells, node.mirrored, (mirrored) => this.#writeNode(this.#folded, mirrored));
  }

  /** Opens the projections at that path, or makes new ones that belong to `instance`. What is upgraded is of a world with these facts. */
  static openFor(path: string, instance: string, of: UpgradeFacts = NO_PLACES): FileProjections {
    const files = { path, pageBytes: 4_096, cacheBytes: 32 * MEBIBYTE, checkpointBytes: 16 * MEBIBYTE };
    const database = openVersioned(files, projectionLayout(instance, of));
    try {
      return new FileProjections(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  get folded(): Position {
    return this.#folded;
  }

  setEpochs(epochs: Pick<CellEpochs, 'isPresent'>): void {
    this.#epochs = epochs;
  }

  apply(delta: FoldDelta): void {
    this.#cells.transaction(() => {
      const idOf = this.#idsByCell();
      this.#alarms(delta, idOf);
      this.#rows(delta, idOf);
      const { insertSegment } = this.#statements;
      for (const segment of delta.segments) {
        const { shard, epoch, firstSeq, lastSeq, transactions, lines } = segment;
        insertSegment.run(shard, epoch, firstSeq, lastSeq, asBuffer(transactions), asBuffer(lines), segmentSum(segment));
      }
      this.#totals(delta, idOf);
      this.#writeNode(delta.folded, this.upkeep.mirrored);
    });
    this.#folded = delta.folded;
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const found: DueShard[] = [];
    for (const row of this.#statements.due.iterate(now, after?.due ?? -1, after?.shard ?? '')) {
      if (found.length >= limit) break;
      const { shard, cell, due, sum } = row as Alarm;
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
        const segment = whole(row as Segment);
        segments.push(segment);
        found += Math.min(segment.lastSeq, before - 1) - segment.firstSeq + 1;
        if (found >= lines) break;
      }
      return segments;
    });
  }

  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[] {
    return ofLedger(shard, () => (this.#statements.segmentsWith.all(shard, asBuffer(fingerprint)) as readonly Segment[]).map(whole));
  }

  rows(entity: string, of?: CellEpoch, ofShard?: ShardId): readonly LiveRow[] {
    const rows: LiveRow[] = [];
    for (const row of this.#rowsOf(entity, of, ofShard)) {
      const { cell, shard, id, version, record, sum } = row;
      if (sum !== rowSum(entity, cell, shard, id, version, record)) throw damaged(`rows of ${entity}`);
      if (this.#isPresent(cell)) rows.push({ entity, shard, id, version, record });
    }
    return rows;
  }

  totals(asked?: CellEpoch): readonly Total[] {
    const totals: CellTotal[] = [];
    for (const row of this.#statements.totals.all() as readonly TotalRow[]) {
      const { cell, key, amount, sum } = row;
      if (sum !== totalSum(cell, key, amount)) throw damaged('totals');
      const of = this.#cells.cellOf(cell);
      if (of === undefined || !this.#epochs.isPresent(of) || (asked !== undefined && cell !== this.#cells.find(asked))) continue;
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
    if (of === undefined) return rows.all(entity) as readonly Row[];
    const cell = this.#cells.find(of);
    if (cell === undefined) return [];
    return (shard === undefined ? rowsOfCell.all(entity, cell) : rowsOfShard.all(entity, cell, shard)) as readonly Row[];
  }

  #isPresent(cell: number): boolean {
    const of = this.#cells.cellOf(cell);
    return of !== undefined && this.#epochs.isPresent(of);
  }

  /**
   * The numbers of the cells of a chunk, each looked up once: the fold has one object for each of
   * them.
   */
  #idsByCell(): IdOf {
    const idByCell = new Map<CellEpoch, number>();
    return (of) => {
      let id = idByCell.get(of);
      if (id === undefined) {
        id = this.#cells.idOf(of);
        idByCell.set(of, id);
      }
      return id;
    };
  }

  #alarms({ alarms }: FoldDelta, idOf: IdOf): void {
    const { setAlarm, deleteAlarm } = this.#statements;
    for (const { shard, of, due } of alarms) {
      const cell = idOf(of);
      if (due === 0) deleteAlarm.run(shard);
      else setAlarm.run(shard, cell, due, alarmSum(shard, cell, due));
    }
  }

  #rows({ rows }: FoldDelta, idOf: IdOf): void {
    const { putRow, deleteRow } = this.#statements;
    for (const { entity, shard, of, id, version, record } of rows) {
      const cell = idOf(of);
      if (record === undefined) deleteRow.run(entity, cell, shard, id);
      else putRow.run(entity, cell, shard, id, version, asBuffer(record), rowSum(entity, cell, shard, id, version, record));
    }
  }

  #totals({ totals }: FoldDelta, idOf: IdOf): void {
    const { addTotal, total } = this.#statements;
    for (const { of, amountByKey } of totals) {
      const cell = idOf(of);
      for (const [key, added] of amountByKey) {
        const old = total.get(cell, key) as Omit<TotalRow, 'key' | 'cell'> | undefined;
        // Added to and summed anew, what is damaged would be believed.
        if (old !== undefined && old.sum !== totalSum(cell, key, old.amount)) throw damaged('totals');
        const amount = String(BigInt(old?.amount ?? 0) + added);
        addTotal.run(cell, key, amount, totalSum(cell, key, amount));
      }
    }
  }

  #writeNode(folded: Position, mirrored: string | null): void {
    this.#statements.setNode.run(folded, mirrored, nodeSum({ instance: this.instance, folded, mirrored }));
  }
}

type IdOf = (of: CellEpoch) => number;

function prepare(database: Database.Database) {
  return {
    setNode: database.prepare<[number, string | null, number]>('UPDATE node SET folded = ?, mirrored = ?, sum = ?'),
    // An alarm that did not move costs a look and no page.
    setAlarm: database.prepare<[string, number, number, number]>(
      'INSERT INTO alarm(shard, cell, due, sum) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET cell = excluded.cell, due = excluded.due, sum = excluded.sum WHERE sum <> excluded.sum',
    ),
    deleteAlarm: database.prepare<[string]>('DELETE FROM alarm WHERE shard = ?'),
    due: database.prepare<[number, number, string]>(
      'SELECT shard, cell, due, sum FROM alarm WHERE due <= ? AND (due, shard) > (?, ?) ORDER BY due, shard',
    ),
    putRow: database.prepare<[string, number, string, number, number, Buffer, number]>(
      'INSERT INTO projected(entity, cell, shard, id, version, record, sum) VALUES (?, ?, ?, ?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET version = excluded.version, record = excluded.record, sum = excluded.sum',
    ),
    deleteRow: database.prepare<[string, number, string, number]>(
      'DELETE FROM projected WHERE entity = ? AND cell = ? AND shard = ? AND id = ?',
    ),
    rows: database.prepare<[string]>(`${ROW} WHERE entity = ?`),
    rowsOfCell: database.prepare<[string, number]>(ROWS_OF_CELL),
    rowsOfShard: database.prepare<[string, number, string]>(`${ROWS_OF_CELL} AND shard = ?`),
    insertSegment: database.prepare<[string, number, number, number, Buffer, Buffer, number]>(
      'INSERT INTO ledger_segment(shard, epoch, first_seq, last_seq, transactions, lines, sum) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    segments: database.prepare<[string, number]>(
      `${SEGMENT_COLUMNS} FROM ledger_segment WHERE shard = ? AND first_seq < ? ORDER BY first_seq DESC`,
    ),
    segmentsWith: database.prepare<[string, Buffer]>(
      `${SEGMENT_COLUMNS} FROM ledger_segment WHERE shard = ? AND instr(transactions, ?) > 0 ORDER BY first_seq`,
    ),
    total: database.prepare<[number, string]>('SELECT amount, sum FROM total WHERE cell = ? AND key = ?'),
    addTotal: database.prepare<[number, string, string, number]>(
      'INSERT INTO total(cell, key, amount, sum) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET amount = excluded.amount, sum = excluded.sum',
    ),
    totals: database.prepare<[]>('SELECT cell, key, amount, sum FROM total'),
  };
}

const ROW = 'SELECT cell, shard, id, version, record, sum FROM projected';
/** The rows of an entity in one cell: found by the key. */
export const ROWS_OF_CELL = `${ROW} WHERE entity = ? AND cell = ?`;

/**
 * Ledger lines are nowhere else: only who asks for these very ones is told that they are damaged,
 * and all others have theirs.
 */
function whole(segment: Segment): LedgerSegment {
  const { shard, epoch, firstSeq, lastSeq, transactions, lines, sum } = segment;
  if (sum === segmentSum(segment)) return { shard, epoch, firstSeq, lastSeq, transactions, lines };
  throw new ShardFault(`the ledger of ${shard} (node.db) is damaged in its lines ${firstSeq} to ${lastSeq}`);
}

/**
 * Reads of the ledger of a shard. A tree that does not hang together there costs only who asks, as
 * a damaged line does.
 */
function ofLedger<T>(shard: ShardId, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    throw new ShardFault(`the ledger of ${shard} (node.db) is damaged where its lines are looked up`, { cause: error });
  }
}

/** The next start makes these anew. */
function damaged(what: string): DatabaseError {
  return new DatabaseError(`the projections (node.db) are damaged in their ${what}, which the next start makes anew`);
}
