/**
 * `node.db`: what the journal folds into. Written and read by one thread. Every row carries a CRC-32 of its values: neither SQLite nor a
 * disk tells a flipped bit, and what is folded here is in no image.
 */
import type Database from 'better-sqlite3';
import type { Instant, ShardId } from '#shared/units.ts';
import { asBuffer } from '../images/batch-cache.ts';
import { ShardFault, type DueShard, type Position, type Total } from '../persister/persister.ts';
import type { FoldDelta, LedgerSegment, ProjectionStore, RowChange } from './storage.ts';
import { FileUpkeep, MIRROR_SCHEMA } from './projection-upkeep.ts';
import { alarmSum, nodeSum, rowSum, segmentSum, totalSum } from './projection-sums.ts';
import { DatabaseError, isCorrupt, openVersioned, type Layout } from './sqlite.ts';

/** The version of the layout of `node.db`, in its `user_version`. */
export const PROJECTIONS_VERSION = 2;

/** `mirrored` says of which entities all rows are in the mirror, as JSON, or that this is not known. */
const NODE_SCHEMA = `
  CREATE TABLE node(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    folded INTEGER NOT NULL,
    mirrored TEXT,
    sum INTEGER NOT NULL
  ) STRICT;
`;

/** Not unique: in an image that somebody has edited the ledger's numbers may have run back, and this must not stop the fold of all others. */
const LEDGER_INDEX = 'CREATE INDEX ledger_segment_by_shard ON ledger_segment(shard, first_seq);';

const SCHEMA = `
  ${NODE_SCHEMA}
  ${MIRROR_SCHEMA}
  CREATE TABLE ledger_segment(
    id INTEGER PRIMARY KEY,
    shard TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    transactions BLOB NOT NULL,
    lines BLOB NOT NULL,
    sum INTEGER NOT NULL
  ) STRICT;
  ${LEDGER_INDEX}
  CREATE TABLE total(key TEXT PRIMARY KEY, amount TEXT NOT NULL, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Version 1 had no sums, and did not say of what it had all rows: what is in the shards is made anew, what is not gets the sum of what is there. */
function toVersion2(database: Database.Database): void {
  const { instance, folded } = database.prepare('SELECT instance, folded FROM node').get() as NodeRow;
  database.exec(`DROP TABLE node; DROP TABLE alarm; DROP TABLE projected; ${NODE_SCHEMA} ${MIRROR_SCHEMA}`);
  database.prepare('INSERT INTO node VALUES (1, ?, ?, NULL, ?)').run(instance, folded, nodeSum({ instance, folded, mirrored: null }));
  database.function('segment_sum', { varargs: true, deterministic: true }, (...columns: readonly unknown[]) => {
    const [shard, firstSeq, lastSeq, transactions, lines] = columns as [ShardId, number, number, Buffer, Buffer];
    return segmentSum({ shard, firstSeq, lastSeq, transactions, lines });
  });
  database.function('total_sum', { deterministic: true }, (key, amount) => totalSum(String(key), String(amount)));
  database.exec(`
    ALTER TABLE ledger_segment ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    UPDATE ledger_segment SET sum = segment_sum(shard, first_seq, last_seq, transactions, lines);
    ALTER TABLE total ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    UPDATE total SET sum = total_sum(key, amount);
    DROP INDEX ledger_segment_by_shard;
    ${LEDGER_INDEX}
  `);
}

function layout(instance: string): Layout {
  return {
    version: PROJECTIONS_VERSION,
    table: 'node',
    make: (database) => {
      database.exec(SCHEMA);
      database.prepare('INSERT INTO node VALUES (1, ?, 0, NULL, ?)').run(instance, nodeSum({ instance, folded: 0, mirrored: null }));
    },
    upgrades: { 1: toVersion2 },
  };
}

const MEBIBYTE = 1_024 * 1_024;

interface NodeRow {
  readonly instance: string;
  readonly folded: Position;
  readonly mirrored: string | null;
  readonly sum: number;
}
type Row = Omit<RowChange, 'entity' | 'record'> & { readonly record: Buffer; readonly sum: number };
type Segment = LedgerSegment & { readonly sum: number };

export class FileProjections implements ProjectionStore {
  readonly instance: string;
  readonly upkeep: FileUpkeep;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  #folded: Position;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = prepare(database);
    const node = this.#statements.node.get() as NodeRow | undefined;
    if (node === undefined || node.sum !== nodeSum(node))
      throw new DatabaseError('the projections (node.db) are damaged: they do not say how far they go');
    this.instance = node.instance;
    this.#folded = node.folded;
    this.upkeep = new FileUpkeep(database, node.mirrored, (mirrored) => this.#writeNode(this.#folded, mirrored));
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
        const { insertSegment } = this.#statements;
        for (const segment of delta.segments) {
          const { shard, firstSeq, lastSeq, transactions, lines } = segment;
          insertSegment.run(shard, firstSeq, lastSeq, asBuffer(transactions), asBuffer(lines), segmentSum(segment));
        }
        this.#totals(delta);
        this.#writeNode(delta.folded, this.upkeep.mirrored);
      })
      .immediate();
    this.#folded = delta.folded;
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const rows = this.#statements.due.all(now, after?.due ?? -1, after?.shard ?? '', limit) as readonly (DueShard & {
      readonly sum: number;
    })[];
    for (const { shard, due, sum } of rows) if (sum !== alarmSum(shard, due)) throw damaged('alarms');
    return rows.map(({ shard, due }) => ({ shard, due }));
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

  rows(entity: string, ofShard?: ShardId): readonly RowChange[] {
    const { rows, rowsOfShard } = this.#statements;
    const found = ofShard === undefined ? rows.all(entity) : rowsOfShard.all(entity, ofShard);
    return (found as readonly Row[]).map(({ shard, id, version, record, sum }) => {
      if (sum !== rowSum(entity, shard, id, version, record)) throw damaged(`rows of ${entity}`);
      return { entity, shard, id, version, record };
    });
  }

  totals(): readonly Total[] {
    const rows = this.#statements.totals.all() as readonly { readonly key: string; readonly amount: string; readonly sum: number }[];
    return rows.map(({ key, amount, sum }) => {
      if (sum !== totalSum(key, amount)) throw damaged('totals');
      return { key, amount: BigInt(amount) };
    });
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
      else setAlarm.run(shard, due, alarmSum(shard, due));
    }
  }

  #rows({ rows }: FoldDelta): void {
    const { putRow, deleteRow } = this.#statements;
    for (const { entity, shard, id, version, record } of rows) {
      if (record === undefined) deleteRow.run(entity, shard, id);
      else putRow.run(entity, shard, id, version, asBuffer(record), rowSum(entity, shard, id, version, record));
    }
  }

  #totals({ totals }: FoldDelta): void {
    const { addTotal, total } = this.#statements;
    for (const [key, added] of totals) {
      const old = total.get(key) as { readonly amount: string; readonly sum: number } | undefined;
      // Added to and summed anew, what is damaged would be believed.
      if (old !== undefined && old.sum !== totalSum(key, old.amount)) throw damaged('totals');
      const amount = String(BigInt(old?.amount ?? 0) + added);
      addTotal.run(key, amount, totalSum(key, amount));
    }
  }

  #writeNode(folded: Position, mirrored: string | null): void {
    this.#statements.setNode.run(folded, mirrored, nodeSum({ instance: this.instance, folded, mirrored }));
  }
}

function prepare(database: Database.Database) {
  return {
    node: database.prepare<[]>('SELECT instance, folded, mirrored, sum FROM node'),
    setNode: database.prepare<[number, string | null, number]>('UPDATE node SET folded = ?, mirrored = ?, sum = ?'),
    // An alarm that did not move costs a look and no page.
    setAlarm: database.prepare<[string, number, number]>(
      'INSERT INTO alarm(shard, due, sum) VALUES (?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET due = excluded.due, sum = excluded.sum WHERE sum <> excluded.sum',
    ),
    deleteAlarm: database.prepare<[string]>('DELETE FROM alarm WHERE shard = ?'),
    due: database.prepare<[number, number, string, number]>(
      'SELECT shard, due, sum FROM alarm WHERE due <= ? AND (due, shard) > (?, ?) ORDER BY due, shard LIMIT ?',
    ),
    putRow: database.prepare<[string, string, number, number, Buffer, number]>(
      'INSERT INTO projected(entity, shard, id, version, record, sum) VALUES (?, ?, ?, ?, ?, ?) ' +
        'ON CONFLICT DO UPDATE SET version = excluded.version, record = excluded.record, sum = excluded.sum',
    ),
    deleteRow: database.prepare<[string, string, number]>('DELETE FROM projected WHERE entity = ? AND shard = ? AND id = ?'),
    rows: database.prepare<[string]>('SELECT shard, id, version, record, sum FROM projected WHERE entity = ?'),
    rowsOfShard: database.prepare<[string, string]>('SELECT shard, id, version, record, sum FROM projected WHERE entity = ? AND shard = ?'),
    insertSegment: database.prepare<[string, number, number, Buffer, Buffer, number]>(
      'INSERT INTO ledger_segment(shard, first_seq, last_seq, transactions, lines, sum) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    segments: database.prepare<[string, number]>(
      `${SEGMENT} FROM ledger_segment WHERE shard = ? AND first_seq < ? ORDER BY first_seq DESC`,
    ),
    segmentsWith: database.prepare<[string, Buffer]>(
      `${SEGMENT} FROM ledger_segment WHERE shard = ? AND instr(transactions, ?) > 0 ORDER BY first_seq`,
    ),
    total: database.prepare<[string]>('SELECT amount, sum FROM total WHERE key = ?'),
    addTotal: database.prepare<[string, string, number]>(
      'INSERT INTO total(key, amount, sum) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount, sum = excluded.sum',
    ),
    totals: database.prepare<[]>('SELECT key, amount, sum FROM total ORDER BY key'),
  };
}

const SEGMENT = 'SELECT shard, first_seq AS firstSeq, last_seq AS lastSeq, transactions, lines, sum';

/** Ledger lines are nowhere else: only who asks for these very ones is told that they are damaged, and all others have theirs. */
function whole(segment: Segment): LedgerSegment {
  const { shard, firstSeq, lastSeq, transactions, lines, sum } = segment;
  if (sum === segmentSum(segment)) return { shard, firstSeq, lastSeq, transactions, lines };
  throw new ShardFault(`the ledger of ${shard} (node.db) is damaged in its lines ${firstSeq} to ${lastSeq}`);
}

/** Reads of the ledger of a shard. A tree that does not hang together there costs only who asks, as a damaged line does. */
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
