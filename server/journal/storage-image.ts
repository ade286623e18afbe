/**
 * A shard image: one SQLite file that anybody can open with `sqlite3`. Written whole from memory, never in place, so it has neither a
 * journal nor a write-ahead log.
 */
import Database from 'better-sqlite3';
import { limits } from '#shared/limits.ts';
import type { LedgerEntry, Posting, RawChangeSet, RawPut, RawValue, ShardHeader } from '#server/shard/change-set.ts';
import type { Schemas } from '#server/shard/codec.ts';
import type { Column, EntitySchema } from '#server/shard/entity.ts';
import { ImageError } from './storage.ts';
import { errorCode, errorMessage } from './storage-errors.ts';
import { APPLICATION_ID } from './storage-sqlite.ts';

/** The version of the layout of images, in their `user_version`. */
export const IMAGE_VERSION = 1;

const CATALOGUE = `
  CREATE TABLE gavel_shard(
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    cell INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    now INTEGER NOT NULL,
    next_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ledger_seq INTEGER NOT NULL,
    wake_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE gavel_table(name TEXT PRIMARY KEY, entity TEXT NOT NULL, entity_version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE gavel_ledger(
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    tx TEXT,
    balance INTEGER NOT NULL,
    postings TEXT NOT NULL
  ) STRICT;
`;

const HEADER =
  'SELECT id AS shard, version, cell, epoch, now, next_id AS nextId, generation, seq, ledger_seq AS ledgerSeq, wake_at AS wakeAt FROM gavel_shard';

/** Reads a whole image. Throws `ImageError` if it is damaged, newer than this program, or none. */
export function readImage(bytes: Buffer, schemas: Schemas): RawChangeSet {
  return withImage(bytes, (database) => {
    const header = headerOf(database);
    const puts = tablesOf(database).flatMap((table) => rowsOf(database, schemaOf(schemas, table)));
    const ledger = database.prepare('SELECT * FROM gavel_ledger ORDER BY seq').all() as readonly LedgerRow[];
    return { ...header, puts, removes: [], ledger: ledger.map(asEntry) };
  });
}

/** An image in memory that is becoming the next one. Owned by whoever opened it, until `finish` or `close`. */
export class ImageEditor {
  readonly header: ShardHeader | undefined;
  readonly #database: Database.Database;
  readonly #schemas: Schemas;

  /** `bytes` is the old image, or `undefined` for a shard that has none. Throws `ImageError` as `readImage` does. */
  constructor(bytes: Buffer | undefined, schemas: Schemas) {
    this.#schemas = schemas;
    this.#database = bytes === undefined ? emptyImage() : openImage(bytes);
    try {
      this.header = bytes === undefined ? undefined : headerOf(this.#database);
    } catch (error) {
      this.#database.close();
      throw asImageError(error);
    }
  }

  /** Applies the changes and returns the bytes of the next image. */
  finish(changes: RawChangeSet): Buffer {
    try {
      this.#database.exec('BEGIN');
      this.#writeHeader(changes);
      this.#writeRows(changes);
      this.#writeLedger(changes.ledger);
      this.#database.exec('COMMIT');
      return this.#database.serialize();
    } catch (error) {
      throw asImageError(error);
    } finally {
      this.close();
    }
  }

  /** Lets go of it. */
  close(): void {
    this.#database.close();
  }

  #writeHeader({ shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt }: ShardHeader): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO gavel_shard VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt);
  }

  #writeRows({ puts, removes }: RawChangeSet): void {
    const existing = new Set(tablesOf(this.#database));
    for (const [table, removed] of Map.groupBy(removes, ({ table: name }) => name)) {
      if (!existing.has(table)) continue;
      const remove = this.#database.prepare(`DELETE FROM ${quoted(table)} WHERE id = ?`);
      for (const { id } of removed) remove.run(id);
    }
    for (const [table, rows] of Map.groupBy(puts, ({ table: name }) => name)) {
      const schema = schemaOf(this.#schemas, table);
      if (!existing.has(table)) createTable(this.#database, schema);
      const put = this.#database.prepare(`INSERT OR REPLACE INTO ${quoted(table)} VALUES (?${', ?'.repeat(schema.columns.length)})`);
      for (const { id, values } of rows) put.run(id, ...values.map(asBound));
    }
  }

  #writeLedger(entries: readonly LedgerEntry[]): void {
    const newest = entries.at(-1);
    if (newest === undefined) return;
    this.#database.prepare('DELETE FROM gavel_ledger WHERE seq <= ?').run(newest.seq - limits.ledgerLinesKept);
    const insert = this.#database.prepare('INSERT INTO gavel_ledger VALUES (?, ?, ?, ?, ?, ?)');
    for (const { seq, at, cause, tx, balance, postings } of entries) {
      const triples = postings.map(({ place, asset, amount }) => [place, asset, amount]);
      insert.run(seq, at, cause, tx, balance, JSON.stringify(triples));
    }
  }
}

interface LedgerRow extends Omit<LedgerEntry, 'postings'> {
  readonly postings: string;
}

function asEntry(row: LedgerRow): LedgerEntry {
  const triples = JSON.parse(row.postings) as readonly (readonly [Posting['place'], Posting['asset'], number])[];
  return { ...row, postings: triples.map(([place, asset, amount]) => ({ place, asset, amount })) };
}

function emptyImage(): Database.Database {
  const database = new Database(':memory:');
  database.pragma('page_size=1024');
  database.pragma('journal_mode=OFF');
  database.exec(CATALOGUE);
  database.pragma(`application_id=${APPLICATION_ID}`);
  database.pragma(`user_version=${IMAGE_VERSION}`);
  return database;
}

function openImage(bytes: Buffer): Database.Database {
  try {
    return new Database(bytes);
  } catch (error) {
    throw asImageError(error);
  }
}

function withImage<T>(bytes: Buffer, use: (database: Database.Database) => T): T {
  const database = openImage(bytes);
  try {
    return use(database);
  } catch (error) {
    throw asImageError(error);
  } finally {
    database.close();
  }
}

function headerOf(database: Database.Database): ShardHeader {
  const version = database.pragma('user_version', { simple: true });
  if (typeof version === 'number' && version > IMAGE_VERSION)
    throw new ImageError(`its image is of format ${version}, which is newer than this program`);
  if (database.pragma('application_id', { simple: true }) !== APPLICATION_ID) throw new ImageError('its image is not a file of Gavel');
  const header = database.prepare(HEADER).get() as ShardHeader | undefined;
  if (header === undefined) throw new ImageError('its image does not say what shard it is');
  return header;
}

function tablesOf(database: Database.Database): readonly string[] {
  return database.prepare('SELECT name FROM gavel_table ORDER BY name').pluck().all() as readonly string[];
}

function rowsOf(database: Database.Database, schema: EntitySchema): readonly RawPut[] {
  const columns = ['id', ...schema.columns.map(({ name }) => quoted(name))].join(', ');
  const rows = database
    .prepare(`SELECT ${columns} FROM ${quoted(schema.table)} ORDER BY id`)
    .raw()
    .all() as readonly [number, ...RawValue[]][];
  return rows.map(([id, ...values]) => ({ table: schema.table, id, values: values.map(asRead) }));
}

function createTable(database: Database.Database, schema: EntitySchema): void {
  const columns = schema.columns.map((column) => `${quoted(column.name)} ${typeOf(column)}${column.nullable ? '' : ' NOT NULL'}`);
  database.exec(`CREATE TABLE ${quoted(schema.table)}(${['id INTEGER PRIMARY KEY', ...columns].join(', ')}) STRICT`);
  database.prepare('INSERT INTO gavel_table VALUES (?, ?, ?)').run(schema.table, schema.name, schema.version);
}

function typeOf({ type }: Column): string {
  switch (type) {
    case 'text':
    case 'enum':
    case 'json':
      return 'TEXT';
    case 'bytes':
      return 'BLOB';
    case 'integer':
    case 'gold':
    case 'boolean':
    case 'timestamp':
    case 'reference':
      return 'INTEGER';
  }
}

function schemaOf(schemas: Schemas, table: string): EntitySchema {
  const schema = schemas.get(table);
  if (schema === undefined)
    throw new ImageError(`its image has the table ${table}, which this program does not know: it is of a newer version`);
  return schema;
}

function asBound(value: RawValue): number | string | Buffer | null {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

/** SQLite's bytes come as `Buffer`; a row holds plain bytes, as the codec reads them. */
function asRead(value: RawValue): RawValue {
  return value instanceof Uint8Array ? new Uint8Array(value) : value;
}

function asImageError(error: unknown): unknown {
  if (errorCode(error)?.startsWith('SQLITE_') !== true) return error;
  return new ImageError(`its image is damaged (${errorMessage(error)})`, { cause: error });
}

function quoted(name: string): string {
  return `"${name}"`;
}
