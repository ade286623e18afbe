/** Shard images as bytes, whoever wrote them: by our own reader, or, if somebody has repaired one with SQLite, by SQLite. */
import Database from 'better-sqlite3';
import type { LedgerEntry, RawChangeSet, RawPut, RawValue, ShardHeader } from '#server/shard/change-set.ts';
import type { Schemas } from '#server/shard/codec.ts';
import { decodeImage, encodeImage, isUntouched, nextRows, parseImage, postingsOf, schemaOf, type ImageRows } from './image-file-codec.ts';
import { ImageError } from './storage.ts';
import { errorCode, errorMessage } from './storage-errors.ts';

const HEADER =
  'SELECT id AS shard, version, cell, epoch, now, next_id AS nextId, generation, seq, ledger_seq AS ledgerSeq, wake_at AS wakeAt FROM gavel_shard';

/** The image of a shard from all that is in it. */
export function writeImage(image: RawChangeSet, schemas: Schemas): Buffer {
  return encodeImage(nextRows(undefined, image, schemas), schemas);
}

/** Everything that is in an image. Throws `ImageError` if it is damaged, newer than this program, or none. */
export function readImage(bytes: Buffer, schemas: Schemas): RawChangeSet {
  return isUntouched(bytes) ? decodeImage(parseImage(bytes), schemas) : readWithSqlite(bytes, schemas);
}

/** An image in parts, as a base for the next one. Throws as `readImage` does. */
export function readRows(bytes: Buffer, schemas: Schemas): ImageRows {
  return isUntouched(bytes) ? parseImage(bytes) : nextRows(undefined, readWithSqlite(bytes, schemas), schemas);
}

/** Reads a whole image with SQLite. Throws `ImageError` if it is damaged, or has tables that this program does not know. */
export function readWithSqlite(bytes: Buffer, schemas: Schemas): RawChangeSet {
  let database: Database.Database | undefined;
  try {
    database = new Database(bytes);
    const header = database.prepare(HEADER).get() as ShardHeader | undefined;
    if (header === undefined) throw new ImageError('its image does not say what shard it is');
    return { ...header, puts: rowsOf(database, schemas), removes: [], ledger: ledgerOf(database) };
  } catch (error) {
    if (errorCode(error)?.startsWith('SQLITE_') !== true) throw error;
    throw new ImageError(`its image is damaged (${errorMessage(error)})`, { cause: error });
  } finally {
    database?.close();
  }
}

function rowsOf(database: Database.Database, schemas: Schemas): readonly RawPut[] {
  const tables = database.prepare('SELECT name FROM gavel_table ORDER BY name').pluck().all() as readonly string[];
  return tables.flatMap((table) => {
    const columns = ['id', ...schemaOf(schemas, table).columns.map(({ name }) => `"${name}"`)].join(', ');
    const rows = database.prepare(`SELECT ${columns} FROM "${table}" ORDER BY id`).raw().all() as readonly [number, ...RawValue[]][];
    return rows.map(([id, ...values]) => ({ table, id, values: values.map(asPlain) }));
  });
}

function ledgerOf(database: Database.Database): readonly LedgerEntry[] {
  const rows = database.prepare('SELECT * FROM gavel_ledger ORDER BY seq').all() as readonly (Omit<LedgerEntry, 'postings'> & {
    readonly postings: string;
  })[];
  return rows.map(({ postings, ...rest }) => ({ ...rest, postings: postingsOf(postings) }));
}

/** SQLite's bytes come as `Buffer`; a row holds plain bytes, as the codec reads them. */
function asPlain(value: RawValue): RawValue {
  return value instanceof Uint8Array ? new Uint8Array(value) : value;
}
