/**
 * Shard images as bytes: read by our own reader, or by SQLite if another program has edited them.
 *
 * This is the one place where bytes become an image: whatever goes wrong here is an `ImageError`, which
 * costs one player and not the node. What our own reader takes has our checksum, and is believed. Of an
 * edited image, everything is checked here that can be known without the entities, so that it can be
 * written and sent on; the rest is checked when the shard is loaded (an `Image` that is `edited`).
 */
import Database from 'better-sqlite3';
import type { RecordFormat } from '#server/shard/record/format.ts';
import { existsSync } from 'node:fs';
import type { Instant, RowId } from '#shared/units.ts';
import type { RawChangeSet, RawPut, RawValue } from '#server/shard/change-set.ts';
import type { LedgerEntry, Posting } from '#server/shard/ledger.ts';
import { KEPT_AS, type AttributeType, type ColumnSchema, type Schemas } from '#server/shard/row.ts';
import {
  assertSealed,
  decodeImage,
  headerOf,
  isCount,
  isUntouched,
  nextRows,
  parseImage,
  postingsOf,
  imageSchemaOf,
  type ImageOrigin,
  type ImageRows,
} from './sqlite-file/image.ts';
import { ImageError } from '../disk/storage.ts';
import { errorMessage } from '../disk/disk-errors.ts';

/** All that is in an image. */
interface WholeImage {
  readonly image: RawChangeSet;
  readonly origin: ImageOrigin;
}

/** An image as a whole, and where it comes from. Throws `ImageError` if it is damaged, newer than this program, or none. */
export function readImage(bytes: Buffer, format: RecordFormat, path?: string): WholeImage {
  return orImageError(() => {
    if (!isUntouched(bytes)) return readEdited(bytes, format, path);
    const rows = parseImage(bytes);
    return { image: decodeImage(rows, format.schemas), origin: rows.origin };
  });
}

/** An image in parts, as a base for the next one. Throws as `readImage` does. */
export function readRows(bytes: Buffer, format: RecordFormat, path?: string): ImageRows {
  return orImageError(() => {
    if (isUntouched(bytes)) return parseImage(bytes);
    const { image, origin } = readEdited(bytes, format, path);
    return { ...nextRows(undefined, image, format.schemas), origin };
  });
}

/** Reads a whole image with SQLite. Throws `ImageError` if it is damaged, or has tables or values that this program does not know. */
export function readWithSqlite(bytes: Buffer, { schemas, places }: RecordFormat): WholeImage {
  return orImageError(() => {
    const database = new Database(withoutLog(bytes));
    try {
      const row = database.prepare('SELECT * FROM gavel_shard').raw().get() as readonly RawValue[] | undefined;
      if (row === undefined) throw new ImageError('its image does not say what shard it is');
      assertSealed(row);
      const { header, origin } = headerOf(row);
      return { image: { ...header, puts: rowsOf(database, schemas), removes: [], ledger: ledgerOf(database, places) }, origin };
    } finally {
      database.close();
    }
  });
}

function readEdited(bytes: Buffer, format: RecordFormat, path: string | undefined): WholeImage {
  const log = ['-wal', '-journal'].find((ending) => path !== undefined && existsSync(path + ending));
  if (log !== undefined) throw new ImageError(`its image has a ${log} beside it: whoever edits it has not finished, or was interrupted`);
  const { image, origin } = readWithSqlite(bytes, format);
  return { image, origin: { ...origin, isEdited: true } };
}

function orImageError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(`its image is damaged (${errorMessage(error)})`, { cause: error });
  }
}

/** A database in memory cannot have a write-ahead log: one that was left in that mode is read as if it had none, for it has none any more. */
function withoutLog(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.fill(1, 18, 20);
  return copy;
}

/** All that are there, and all that ought to be. */
const TABLES = `
  SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'gavel_*' AND name NOT GLOB 'sqlite_*'
  UNION SELECT name FROM gavel_table ORDER BY name`;

function rowsOf(database: Database.Database, schemas: Schemas): readonly RawPut[] {
  const tables = database.prepare(TABLES).pluck().all() as readonly string[];
  return tables.flatMap((table) => {
    const { columns } = imageSchemaOf(schemas, table);
    const names = ['id', ...columns.map(({ name }) => `"${name}"`)].join(', ');
    const rows = database.prepare(`SELECT ${names} FROM "${table}" ORDER BY id`).raw().all() as readonly [RowId, ...RawValue[]][];
    assertAscending(
      table,
      rows.map(([id]) => id),
    );
    return rows.map(([id, ...values]) => ({ table, id, values: columns.map((column, index) => valueOf(table, column, values[index])) }));
  });
}

function ledgerOf(database: Database.Database, places: readonly string[]): readonly LedgerEntry[] {
  const rows = database.prepare('SELECT seq, at, cause, tx, balance, postings FROM gavel_ledger ORDER BY seq').raw().all();
  const entries = (rows as readonly (readonly RawValue[])[]).map((row) => entryOf(row, places));
  assertAscending(
    'gavel_ledger',
    entries.map(({ seq }) => seq),
  );
  return entries;
}

function entryOf([seq, at, cause, tx, balance, postings]: readonly RawValue[], places: readonly string[]): LedgerEntry {
  const all = postingsOf(postings ?? null);
  const isWhole =
    [seq, at, balance].every(isCount) &&
    typeof cause === 'string' &&
    (tx === null || typeof tx === 'string') &&
    all.every((posting) => isPosting(posting, places));
  if (!isWhole) throw new ImageError(`line ${String(seq)} of the ledger of its image is none`);
  return { seq, at: at as Instant, cause, tx, balance, postings: all } as LedgerEntry;
}

function isPosting({ place, asset, amount, balance: after }: Posting, places: readonly string[]): boolean {
  const isMoved = places.includes(place) && typeof asset === 'string' && Number.isSafeInteger(amount);
  return isMoved && (after === undefined || isCount(after));
}

function assertAscending(table: string, ids: readonly unknown[]): void {
  let last = 0;
  for (const id of ids) {
    if (!isCount(id) || id <= last) throw new ImageError(`its image has a row of ${table} that cannot have the id ${String(id)}`);
    last = id;
  }
}

/** A value as the codec has it: whole and safe numbers, text, plain bytes. */
function valueOf(table: string, { name, type, nullable }: ColumnSchema, value: RawValue | undefined): RawValue {
  if (value === null && nullable) return null;
  if (isOfType(type, value)) return value instanceof Uint8Array ? new Uint8Array(value) : value;
  throw new ImageError(`its image has a ${name} in ${table} that is no ${type}`);
}

function isOfType(type: AttributeType, value: RawValue | undefined): value is RawValue {
  if (type === 'boolean') return value === 0 || value === 1;
  if (type === 'json') return typeof value === 'string' && typeof JSON.parse(value) === 'object';
  const kept = KEPT_AS[type];
  if (kept === 'number') return Number.isSafeInteger(value);
  return kept === 'text' ? typeof value === 'string' : value instanceof Uint8Array;
}
