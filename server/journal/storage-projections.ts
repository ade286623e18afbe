/** `node.db`: what the journal folds into. Written and read by one thread. */
import type Database from 'better-sqlite3';
import type { Instant, ShardId } from '#shared/units.ts';
import type { Position, Total } from './persister.ts';
import type { FoldDelta, LedgerSegment, ProjectionStore, RowChange } from './storage.ts';
import { openVersioned, type Layout } from './storage-sqlite.ts';

/** The version of the layout of `node.db`, in its `user_version`. */
export const PROJECTIONS_VERSION = 1;

const SCHEMA = `
  CREATE TABLE node(id INTEGER PRIMARY KEY CHECK (id = 1), instance TEXT NOT NULL, folded INTEGER NOT NULL) STRICT;
  CREATE TABLE alarm(shard TEXT PRIMARY KEY, due INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX alarm_by_due ON alarm(due);
  CREATE TABLE projected(
    entity TEXT NOT NULL,
    shard TEXT NOT NULL,
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (entity, shard, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE ledger_segment(
    id INTEGER PRIMARY KEY,
    shard TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    transactions BLOB NOT NULL,
    lines BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX ledger_segment_by_shard ON ledger_segment(shard, first_seq);
  CREATE TABLE total(key TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

function layout(instance: string): Layout {
  return {
    version: PROJECTIONS_VERSION,
    table: 'node',
    make: (database) => {
      database.exec(SCHEMA);
      database.prepare('INSERT INTO node VALUES (1, ?, 0)').run(instance);
    },
    upgrades: {},
  };
}

const MEBIBYTE = 1_024 * 1_024;

type Row = Omit<RowChange, 'entity'>;

/** See the head of this file. */
export class FileProjections implements ProjectionStore {
  readonly instance: string;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  #folded: Position;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = prepare(database);
    const { instance, folded } = this.#statements.node.get() as { readonly instance: string; readonly folded: number };
    this.instance = instance;
    this.#folded = folded;
  }

  /** Opens the projections at that path, or makes new ones that belong to `instance`. */
  static openFor(path: string, instance: string): FileProjections {
    const files = { path, pageBytes: 4_096, cacheBytes: 32 * MEBIBYTE, checkpointBytes: 16 * MEBIBYTE };
    const database = openVersioned(files, layout(instance));
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

  apply(delta: FoldDelta): void {
    this.#database
      .transaction(() => {
        this.#alarms(delta);
        this.#rows(delta);
        const { insertSegment, addTotal, total, setFolded } = this.#statements;
        for (const { shard, firstSeq, lastSeq, transactions, lines } of delta.segments) {
          insertSegment.run(shard, firstSeq, lastSeq, asBuffer(transactions), asBuffer(lines));
        }
        for (const [key, amount] of delta.totals) {
          addTotal.run(key, String(BigInt((total.get(key) as string | undefined) ?? 0) + amount));
        }
        setFolded.run(delta.folded);
      })
      .immediate();
    this.#folded = delta.folded;
  }

  due(now: Instant, limit: number): readonly ShardId[] {
    return this.#statements.due.all(now, limit) as readonly ShardId[];
  }

  segments(shard: ShardId, before: number, lines: number): readonly LedgerSegment[] {
    const segments: LedgerSegment[] = [];
    let found = 0;
    for (const row of this.#statements.segments.iterate(shard, before)) {
      const segment = row as LedgerSegment;
      segments.push(segment);
      found += Math.min(segment.lastSeq, before - 1) - segment.firstSeq + 1;
      if (found >= lines) break;
    }
    return segments;
  }

  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[] {
    return this.#statements.segmentsWith.all(shard, asBuffer(fingerprint)) as readonly LedgerSegment[];
  }

  rows(entity: string): readonly RowChange[] {
    return this.#statements.rows.all(entity).map((row) => ({ entity, ...(row as Row) }));
  }

  totals(): readonly Total[] {
    const rows = this.#statements.totals.all() as readonly { readonly key: string; readonly amount: string }[];
    return rows.map(({ key, amount }) => ({ key, amount: BigInt(amount) }));
  }

  /** Throws if another program has the database locked. */
  probe(): void {
    this.#database.exec('BEGIN IMMEDIATE; ROLLBACK');
  }

  close(): void {
    this.#database.close();
  }

  #alarms({ alarms }: FoldDelta): void {
    const { setAlarm, deleteAlarm } = this.#statements;
    for (const [shard, due] of alarms) {
      if (due === 0) deleteAlarm.run(shard);
      else setAlarm.run(shard, due);
    }
  }

  #rows({ rows }: FoldDelta): void {
    const { putRow, deleteRow } = this.#statements;
    for (const { entity, shard, id, version, record } of rows) {
      if (record === undefined) deleteRow.run(entity, shard, id);
      else putRow.run(entity, shard, id, version, asBuffer(record));
    }
  }
}

function prepare(database: Database.Database) {
  return {
    node: database.prepare<[]>('SELECT instance, folded FROM node'),
    setFolded: database.prepare<[number]>('UPDATE node SET folded = ?'),
    // An alarm that did not move costs a look and no page.
    setAlarm: database.prepare<[string, number]>(
      'INSERT INTO alarm(shard, due) VALUES (?, ?) ON CONFLICT DO UPDATE SET due = excluded.due WHERE due <> excluded.due',
    ),
    deleteAlarm: database.prepare<[string]>('DELETE FROM alarm WHERE shard = ?'),
    due: database.prepare<[number, number]>('SELECT shard FROM alarm WHERE due <= ? ORDER BY due LIMIT ?').pluck(),
    putRow: database.prepare<[string, string, number, number, Buffer]>(
      'INSERT INTO projected(entity, shard, id, version, record) VALUES (?, ?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET version = excluded.version, record = excluded.record',
    ),
    deleteRow: database.prepare<[string, string, number]>('DELETE FROM projected WHERE entity = ? AND shard = ? AND id = ?'),
    rows: database.prepare<[string]>('SELECT shard, id, version, record FROM projected WHERE entity = ?'),
    insertSegment: database.prepare<[string, number, number, Buffer, Buffer]>(
      'INSERT INTO ledger_segment(shard, first_seq, last_seq, transactions, lines) VALUES (?, ?, ?, ?, ?)',
    ),
    segments: database.prepare<[string, number]>(
      `${SEGMENT} FROM ledger_segment WHERE shard = ? AND first_seq < ? ORDER BY first_seq DESC`,
    ),
    segmentsWith: database.prepare<[string, Buffer]>(
      `${SEGMENT} FROM ledger_segment WHERE shard = ? AND instr(transactions, ?) > 0 ORDER BY first_seq`,
    ),
    total: database.prepare<[string]>('SELECT amount FROM total WHERE key = ?').pluck(),
    addTotal: database.prepare<[string, string]>(
      'INSERT INTO total(key, amount) VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount',
    ),
    totals: database.prepare<[]>('SELECT key, amount FROM total ORDER BY key'),
  };
}

const SEGMENT = 'SELECT shard, first_seq AS firstSeq, last_seq AS lastSeq, transactions, lines';

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
