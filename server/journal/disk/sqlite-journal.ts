/**
 * `journal.db`: one row per group commit, the notes of images, and the counters. Written by one
 * thread, read by others.
 */
import type Database from 'better-sqlite3';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { type Epoch, type Instant, NO_POSITION, type Position, type ShardId, type ShardVersion } from '#shared/units.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import { batchSum, checkedBatch, checkedBatches, countersSum, imageVersionSum, keptSum } from './checksums.ts';
import {
  JournalError,
  ShardEntryError,
  type Batch,
  type JournalReader,
  type JournalState,
  type JournalStore,
  type SetAsideRecord,
  type ImageVersion,
} from './storage.ts';
import { MEBIBYTE, openReader, openVersioned, type Layout } from './sqlite.ts';

/** The version of the layout of `journal.db`, in its `user_version`. */
export const JOURNAL_VERSION = 3;

const SCHEMA = `
  CREATE TABLE journal(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    position INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    now INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    sum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE batch(
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    now INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    records BLOB NOT NULL
  ) STRICT;
  CREATE TABLE shard(
    id TEXT PRIMARY KEY,
    applied_version INTEGER NOT NULL,
    now INTEGER,
    sum INTEGER NOT NULL,
    epoch INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE kept(
    shard TEXT NOT NULL,
    version INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (shard, version)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * From version 1 to 2: a lease of time, the time of each note, what is put aside, and checksums.
 * What is there is believed this once. One statement and one transaction for all batches: SQLite
 * moves what does not fit into its cache to the log.
 */
const TO_VERSION_2 = `
  ALTER TABLE batch ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
  UPDATE batch SET sum = batch_sum(first, last, now, records);
  ALTER TABLE shard ADD COLUMN now INTEGER;
  ALTER TABLE shard ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
  UPDATE shard SET sum = note_sum(id, applied_version);
  ALTER TABLE kept ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
  UPDATE kept SET sum = kept_sum(shard, version, record);
  ALTER TABLE journal ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE journal ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE journal ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
  UPDATE journal SET lease = now, kept = (SELECT coalesce(sum(length(record)), 0) FROM kept);
  UPDATE journal SET sum = counters_sum(instance, position, dropped, now, lease, kept);
`;

function toVersion2(database: Database.Database): void {
  database.function('batch_sum', (first: Position, last: Position, now: Instant, records: Buffer) =>
    batchSum({ first, last, now, records }),
  );
  database.function('note_sum', (shard: ShardId, version: ShardVersion) => imageVersionSum(shard, version, null, FIRST_EPOCH));
  database.function('kept_sum', (shard: ShardId, version: ShardVersion, record: Buffer) => keptSum({ shard, version, record }));
  database.function(
    'counters_sum',
    (instance: string, position: Position, dropped: Position, now: Instant, lease: Instant, setAsideBytes: number) =>
      countersSum(instance, { position, dropped, now, lease, setAsideBytes }),
  );
  database.exec(TO_VERSION_2);
}

/** From version 2 to 3: the epoch of each `ImageVersion`, which was the first. */
const TO_VERSION_3 = `ALTER TABLE shard ADD COLUMN epoch INTEGER NOT NULL DEFAULT ${FIRST_EPOCH}`;

function layout(instance: string): Layout {
  return {
    version: JOURNAL_VERSION,
    table: 'journal',
    pageBytes: PAGE_BYTES,
    cacheBytes: 8 * MEBIBYTE,
    checkpointBytes: 4 * MEBIBYTE,
    make: (database) => {
      database.exec(SCHEMA);
      const counters = { position: NO_POSITION, dropped: NO_POSITION, now: 0, lease: 0, setAsideBytes: 0 } as const;
      database.prepare('INSERT INTO journal VALUES (1, ?, 0, 0, 0, 0, 0, ?)').run(instance, countersSum(instance, counters));
    },
    upgrades: { 1: toVersion2, 2: (database) => database.exec(TO_VERSION_3) },
  };
}

/**
 * Large pages for large batches: a commit of 256 KiB takes 0.77 ms with these, and 1.1 ms with
 * pages of 4 KiB.
 */
const PAGE_BYTES = 16 * 1_024;

interface ImageVersionRow {
  readonly version: ShardVersion;
  readonly now: Instant | null;
  readonly sum: number;
  readonly epoch: Epoch;
}

type KeptRow = SetAsideRecord & { readonly sum: number };
type CountersRow = Omit<JournalState, 'bytes'> & { readonly instance: string; readonly sum: number };

/** What any thread may read of a journal. */
export class FileJournalReader implements JournalReader {
  protected readonly database: Database.Database;
  readonly #batchesAfter: Database.Statement<[number], Batch>;
  readonly #batch: Database.Statement<[number], Batch>;
  readonly #note: Database.Statement<[string], ImageVersionRow>;
  readonly #kept: Database.Statement<[string], KeptRow>;
  readonly #setAsideBytesByShard: Database.Statement<[], readonly [ShardId, number]>;

  constructor(database: Database.Database) {
    this.database = database;
    this.#batchesAfter = database.prepare('SELECT first, last, now, sum, records FROM batch WHERE first > ? ORDER BY first');
    this.#batch = database.prepare('SELECT first, last, now, sum, records FROM batch WHERE first = ?');
    this.#note = database.prepare('SELECT applied_version AS version, now, sum, epoch FROM shard WHERE id = ?');
    this.#kept = database.prepare('SELECT shard, version, sum, record FROM kept WHERE shard = ? ORDER BY version');
    this.#setAsideBytesByShard = database
      .prepare<[], readonly [ShardId, number]>('SELECT shard, sum(length(record)) FROM kept GROUP BY shard')
      .raw();
  }

  /** Opens the journal of a node for reading; somebody else has it open for writing. */
  static open(path: string): FileJournalReader {
    return new FileJournalReader(openReader(path, MEBIBYTE));
  }

  read(after: Position, bytesMax: number): readonly Batch[] {
    return checkedBatches(this.#batchesAfter.iterate(after), bytesMax);
  }

  batch(first: Position): Batch | undefined {
    const batch = this.#batch.get(first);
    return batch === undefined ? undefined : checkedBatch(batch);
  }

  imageVersionOf(shard: ShardId): ReturnType<JournalReader['imageVersionOf']> {
    const row = this.#note.get(shard);
    if (row === undefined) return undefined;
    const { version, now, sum, epoch } = row;
    if (imageVersionSum(shard, version, now, epoch) !== sum) throw new ShardEntryError('the note of its image is damaged');
    return { version, now: now ?? undefined, epoch };
  }

  setAsideOf(shard: ShardId): readonly Uint8Array[] {
    return this.#kept.all(shard).map(({ sum, ...kept }) => {
      if (keptSum(kept) === sum) return kept.record;
      throw new ShardEntryError(`its record of version ${kept.version}, which was put aside, is damaged`);
    });
  }

  setAsideBytesByShard(): ReadonlyMap<ShardId, number> {
    return new Map(this.#setAsideBytesByShard.all());
  }

  close(): void {
    this.database.close();
  }
}

/** The journal as its owner has it. */
export class FileJournal extends FileJournalReader implements JournalStore {
  /** Whose it is. */
  readonly instance: string;
  /** One sentence, if turns were missing when it was opened. */
  readonly damage: string | undefined;
  readonly #statements: ReturnType<typeof prepare>;
  #state: JournalState;

  /**
   * Throws `JournalError` if the counters, or any record that was put aside, are not what was
   * written.
   */
  constructor(database: Database.Database) {
    super(database);
    this.#statements = prepare(database);
    const { counters, batches, keptBytes, allKept } = this.#statements;
    const row = counters.get();
    if (row === undefined) throw JournalError.of('its counters are missing');
    const { instance, sum, ...found } = row;
    if (countersSum(instance, found) !== sum) throw JournalError.of('its counters are not what was written');
    if (keptBytes.get() !== found.setAsideBytes) throw JournalError.of('records that were put aside are missing');
    // All of them, and not only when their shard is loaded: under a wrong name or number a durable
    // turn would not be found, nor missed.
    for (const { sum: its, ...kept } of allKept.iterate())
      if (keptSum(kept) !== its) throw JournalError.of('a record that was put aside is not what was written');
    this.instance = instance;
    const { bytes, ...there } = batches.get() as BatchesThere & { readonly bytes: number };
    this.damage = damageOf(found, there);
    this.#state = { ...found, bytes };
  }

  /** Opens the journal at that path, or makes a new one that belongs to `instance`. */
  static openFor(path: string, instance: string): FileJournal {
    return openVersioned(path, layout(instance), (database) => new FileJournal(database));
  }

  get state(): JournalState {
    return this.#state;
  }

  /** The number of shards that have an `ImageVersion`. */
  imageVersions(): number {
    return this.#statements.imageVersions.get() as number;
  }

  commit({ first, last, now, sum, records }: Batch): void {
    const { position, bytes, now: before } = this.#state;
    if (first !== position + 1 || last < first) throw new Error(`a batch of turns ${first} to ${last} cannot follow turn ${position}`);
    this.#transaction(() => {
      this.#statements.insertBatch.run(first, last, now, sum, asBuffer(records));
      return { position: last, now: now > before ? now : before, bytes: bytes + records.length };
    });
  }

  extendLease(until: Instant): void {
    if (until > this.#state.lease) this.#transaction(() => ({ lease: until }));
  }

  storeImageVersions(versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): void {
    const { insertNote, insertKept, deleteKept } = this.#statements;
    let setAsideBytes = this.#state.setAsideBytes;
    this.#transaction(() => {
      for (const { shard, version, now, epoch } of versions) {
        insertNote.run(shard, version, now, epoch, imageVersionSum(shard, version, now, epoch));
        if (setAsideBytes === 0) continue;
        for (const bytes of deleteKept.all(shard, version) as readonly number[]) setAsideBytes -= bytes;
      }
      for (const aside of setAside) {
        const { changes } = insertKept.run(aside.shard, aside.version, keptSum(aside), asBuffer(aside.record));
        setAsideBytes += changes * aside.record.length;
      }
      return { setAsideBytes };
    });
  }

  drop(through: Position, recordsMax: number): Position {
    const { dropped: start, bytes } = this.#state;
    let dropped = start;
    let droppedBytes = 0;
    for (const batch of this.#statements.oldest.iterate()) {
      if (batch.last > through || dropped - start >= recordsMax) break;
      dropped = batch.last;
      droppedBytes += batch.bytes;
    }
    if (dropped === start) return dropped;
    this.#transaction(() => {
      this.#statements.deleteThrough.run(dropped);
      return { dropped, bytes: bytes - droppedBytes };
    });
    return dropped;
  }

  /** Runs a change, and changes the counters as it says; both happen, or neither. */
  #transaction(run: () => Partial<JournalState>): void {
    const { begin, commit, rollback, setCounters } = this.#statements;
    begin.run();
    try {
      const next = { ...this.#state, ...run() };
      const { position, dropped, now, lease, setAsideBytes } = next;
      const [before, after] = [countersSum(this.instance, this.#state), countersSum(this.instance, next)];
      const { changes } = setCounters.run(position, dropped, now, lease, setAsideBytes, after, before);
      // Nobody else may have this file: whoever writes to it all the same must not be written over.
      if (changes !== 1) throw new JournalError('the journal (journal.db) was written to by somebody else');
      commit.run();
      this.#state = next;
    } catch (error) {
      if (this.database.inTransaction) rollback.run();
      throw error;
    }
  }
}

function prepare(database: Database.Database) {
  return {
    begin: database.prepare<[]>('BEGIN IMMEDIATE'),
    commit: database.prepare<[]>('COMMIT'),
    rollback: database.prepare<[]>('ROLLBACK'),
    counters: database.prepare<[], CountersRow>('SELECT instance, position, dropped, now, lease, kept AS setAsideBytes, sum FROM journal'),
    setCounters: database.prepare<[number, number, number, number, number, number, number]>(
      'UPDATE journal SET position = ?, dropped = ?, now = ?, lease = ?, kept = ?, sum = ? WHERE sum = ?',
    ),
    batches: database.prepare<[]>(
      'SELECT coalesce(sum(length(records)), 0) AS bytes, coalesce(sum(last - first + 1), 0) AS turns, min(first) AS first, max(last) AS last FROM batch',
    ),
    insertBatch: database.prepare<[number, number, number, number, Buffer]>(
      'INSERT INTO batch(first, last, now, sum, records) VALUES (?, ?, ?, ?, ?)',
    ),
    imageVersions: database.prepare<[]>('SELECT count(*) FROM shard').pluck(),
    insertNote: database.prepare<[string, number, number, number, number]>(
      'INSERT INTO shard(id, applied_version, now, epoch, sum) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET ' +
        'applied_version = excluded.applied_version, now = excluded.now, epoch = excluded.epoch, sum = excluded.sum',
    ),
    insertKept: database.prepare<[string, number, number, Buffer]>(
      'INSERT OR IGNORE INTO kept(shard, version, sum, record) VALUES (?, ?, ?, ?)',
    ),
    deleteKept: database.prepare<[string, number]>('DELETE FROM kept WHERE shard = ? AND version <= ? RETURNING length(record)').pluck(),
    allKept: database.prepare<[], KeptRow>('SELECT shard, version, sum, record FROM kept'),
    keptBytes: database.prepare<[]>('SELECT coalesce(sum(length(record)), 0) FROM kept').pluck(),
    // Both by the key, in its order: what they cost does not depend on how much is behind.
    oldest: database.prepare<[], { readonly last: Position; readonly bytes: number }>(OLDEST),
    deleteThrough: database.prepare<[number]>(DELETE_THROUGH),
  };
}

interface BatchesThere {
  readonly turns: number;
  readonly first: Position | null;
  readonly last: Position | null;
}

function damageOf({ position, dropped }: Omit<JournalState, 'bytes'>, { turns, first, last }: BatchesThere): string | undefined {
  const isWhole = (first ?? dropped + 1) === dropped + 1 && (last ?? dropped) === position && turns === position - dropped;
  if (isWhole) return undefined;
  return JournalError.of(`it should hold the turns ${dropped + 1} to ${position}, and has ${turns} of them`).message;
}

/** The oldest batches first. */
export const OLDEST = 'SELECT last, length(records) AS bytes FROM batch ORDER BY first';
/**
 * Batches do not overlap: one that begins at or before the end of another is that one, or older.
 */
export const DELETE_THROUGH = 'DELETE FROM batch WHERE first <= ?';
