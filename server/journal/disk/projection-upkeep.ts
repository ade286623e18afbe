/** What a start does to `node.db` before anybody asks: see `ProjectionUpkeep`. */
import type Database from 'better-sqlite3';
import type { ShardId } from '#shared/units.ts';
import type { LedgerSegment, MirroredShard, ProjectionUpkeep } from './storage.ts';
import { alarmSum, rowSum, segmentSum, totalSum } from './projection-sums.ts';
import { DatabaseError, isCorrupt } from './sqlite.ts';

/** The mirror: what a start can make anew from the shards. */
export const MIRROR_SCHEMA = `
  CREATE TABLE alarm(shard TEXT PRIMARY KEY, due INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX alarm_by_due ON alarm(due);
  CREATE TABLE projected(
    entity TEXT NOT NULL,
    shard TEXT NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    record BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (entity, shard, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE left_out(shard TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;

const MIRROR_TABLES = ['alarm', 'projected', 'left_out'];

/** Shards of one transaction: the log of a database of a million shards would else be as large as they are. */
const SHARDS_AT_ONCE = 1_000;
/** A shard that could not be loaded is due at once: it is looked at again and again, until its file is whole. */
const DUE_AT_ONCE = 1;

/** `FileProjections` owns the database and the row that says what is mirrored. */
export class FileUpkeep implements ProjectionUpkeep {
  readonly #database: Database.Database;
  readonly #writeMirrored: (mirrored: string | null) => void;
  readonly #statements: ReturnType<typeof prepare>;
  /** As the database has it: JSON, or null. */
  mirrored: string | null;
  /** Whether `check` has found the mirror damaged, and it is not forgotten yet. */
  #isMirrorDamaged = false;

  constructor(database: Database.Database, mirrored: string | null, writeMirrored: (mirrored: string | null) => void) {
    this.#database = database;
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
    const isMirrorWhole = this.#isMirrorWhole();
    this.#isMirrorDamaged = !isMirrorWhole;
    return {
      isMirrorWhole,
      areTotalsWhole: isWhole(this.#statements.totals, ([key, amount]) => totalSum(key as string, amount as string)),
    };
  }

  forget(): void {
    this.#database
      .transaction(() => {
        this.#say(null);
        if (this.#isMirrorDamaged) this.#abandon();
        else this.#database.exec('DELETE FROM projected; DELETE FROM alarm; DELETE FROM left_out');
      })
      .immediate();
    this.#isMirrorDamaged = false;
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
    this.#database.transaction(() => this.#say(JSON.stringify(entities)))();
  }

  *segments(): Iterable<LedgerSegment> {
    for (const row of this.#statements.segments.iterate()) {
      const segment = row as LedgerSegment & { readonly sum: number };
      if (segment.sum !== segmentSum(segment)) throw new DatabaseError('the projections (node.db) are damaged in their ledger');
      yield segment;
    }
  }

  setTotals(totals: ReadonlyMap<string, bigint>): void {
    this.#database.transaction(() => {
      this.#database.exec('DELETE FROM total');
      for (const [key, amount] of totals) this.#statements.insertTotal.run(key, String(amount), totalSum(key, String(amount)));
    })();
  }

  #isMirrorWhole(): boolean {
    const { alarms, alarmsByDue, rows } = this.#statements;
    const sumOfAlarm = ([shard, due]: readonly unknown[]): number => alarmSum(shard as string, due as number);
    try {
      return (
        // A page can be read to its last row, and yet fail whoever writes there.
        MIRROR_TABLES.every((table) => this.#database.pragma(`quick_check(${table})`, { simple: true }) === 'ok') &&
        isWhole(alarms, sumOfAlarm) &&
        isWhole(rows, ([entity, shard, id, version, record]) =>
          rowSum(entity as string, shard as string, id as number, version as number, record as Buffer),
        ) &&
        // `due` walks the index, which has no sums of its own: an alarm that is lost or moved there is whole in the table.
        sumOfAll(alarms, sumOfAlarm) === sumOfAll(alarmsByDue, sumOfAlarm)
      );
    } catch (error) {
      if (isCorrupt(error)) return false;
      throw error;
    }
  }

  /**
   * Makes the tables of the mirror anew, and leaves their pages where they are, never to be used again: whoever walks a damaged tree to free
   * its pages fails, or frees pages of the ledger.
   */
  #abandon(): void {
    this.#database.unsafeMode(true);
    try {
      this.#database.exec(`
        PRAGMA writable_schema = ON;
        DELETE FROM sqlite_schema WHERE tbl_name IN (${MIRROR_TABLES.map((table) => `'${table}'`).join()});
        PRAGMA writable_schema = RESET;
        ${MIRROR_SCHEMA}
      `);
    } finally {
      this.#database.unsafeMode(false);
    }
  }

  #put(entities: readonly string[], shards: readonly MirroredShard[]): void {
    const { deleteRows, insertRow, setAlarm, deleteAlarm, leaveOut, takeIn } = this.#statements;
    this.#database.transaction(() => {
      for (const mirrored of shards) {
        const { shard } = mirrored;
        for (const entity of entities) deleteRows.run(entity, shard);
        const due = mirrored.kind === 'loaded' ? mirrored.due : DUE_AT_ONCE;
        if (due === 0) deleteAlarm.run(shard);
        else setAlarm.run(shard, due, alarmSum(shard, due));
        if (mirrored.kind === 'left-out') leaveOut.run(shard);
        else {
          takeIn.run(shard);
          for (const { entity, id, version, record } of mirrored.rows)
            insertRow.run(entity, shard, id, version, Buffer.from(record), rowSum(entity, shard, id, version, record));
        }
      }
    })();
  }

  #say(mirrored: string | null): void {
    this.#writeMirrored(mirrored);
    this.mirrored = mirrored;
  }
}

function prepare(database: Database.Database) {
  return {
    leftOut: database.prepare<[]>('SELECT shard FROM left_out').pluck(),
    alarms: database.prepare<[]>('SELECT shard, due, sum FROM alarm').raw(),
    alarmsByDue: database.prepare<[]>('SELECT shard, due FROM alarm INDEXED BY alarm_by_due').raw(),
    rows: database.prepare<[]>('SELECT entity, shard, id, version, record, sum FROM projected').raw(),
    totals: database.prepare<[]>('SELECT key, amount, sum FROM total').raw(),
    segments: database.prepare<[]>(
      'SELECT shard, first_seq AS firstSeq, last_seq AS lastSeq, transactions, lines, sum FROM ledger_segment',
    ),
    deleteRows: database.prepare<[string, string]>('DELETE FROM projected WHERE entity = ? AND shard = ?'),
    insertRow: database.prepare<[string, string, number, number, Buffer, number]>('INSERT INTO projected VALUES (?, ?, ?, ?, ?, ?)'),
    setAlarm: database.prepare<[string, number, number]>('INSERT OR REPLACE INTO alarm VALUES (?, ?, ?)'),
    deleteAlarm: database.prepare<[string]>('DELETE FROM alarm WHERE shard = ?'),
    leaveOut: database.prepare<[string]>('INSERT OR IGNORE INTO left_out VALUES (?)'),
    takeIn: database.prepare<[string]>('DELETE FROM left_out WHERE shard = ?'),
    insertTotal: database.prepare<[string, string, number]>('INSERT INTO total VALUES (?, ?, ?)'),
  };
}

/** Whether all rows of a statement, whose last column is the sum of the others, are as they were written. */
function isWhole(statement: Database.Statement<[]>, sumOf: (columns: readonly unknown[]) => number): boolean {
  for (const row of statement.iterate()) {
    const columns = row as readonly unknown[];
    if (columns.at(-1) !== sumOf(columns)) return false;
  }
  return true;
}

/** How many rows a statement has, and the sum of their sums: in whatever order they come. */
function sumOfAll(statement: Database.Statement<[]>, sumOf: (columns: readonly unknown[]) => number): string {
  let [count, total] = [0, 0];
  for (const row of statement.iterate()) {
    count++;
    // Added and not XORed: CRCs are linear, and two alarms that have changed places would cancel out.
    total = (total + sumOf(row as readonly unknown[])) >>> 0;
  }
  return `${count} ${total}`;
}
