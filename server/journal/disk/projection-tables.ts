/**
 * The tables of `node.db`, and how rows get into them. Owned by the one thread that has the
 * database open.
 *
 * 1. Every row carries a CRC-32 of its values: neither SQLite nor a disk tells a flipped bit, and
 *    what is folded here is in no image. Cells are named by their number in `cell`.
 * 2. What is in memory of the row of the node is what is committed.
 */
import type Database from 'better-sqlite3';
import type { Instant, Position, RowId, ShardId, ShardVersion } from '#shared/units.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import { CellTable } from './cell-table.ts';
import { checksum, laterEpoch } from './checksums.ts';
import { DatabaseError } from './sqlite.ts';
import type { CellTotals, LedgerSegment, LiveRow } from './storage.ts';

/**
 * `mirrored` says of which entities all rows are in the mirror, as JSON, or that this is not known.
 */
export const NODE_SCHEMA = `
  CREATE TABLE node(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    folded INTEGER NOT NULL,
    mirrored TEXT,
    sum INTEGER NOT NULL
  ) STRICT;
`;

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

/** Its tables. */
export const MIRROR_TABLES = ['alarm', 'projected', 'left_out'];

/**
 * Not unique: in an image that somebody has edited the ledger's numbers may have run back, and this
 * must not stop the fold of all others.
 */
export const LEDGER_INDEX = 'CREATE INDEX ledger_segment_by_shard ON ledger_segment(shard, first_seq);';

/** The ledger of all shards, in pieces. */
export const LEDGER_SCHEMA = `
  CREATE TABLE ledger_segment(
    id INTEGER PRIMARY KEY,
    shard TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    transactions BLOB NOT NULL,
    lines BLOB NOT NULL,
    sum INTEGER NOT NULL
  ) STRICT;
  ${LEDGER_INDEX}
`;

/** The key of a total is `place asset-class`; its market is that of its cell. */
export const TOTAL_SCHEMA = `
  CREATE TABLE total(
    cell INTEGER NOT NULL,
    key TEXT NOT NULL,
    amount TEXT NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (cell, key)
  ) STRICT, WITHOUT ROWID;
`;

/** All segments, as `SegmentRow`. */
export const SEGMENTS = 'SELECT shard, epoch, first_seq AS firstSeq, last_seq AS lastSeq, transactions, lines, sum FROM ledger_segment';

/** A segment of the ledger as it is kept. */
export type SegmentRow = LedgerSegment & { readonly sum: number };

/** What `node.db` says of itself. */
export interface NodeRow {
  readonly instance: string;
  readonly folded: Position;
  /** The entities of which all rows are mirrored, as JSON, or null. */
  readonly mirrored: string | null;
}

export class ProjectionTables {
  readonly cells: CellTable;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  #node: NodeRow;

  /** Throws `DatabaseError` if the row of the node is damaged. */
  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#node = readNode(database);
    this.cells = new CellTable(database);
  }

  get node(): NodeRow {
    return this.#node;
  }

  /**
   * One transaction, which may give numbers to cells, and in which the row of the node becomes what
   * `run` says, if it says anything. If it fails, nothing has changed.
   */
  transaction(run: () => Partial<NodeRow> | undefined): void {
    let node = this.#node;
    try {
      this.#database
        .transaction(() => {
          const change = run();
          if (change === undefined) return;
          node = { ...node, ...change };
          this.#statements.setNode.run(node.instance, node.folded, node.mirrored, nodeSum(node));
        })
        .immediate();
      this.#node = node;
    } catch (error) {
      this.cells.reload();
      throw error;
    }
  }

  /** The new earliest alarm of a shard; 0 for none. */
  setAlarm(shard: ShardId, cell: number, due: Instant | 0): void {
    if (due === 0) this.#statements.deleteAlarm.run(shard);
    else this.#statements.setAlarm.run(shard, cell, due, alarmSum(shard, cell, due));
  }

  putRow(cell: number, { entity, shard, id, version }: Omit<LiveRow, 'record'>, record: Uint8Array): void {
    this.#statements.putRow.run(entity, cell, shard, id, version, asBuffer(record), rowSum(entity, cell, shard, id, version, record));
  }

  setTotal(cell: number, key: string, amount: bigint): void {
    this.#statements.setTotal.run(cell, key, String(amount), totalSum(cell, key, String(amount)));
  }

  /** Writes all of these totals. */
  setTotals(totals: readonly CellTotals[]): void {
    for (const { of, amountByKey } of totals) {
      const cell = this.cells.idOf(of);
      for (const [key, amount] of amountByKey) this.setTotal(cell, key, amount);
    }
  }
}

const SET_NODE = 'INSERT OR REPLACE INTO node VALUES (1, ?, ?, ?, ?)';

function prepare(database: Database.Database) {
  return {
    setNode: database.prepare<[string, number, string | null, number]>(SET_NODE),
    // An alarm that did not move costs a look and no page.
    setAlarm: database.prepare<[string, number, number, number]>(
      'INSERT INTO alarm(shard, cell, due, sum) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET cell = excluded.cell, due = excluded.due, sum = excluded.sum WHERE sum <> excluded.sum',
    ),
    deleteAlarm: database.prepare<[string]>('DELETE FROM alarm WHERE shard = ?'),
    putRow: database.prepare<[string, number, string, number, number, Buffer, number]>(
      'INSERT INTO projected(entity, cell, shard, id, version, record, sum) VALUES (?, ?, ?, ?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET version = excluded.version, record = excluded.record, sum = excluded.sum',
    ),
    setTotal: database.prepare<[number, string, string, number]>(
      'INSERT INTO total(cell, key, amount, sum) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET amount = excluded.amount, sum = excluded.sum',
    ),
  };
}

/** Writes the one row of the node, whether it is there or not. */
export function setNode(database: Database.Database, node: NodeRow): void {
  database.prepare(SET_NODE).run(node.instance, node.folded, node.mirrored, nodeSum(node));
}

/** What `node.db` says of itself. Throws `DatabaseError` if that is damaged. */
export function readNode(database: Database.Database): NodeRow {
  const row = database.prepare<[], NodeRow & { readonly sum: number }>('SELECT instance, folded, mirrored, sum FROM node').get();
  if (row === undefined || row.sum !== nodeSum(row))
    throw new DatabaseError('the projections (node.db) are damaged: they do not say how far they go');
  const { instance, folded, mirrored } = row;
  return { instance, folded, mirrored };
}

function nodeSum({ instance, folded, mirrored }: NodeRow): number {
  return checksum(`${instance} ${folded} ${mirrored ?? ''}`);
}

/** The checksum of an alarm. */
export function alarmSum(shard: string, cell: number, due: number): number {
  return checksum(`${shard} ${cell} ${due}`);
}

/** The checksum of a mirrored row. */
export function rowSum(entity: string, cell: number, shard: string, id: RowId, version: ShardVersion, record: Uint8Array): number {
  return checksum(`${entity} ${cell} ${shard} ${id} ${version}`, record);
}

/** The checksum of a segment of the ledger. */
export function segmentSum({ shard, epoch, firstSeq, lastSeq, transactions, lines }: LedgerSegment): number {
  return checksum(`${shard} ${firstSeq} ${lastSeq}${laterEpoch(epoch)}`, transactions, lines);
}

/** The checksum of a total. */
export function totalSum(cell: number, key: string, amount: string): number {
  return checksum(`${cell} ${key} ${amount}`);
}
