/** What a start does to `node.db` before anybody asks: see `ProjectionUpkeep`. */
import type Database from 'better-sqlite3';
import type { RowId, ShardId, ShardVersion } from '#shared/units.ts';
import { CELL_SCHEMA, type CellTable } from './cell-table.ts';
import type { CellTotals, LedgerSegment, MirroredShard, ProjectionUpkeep } from './storage.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import { checksum } from './checksums.ts';
import { alarmSum, rowSum, segmentSum, totalSum } from './projection-sums.ts';
import { DatabaseError, isCorrupt } from './sqlite.ts';

/**
 * The mirror: what a start can make anew from the shards. The key of its rows begins with what they
 * are asked for by: entity and cell.
 */
export const MIRROR_SCHEMA = `
  CREATE TABLE alarm(
    shard TEXT PRIMARY KEY,
    cell INTEGER NOT NULL,
    due INTEGER NOT NULL,
    sum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX alarm_by_due ON alarm(due);
  CREATE TABLE projected(
    entity TEXT NOT NULL,
    cell INTEGER NOT NULL,
    shard TEXT NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    record BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (entity, cell, shard, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE left_out(shard TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;

/** The columns of a `LedgerSegment` and its sum. */
export const SEGMENT_COLUMNS = 'SELECT shard, epoch, first_seq AS firstSeq, last_seq AS lastSeq, transactions, lines, sum';

/** Its tables. */
export const MIRROR_TABLES = ['alarm', 'projected', 'left_out'];

/**
 * Shards of one transaction: the log of a database of a million shards would else be as large as
 * they are.
 */
const SHARDS_AT_ONCE = 1_000;
/**
 * A shard that could not be loaded is due at once: it is looked at again and again, until its file
 * is whole.
 */
const DUE_AT_ONCE = 1;

/** `FileProjections` owns the database and the row that says what is mirrored. */
export class FileUpkeep implements ProjectionUpkeep {
  readonly #database: Database.Database;
  readonly #cells: CellTable;
  readonly #writeMirrored: (mirrored: string | null) => void;
  readonly #statements: ReturnType<typeof prepare>;
  /** As the database has it: JSON, or null. */
  mirrored: string | null;
  /** The tables that `check` has found damaged, and that are not forgotten yet. */
  #damaged: readonly string[] = [];

  constructor(database: Database.Database, cells: CellTable, mirrored: string | null, writeMirrored: (mirrored: string | null) => void) {
    this.#database = database;
    this.#cells = cells;
    this.#writeMirrored = writeMirrored;
    this.#statements = prepare(database);
    this.mirrored = mirrored;
  }

  get entities(): readonly string[] | undefined {
    return this.mirrored === null ? undefined : (JSON.parse(this.mirrored) as readonly string[]);
  }

  get leftOut(): readonly ShardId[] {
    return this.#statements.leftOut.all() as readonly ShardId[];
  }

  check(): { readonly isMirrorWhole: boolean; readonly areTotalsWhole: boolean } {
    this.#cells.reload();
    const areCellsWhole = this.#cells.isWhole();
    const isMirrorWhole = areCellsWhole && this.#isMirrorWhole();
    this.#damaged = [...(isMirrorWhole ? [] : MIRROR_TABLES), ...(areCellsWhole ? [] : ['cell'])];
    const areTotalsWhole =
      areCellsWhole &&
      isWhole(this.#statements.totals, ([cell, key, amount]) => this.#ofCell(cell, (id) => totalSum(id, key as string, amount as string)));
    return { isMirrorWhole, areTotalsWhole };
  }

  forget(): void {
    this.#transaction(() => {
      this.#say(null);
      if (this.#damaged.length === 0) this.#database.exec('DELETE FROM projected; DELETE FROM alarm; DELETE FROM left_out');
      else {
        abandonTables(this.#database, this.#damaged);
        this.#database.exec(this.#damaged.includes('cell') ? CELL_SCHEMA + MIRROR_SCHEMA : MIRROR_SCHEMA);
      }
    });
    this.#cells.reload();
    this.#damaged = [];
  }

  put(entities: readonly string[], shards: Iterable<MirroredShard>): void {
    let some: MirroredShard[] = [];
    for (const shard of shards) {
      some.push(shard);
      if (some.length < SHARDS_AT_ONCE) continue;
      this.#put(entities, some);
      some = [];
    }
    this.#put(entities, some);
  }

  finish(entities: readonly string[]): void {
    this.#transaction(() => this.#say(JSON.stringify(entities)));
  }

  *segments(): Iterable<LedgerSegment> {
    for (const row of this.#statements.segments.iterate()) {
      const segment = row as LedgerSegment & { readonly sum: number };
      if (segment.sum !== segmentSum(segment)) throw new DatabaseError('the projections (node.db) are damaged in their ledger');
      yield segment;
    }
  }

  setTotals(totals: readonly CellTotals[]): void {
    this.#transaction(() => {
      this.#database.exec('DELETE FROM total');
      insertTotals(this.#database, this.#cells, totals);
    });
  }

  #isMirrorWhole(): boolean {
    const { alarms, alarmsByDue, rows } = this.#statements;
    try {
      return (
        // A page can be read to its last row, and yet fail whoever writes there.
        areTreesWhole(this.#database, MIRROR_TABLES) &&
        isWhole(alarms, ([shard, due, cell]) => this.#ofCell(cell, (id) => alarmSum(shard as string, id, due as number))) &&
        isWhole(rows, ([entity, cell, shard, id, version, record]) =>
          this.#ofCell(cell, (of) => rowSum(entity as string, of, shard as string, id as RowId, version as ShardVersion, record as Buffer)),
        ) &&
        // `due` walks the index, which has no sums of its own: an alarm that is lost or moved there
        // is whole in the table.
        sumOfPlaces(alarms) === sumOfPlaces(alarmsByDue)
      );
    } catch (error) {
      if (isCorrupt(error)) return false;
      throw error;
    }
  }

  /** The sum of a row; `NaN`, which equals nothing, if there is no such cell. */
  #ofCell(cell: unknown, sum: (cell: number) => number): number {
    return this.#cells.cellOf(cell as number) === undefined ? Number.NaN : sum(cell as number);
  }

  #put(entities: readonly string[], shards: readonly MirroredShard[]): void {
    const { deleteRows, insertRow, setAlarm, deleteAlarm, leaveOut, takeIn } = this.#statements;
    this.#transaction(() => {
      for (const mirrored of shards) {
        const { shard } = mirrored;
        const cell = this.#cells.idOf(mirrored.of);
        for (const entity of entities) deleteRows.run(entity, cell, shard);
        const due = mirrored.kind === 'loaded' ? mirrored.due : DUE_AT_ONCE;
        if (due === 0) deleteAlarm.run(shard);
        else setAlarm.run(shard, cell, due, alarmSum(shard, cell, due));
        if (mirrored.kind === 'left-out') leaveOut.run(shard);
        else {
          takeIn.run(shard);
          for (const { entity, id, version, record } of mirrored.rows)
            insertRow.run(entity, cell, shard, id, version, asBuffer(record), rowSum(entity, cell, shard, id, version, record));
        }
      }
    });
  }

  #say(mirrored: string | null): void {
    this.#writeMirrored(mirrored);
    this.mirrored = mirrored;
  }

  #transaction(run: () => void): void {
    this.#cells.transaction(run);
  }
}

/** Removes tables of a database: those that do not hang together without a look into them. */
export function removeTables(database: Database.Database, tables: readonly string[]): void {
  if (areTreesWhole(database, tables)) database.exec(tables.map((table) => `DROP TABLE ${table};`).join(''));
  else abandonTables(database, tables);
}

/**
 * Takes tables out of the schema, and leaves their pages where they are, never to be used again:
 * whoever walks a damaged tree to free its pages fails, or frees pages of the ledger.
 */
function abandonTables(database: Database.Database, tables: readonly string[]): void {
  database.unsafeMode(true);
  try {
    database.exec(`
      PRAGMA writable_schema = ON;
      DELETE FROM sqlite_schema WHERE tbl_name IN (${tables.map((table) => `'${table}'`).join()});
      PRAGMA writable_schema = RESET;
    `);
  } finally {
    database.unsafeMode(false);
  }
}

function areTreesWhole(database: Database.Database, tables: readonly string[]): boolean {
  return tables.every((table) => database.pragma(`quick_check(${table})`, { simple: true }) === 'ok');
}

/** Writes totals into an empty table. */
export function insertTotals(database: Database.Database, cells: CellTable, totals: readonly CellTotals[]): void {
  const insert = database.prepare<[number, string, string, number]>('INSERT INTO total VALUES (?, ?, ?, ?)');
  for (const { of, amountByKey } of totals) {
    const cell = cells.idOf(of);
    for (const [key, amount] of amountByKey) insert.run(cell, key, String(amount), totalSum(cell, key, String(amount)));
  }
}

function prepare(database: Database.Database) {
  return {
    leftOut: database.prepare<[]>('SELECT shard FROM left_out').pluck(),
    alarms: database.prepare<[]>('SELECT shard, due, cell, sum FROM alarm').raw(),
    alarmsByDue: database.prepare<[]>('SELECT shard, due FROM alarm INDEXED BY alarm_by_due').raw(),
    rows: database.prepare<[]>('SELECT entity, cell, shard, id, version, record, sum FROM projected').raw(),
    totals: database.prepare<[]>('SELECT cell, key, amount, sum FROM total').raw(),
    segments: database.prepare<[]>(`${SEGMENT_COLUMNS} FROM ledger_segment`),
    deleteRows: database.prepare<[string, number, string]>('DELETE FROM projected WHERE entity = ? AND cell = ? AND shard = ?'),
    insertRow: database.prepare<[string, number, string, number, number, Buffer, number]>(
      'INSERT INTO projected VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    setAlarm: database.prepare<[string, number, number, number]>('INSERT OR REPLACE INTO alarm VALUES (?, ?, ?, ?)'),
    deleteAlarm: database.prepare<[string]>('DELETE FROM alarm WHERE shard = ?'),
    leaveOut: database.prepare<[string]>('INSERT OR IGNORE INTO left_out VALUES (?)'),
    takeIn: database.prepare<[string]>('DELETE FROM left_out WHERE shard = ?'),
  };
}

/**
 * Whether all rows of a statement, whose last column is the sum of the others, are as they were
 * written.
 */
function isWhole(statement: Database.Statement<[]>, sumOf: (columns: readonly unknown[]) => number): boolean {
  for (const row of statement.iterate()) {
    const columns = row as readonly unknown[];
    if (columns.at(-1) !== sumOf(columns)) return false;
  }
  return true;
}

/**
 * How many alarms a statement has, and the sum of the checksums of shard and time: in whatever
 * order they come.
 */
function sumOfPlaces(alarms: Database.Statement<[]>): string {
  let [count, total] = [0, 0];
  for (const row of alarms.iterate()) {
    const [shard, due] = row as readonly unknown[];
    count++;
    // Added and not XORed: CRCs are linear, and two alarms that have changed places would cancel
    // out.
    total = (total + checksum(`${String(shard)} ${String(due)}`)) >>> 0;
  }
  return `${count} ${total}`;
}
