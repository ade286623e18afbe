/** What a start does to `node.db` before anybody asks: see `ProjectionUpkeep`. */
import type Database from 'better-sqlite3';
import { instant, type RowId, type ShardId, type ShardVersion } from '#shared/units.ts';
import { CELL_SCHEMA } from './cell-table.ts';
import { checksum } from './checksums.ts';
import {
  alarmSum,
  MIRROR_SCHEMA,
  MIRROR_TABLES,
  rowSum,
  SEGMENTS,
  segmentSum,
  totalSum,
  type ProjectionTables,
  type SegmentRow,
} from './projection-tables.ts';
import { areTreesWhole, DatabaseError, unlessCorrupt } from './sqlite.ts';
import type { CellTotals, LedgerSegment, MirroredShard, ProjectionUpkeep } from './storage.ts';

/**
 * Shards of one transaction: the log of a database of a million shards would else be as large as
 * they are.
 */
const SHARDS_AT_ONCE = 1_000;
/**
 * A shard that could not be loaded is due at once: it is looked at again and again, until its file
 * is whole.
 */
const DUE_AT_ONCE = instant(1);

/** `FileProjections` owns the database. */
export class FileUpkeep implements ProjectionUpkeep {
  readonly #database: Database.Database;
  readonly #tables: ProjectionTables;
  readonly #statements: ReturnType<typeof prepare>;
  /** The tables that `check` has found damaged, and that are not forgotten yet. */
  #damaged: readonly string[] = [];

  constructor(database: Database.Database, tables: ProjectionTables) {
    this.#database = database;
    this.#tables = tables;
    this.#statements = prepare(database);
  }

  get entities(): readonly string[] | undefined {
    const { mirrored } = this.#tables.node;
    return mirrored === null ? undefined : (JSON.parse(mirrored) as readonly string[]);
  }

  get leftOut(): readonly ShardId[] {
    return this.#statements.leftOut.all() as readonly ShardId[];
  }

  check(): ReturnType<ProjectionUpkeep['check']> {
    const { cells } = this.#tables;
    cells.reload();
    const areCellsWhole = cells.isWhole();
    const isMirrorWhole = areCellsWhole && this.#isMirrorWhole();
    this.#damaged = [...(isMirrorWhole ? [] : MIRROR_TABLES), ...(areCellsWhole ? [] : ['cell'])];
    const areTotalsWhole =
      areCellsWhole &&
      isWhole(this.#statements.totals, ([cell, key, amount]) => this.#ofCell(cell, (id) => totalSum(id, key as string, amount as string)));
    return { isMirrorWhole, areTotalsWhole };
  }

  forget(): void {
    this.#tables.transaction(() => {
      if (this.#damaged.length === 0) this.#database.exec('DELETE FROM projected; DELETE FROM alarm; DELETE FROM left_out');
      else {
        abandonTables(this.#database, this.#damaged);
        this.#database.exec(this.#damaged.includes('cell') ? CELL_SCHEMA + MIRROR_SCHEMA : MIRROR_SCHEMA);
      }
      return { mirrored: null };
    });
    this.#tables.cells.reload();
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
    this.#tables.transaction(() => ({ mirrored: JSON.stringify(entities) }));
  }

  *segments(): Iterable<LedgerSegment> {
    for (const segment of this.#statements.segments.iterate()) {
      if (segment.sum !== segmentSum(segment)) throw new DatabaseError('the projections (node.db) are damaged in their ledger');
      yield segment;
    }
  }

  setTotals(totals: readonly CellTotals[]): void {
    this.#tables.transaction(() => {
      this.#database.exec('DELETE FROM total');
      this.#tables.setTotals(totals);
      return undefined;
    });
  }

  #isMirrorWhole(): boolean {
    const { alarms, alarmsByDue, rows } = this.#statements;
    return unlessCorrupt(
      () =>
        areTreesWhole(this.#database, MIRROR_TABLES) &&
        isWhole(alarms, ([shard, due, cell]) => this.#ofCell(cell, (id) => alarmSum(shard as string, id, due as number))) &&
        isWhole(rows, ([entity, cell, shard, id, version, record]) =>
          this.#ofCell(cell, (of) => rowSum(entity as string, of, shard as string, id as RowId, version as ShardVersion, record as Buffer)),
        ) &&
        // `due` walks the index, which has no sums of its own: an alarm that is lost or moved there
        // is whole in the table.
        sumOfPlaces(alarms) === sumOfPlaces(alarmsByDue),
      () => false,
    );
  }

  /** The sum of a row; `NaN`, which equals nothing, if there is no such cell. */
  #ofCell(cell: unknown, sum: (cell: number) => number): number {
    return this.#tables.cells.cellOf(cell as number) === undefined ? Number.NaN : sum(cell as number);
  }

  #put(entities: readonly string[], shards: readonly MirroredShard[]): void {
    const { deleteRows, leaveOut, takeIn } = this.#statements;
    this.#tables.transaction(() => {
      for (const mirrored of shards) {
        const { shard } = mirrored;
        const cell = this.#tables.cells.idOf(mirrored.of);
        for (const entity of entities) deleteRows.run(entity, cell, shard);
        this.#tables.setAlarm(shard, cell, mirrored.kind === 'loaded' ? mirrored.due : DUE_AT_ONCE);
        if (mirrored.kind === 'left-out') leaveOut.run(shard);
        else {
          takeIn.run(shard);
          for (const row of mirrored.rows) this.#tables.putRow(cell, row, row.record);
        }
      }
      return undefined;
    });
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

function prepare(database: Database.Database) {
  return {
    leftOut: database.prepare<[]>('SELECT shard FROM left_out').pluck(),
    alarms: database.prepare<[]>('SELECT shard, due, cell, sum FROM alarm').raw(),
    alarmsByDue: database.prepare<[]>('SELECT shard, due FROM alarm INDEXED BY alarm_by_due').raw(),
    rows: database.prepare<[]>('SELECT entity, cell, shard, id, version, record, sum FROM projected').raw(),
    totals: database.prepare<[]>('SELECT cell, key, amount, sum FROM total').raw(),
    segments: database.prepare<[], SegmentRow>(SEGMENTS),
    deleteRows: database.prepare<[string, number, string]>('DELETE FROM projected WHERE entity = ? AND cell = ? AND shard = ?'),
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
