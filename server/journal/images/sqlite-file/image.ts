/**
 * A shard image: one SQLite file that any SQLite can open, written and read here without SQLite. A shard
 * has few rows and its image is replaced whole, so most of what the library does for one is overhead; what
 * that comes to, and when it would no longer be worth this folder, is in `docs/decisions/009`.
 *
 * What is written is a small part of the format (https://www.sqlite.org/fileformat2.html; sections of it
 * are cited at each constant in this folder):
 *
 * - `image.ts`, the database: the header (1.3), the schema table (2.6), and which tables there are.
 *   UTF-8, schema format 4, 1-KiB pages, no reserved space, rollback journal, no auto-vacuum.
 * - `btree.ts`, tables: rowid tables (2.3) as b-trees of leaf and interior pages (1.6), with overflow
 *   pages (1.7). They are written once, from rows that are sorted by id. There is no index, no
 *   `WITHOUT ROWID` table, no free page and no pointer map, and nothing is ever changed in place.
 * - `record.ts`, rows: records (2.1) of integers, texts, blobs and nulls, without reals.
 *
 * Nothing else is ever read here: a file that another program has written to is read by SQLite
 * (`image-bytes.ts`), and recognised as follows. The header has two numbers that must be equal, the change
 * counter (1.3.6) and `version-valid-for` (1.3.16). Both carry the CRC-32 of the file as it is with zeros
 * there. SQLite changes them at every write, and puts the number of its own version where our mark is. So a
 * file with our mark and a wrong sum is damaged, and one without our mark is edited.
 *
 * The twin is SQLite itself: the tests have it read everything that is written here.
 */
import { crc32 } from 'node:zlib';
import { limits } from '#shared/limits.ts';
import type { Instant, RowId, TransactionId } from '#shared/units.ts';
import type { RawChangeSet, RawPut, RawValue, ShardHeader } from '#server/shard/change-set.ts';
import type { LedgerEntry, Posting } from '#server/shard/ledger.ts';
import { KEPT_AS, type EntitySchema, type Schemas } from '#server/shard/row.ts';
import { checksum } from '../../disk/checksums.ts';
import { APPLICATION_ID } from '../../disk/sqlite.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import { HEADER_BYTES, PAGE_BYTES, PageWriter, readTable, type BtreeCell } from './btree.ts';
import { ImageError } from '../../disk/storage.ts';

/** The version of the layout of images, in their `user_version` (1.3.14). */
export const IMAGE_VERSION = 2;

/** What the file begins with (1.3.1). */
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/** Where things are in the header of the database (1.3, the table). */
const PAGE_SIZE = 16;
const FILE_FORMAT = 18;
const CHANGE_COUNTER = 24;
const PAGE_COUNT = 28;
const SCHEMA_COOKIE = 40;
const SCHEMA_FORMAT = 44;
const TEXT_ENCODING = 56;
const USER_VERSION = 60;
const APPLICATION = 68;
const VERSION_VALID_FOR = 92;
const WRITER = 96;

/**
 * From `FILE_FORMAT` on, a byte each: readable and writable with a rollback journal (1.3.3), no bytes
 * reserved on each page (1.3.4), and the payload fractions, which every database has (1.3.5).
 */
const FILE_FORMAT_VALUES = [1, 1, 0, 64, 32, 32];
/** Any number but 0, which would mean that there is no schema (1.3.9). */
const FIRST_SCHEMA = 1;
/** The one that every SQLite since 2006 writes (1.3.10). */
const SCHEMA_FORMAT_4 = 4;
/** UTF-8 (1.3.13). */
const UTF_8 = 1;

const SHARD_SQL = `CREATE TABLE gavel_shard(
  id TEXT NOT NULL, version INTEGER NOT NULL, cell INTEGER NOT NULL, epoch INTEGER NOT NULL, now INTEGER NOT NULL,
  next_id INTEGER NOT NULL, generation INTEGER NOT NULL, seq INTEGER NOT NULL, ledger_seq INTEGER NOT NULL, wake_at INTEGER NOT NULL,
  instance TEXT NOT NULL, edited INTEGER NOT NULL, seal INTEGER NOT NULL
) STRICT`;
const TABLE_SQL = 'CREATE TABLE gavel_table(name TEXT NOT NULL, entity TEXT NOT NULL, entity_version INTEGER NOT NULL) STRICT';
const LEDGER_SQL = `CREATE TABLE gavel_ledger(
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, cause TEXT NOT NULL, tx TEXT, balance INTEGER NOT NULL, postings TEXT NOT NULL
) STRICT`;
const CATALOGUE_TABLES = 3;

/** Where an image comes from. */
export interface ImageOrigin {
  /** The data directory that it belongs to; images of version 1 do not say. */
  readonly instance: string | undefined;
  /** Another program has written to it, or to one that it was made from. Kept for ever: nothing ever says that the edit was right. */
  readonly isEdited: boolean;
}

/** An image in parts: rows are records that are not decoded yet, sorted by id. */
export interface ImageRows {
  readonly header: ShardHeader;
  readonly origin: ImageOrigin;
  readonly cellsByTable: ReadonlyMap<string, readonly BtreeCell[]>;
  readonly ledger: readonly BtreeCell[];
}

/** Whether a file is as `encodeImage` wrote it, or was written to by another program. Throws `ImageError` if it is damaged or newer. */
export function isUntouched(bytes: Buffer): boolean {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new ImageError('its image is no database');
  if (bytes.readUInt32BE(APPLICATION) !== APPLICATION_ID) throw new ImageError('its image is not a file of Gavel');
  const version = bytes.readUInt32BE(USER_VERSION);
  if (version > IMAGE_VERSION) throw new ImageError(`its image is of format ${version}, which is newer than this program`);
  if (bytes.readUInt32BE(WRITER) !== APPLICATION_ID) return false;
  const sum = bytes.readUInt32BE(CHANGE_COUNTER);
  if (bytes.readUInt32BE(VERSION_VALID_FOR) !== sum || fileSum(bytes) !== sum) throw new ImageError('its image is damaged');
  return true;
}

/** The parts of an untouched image. */
export function parseImage(bytes: Buffer): ImageRows {
  const rootByName = new Map<string, number>();
  for (const { record } of readTable(bytes, 1)) {
    const [, name, , root] = decodeRecord(record);
    rootByName.set(String(name), Number(root));
  }
  const cellsOf = (name: string): readonly BtreeCell[] => readTable(bytes, rootByName.get(name) ?? 1);
  const [shard] = cellsOf('gavel_shard');
  if (shard === undefined) throw new ImageError('its image does not say what shard it is');
  const cellsByTable = new Map<string, readonly BtreeCell[]>();
  for (const name of rootByName.keys()) if (!name.startsWith('gavel_')) cellsByTable.set(name, cellsOf(name));
  return { ...headerOf(decodeRecord(shard.record)), cellsByTable, ledger: cellsOf('gavel_ledger') };
}

/** The image that the parts make, as one of the data directory `instance`. */
export function encodeImage({ header, origin, cellsByTable, ledger }: ImageRows, schemas: Schemas, instance: string): Buffer {
  const tables = [...cellsByTable.keys()].filter((table) => cellsByTable.get(table)?.length !== 0).toSorted();
  const { start, firstRoot } = templateOf(tables, schemas);
  const writer = new PageWriter(start);
  writer.table(firstRoot, [{ rowid: 1, record: encodeHeader(header, instance, origin.isEdited) }]);
  writer.table(firstRoot + 2, ledger);
  tables.forEach((table, index) => writer.table(firstRoot + CATALOGUE_TABLES + index, cellsByTable.get(table) ?? []));
  const bytes = Buffer.from(writer.bytes());
  bytes.writeUInt32BE(writer.pages, PAGE_COUNT);
  const sum = fileSum(bytes);
  bytes.writeUInt32BE(sum, CHANGE_COUNTER);
  bytes.writeUInt32BE(sum, VERSION_VALID_FOR);
  return bytes;
}

/** The parts of the image after these changes. */
export function nextRows(old: ImageRows | undefined, changes: RawChangeSet, schemas: Schemas): ImageRows {
  const cellsByTable = new Map(old?.cellsByTable);
  const newMap = (): Map<number, BtreeCell | undefined> => new Map();
  const changed = new Map<string, ReturnType<typeof newMap>>();
  for (const { table, id } of changes.removes) changed.getOrInsertComputed(table, newMap).set(id, undefined);
  for (const { table, id, values } of changes.puts) {
    imageSchemaOf(schemas, table);
    changed.getOrInsertComputed(table, newMap).set(id, { rowid: id, record: encodeRecord([null, ...values]) });
  }
  for (const [table, cellById] of changed) cellsByTable.set(table, mergeCells(cellsByTable.get(table) ?? [], cellById));
  const added = changes.ledger.map((entry) => ({ rowid: entry.seq, record: encodeEntry(entry) }));
  const origin = old?.origin ?? { instance: undefined, isEdited: false };
  return { header: changes, origin, cellsByTable, ledger: [...(old?.ledger ?? []), ...added].slice(-limits.ledgerLinesKept) };
}

/** The image with everything decoded. */
export function decodeImage({ header, cellsByTable, ledger }: ImageRows, schemas: Schemas): RawChangeSet {
  const puts: RawPut[] = [];
  for (const table of [...cellsByTable.keys()].toSorted()) {
    imageSchemaOf(schemas, table);
    for (const { rowid, record } of cellsByTable.get(table) ?? [])
      puts.push({ table, id: rowid as RowId, values: decodeRecord(record).slice(1) });
  }
  return { ...header, puts, removes: [], ledger: ledger.map(decodeEntry) };
}

function mergeCells(old: readonly BtreeCell[], changed: ReadonlyMap<number, BtreeCell | undefined>): readonly BtreeCell[] {
  const added = [...changed.values()].filter((cell) => cell !== undefined).toSorted((a, b) => a.rowid - b.rowid);
  const merged: BtreeCell[] = [];
  let next = 0;
  for (const cell of old) {
    if (changed.has(cell.rowid)) continue;
    for (; next < added.length; next++) {
      const one = added[next];
      if (one === undefined || one.rowid > cell.rowid) break;
      merged.push(one);
    }
    merged.push(cell);
  }
  merged.push(...added.slice(next));
  return merged;
}

function fileSum(bytes: Buffer): number {
  const zeros = Buffer.alloc(4);
  let sum = crc32(bytes.subarray(0, CHANGE_COUNTER));
  sum = crc32(zeros, sum);
  sum = crc32(bytes.subarray(CHANGE_COUNTER + 4, VERSION_VALID_FOR), sum);
  sum = crc32(zeros, sum);
  return crc32(bytes.subarray(VERSION_VALID_FOR + 4), sum);
}

/** What all images with the same tables begin with: the schema, the list of tables, and the empty roots of the rest. */
interface Template {
  readonly start: Buffer;
  /** The root of `gavel_shard`; those of `gavel_table`, `gavel_ledger` and the tables follow. */
  readonly firstRoot: number;
}

const templateByTables = new Map<string, Template>();
const TEMPLATES_MAX = 1_024;

function templateOf(tables: readonly string[], schemas: Schemas): Template {
  return templateByTables.getOrInsertComputed(tables.join(' '), () => {
    if (templateByTables.size >= TEMPLATES_MAX) templateByTables.clear();
    return makeTemplate(tables.map((table) => imageSchemaOf(schemas, table)));
  });
}

function makeTemplate(schemas: readonly EntitySchema[]): Template {
  const named = [
    ['gavel_shard', SHARD_SQL],
    ['gavel_table', TABLE_SQL],
    ['gavel_ledger', LEDGER_SQL],
    ...schemas.map((schema) => [schema.table, createTableSql(schema)] as const),
  ] as const;
  // The schema table (2.6) names the roots and comes before them, so its size depends on their numbers: a
  // guess that holds after a step or two.
  for (let firstRoot = 2; ; firstRoot++) {
    const writer = new PageWriter(databaseHeader());
    const rows = named.map(([name, sql], index) => ({
      rowid: index + 1,
      record: encodeRecord(['table', name, name, firstRoot + index, sql]),
    }));
    writer.table(1, rows);
    if (writer.pages + 1 > firstRoot) continue;
    named.forEach((_, index) => writer.table(rootAt(writer, firstRoot + index), []));
    const list = schemas.map(({ table, name, version }, index) => ({ rowid: index + 1, record: encodeRecord([table, name, version]) }));
    writer.table(firstRoot + 1, list);
    return { start: Buffer.from(writer.bytes()), firstRoot };
  }
}

function rootAt(writer: PageWriter, page: number): number {
  while (writer.pages < page) writer.add();
  return page;
}

function databaseHeader(): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  MAGIC.copy(page);
  page.writeUInt16BE(PAGE_BYTES, PAGE_SIZE);
  page.set(FILE_FORMAT_VALUES, FILE_FORMAT);
  page.writeUInt32BE(FIRST_SCHEMA, SCHEMA_COOKIE);
  page.writeUInt32BE(SCHEMA_FORMAT_4, SCHEMA_FORMAT);
  page.writeUInt32BE(UTF_8, TEXT_ENCODING);
  page.writeUInt32BE(IMAGE_VERSION, USER_VERSION);
  page.writeUInt32BE(APPLICATION_ID, APPLICATION);
  page.writeUInt32BE(APPLICATION_ID, WRITER);
  return page;
}

function createTableSql(schema: EntitySchema): string {
  const columns = schema.columns.map(
    (column) => `"${column.name}" ${SQL_TYPES[KEPT_AS[column.type]]}${column.nullable ? '' : ' NOT NULL'}`,
  );
  return `CREATE TABLE "${schema.table}"(${['id INTEGER PRIMARY KEY', ...columns].join(', ')}) STRICT`;
}

const SQL_TYPES = { number: 'INTEGER', text: 'TEXT', bytes: 'BLOB' } as const;

/** The counters of `gavel_shard`, in the order of its columns, between `id` and `instance`. */
const COUNTERS = ['version', 'cell', 'epoch', 'now', 'nextId', 'generation', 'seq', 'ledgerSeq', 'wakeAt'] as const;

function encodeHeader(header: ShardHeader, instance: string, isEdited: boolean): Buffer {
  const counters = COUNTERS.map((name) => header[name]);
  return encodeRecord([header.shard, ...counters, instance, isEdited ? 1 : 0, sealOf(header, instance)]);
}

/**
 * A checksum of the counters, also of those that look well whatever they are: a transaction number minted twice would be answered with
 * what became of the first. Only the next row id is left out: an edit that adds a row has to raise it.
 */
function sealOf(header: ShardHeader, instance: string): number {
  const sealed = COUNTERS.filter((name) => name !== 'nextId').map((name) => header[name]);
  return checksum([header.shard, ...sealed, instance].join(' '));
}

/** Header and origin from the columns of `gavel_shard`; the last ones are missing in version 1. Throws `ImageError` if they are not that. */
export function headerOf(values: readonly RawValue[]): { readonly header: ShardHeader; readonly origin: ImageOrigin } {
  const [shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt, instance, edited] = values;
  const counters = { version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt };
  if (typeof shard !== 'string' || !Object.values(counters).every(isCount) || (instance !== undefined && typeof instance !== 'string'))
    throw new ImageError('its image does not say what shard it is');
  return { header: { shard, ...counters } as ShardHeader, origin: { instance, isEdited: edited === 1 } };
}

/** Throws `ImageError` if the counters of an image were edited, from the columns of `gavel_shard`; version 1 has no seal on them. */
export function assertSealed(values: readonly RawValue[]): void {
  const { header, origin } = headerOf(values);
  if (origin.instance !== undefined && values[12] !== sealOf(header, origin.instance))
    throw new ImageError('its image has a row of gavel_shard that somebody has changed');
}

/** Whether a value can be a number of a header, or of a ledger line: whole and not negative. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** The values of a ledger line in the order of the columns of `gavel_ledger`, postings as JSON: `[[place, asset, amount, balance?], ...]`. */
function encodeEntry({ at, cause, tx, balance, postings }: LedgerEntry): Buffer {
  const tuples = postings.map(({ place, asset, amount, balance: after }) =>
    after === undefined ? [place, asset, amount] : [place, asset, amount, after],
  );
  return encodeRecord([null, at, cause, tx, balance, JSON.stringify(tuples)]);
}

function decodeEntry({ rowid, record }: BtreeCell): LedgerEntry {
  const [, at, cause, tx, balance, postings] = decodeRecord(record);
  return {
    seq: rowid,
    at: at as Instant,
    cause: String(cause),
    tx: tx as TransactionId | null,
    balance: balance as LedgerEntry['balance'],
    postings: postingsOf(postings ?? '[]'),
  };
}

/** The postings of a ledger line, from their text. */
export function postingsOf(text: RawValue): readonly Posting[] {
  const tuples = JSON.parse(String(text)) as readonly (readonly [Posting['place'], Posting['asset'], number, Posting['balance']?])[];
  return tuples.map(([place, asset, amount, balance]) =>
    balance === undefined ? { place, asset, amount } : { place, asset, amount, balance },
  );
}

/** The schema of a table. Throws `ImageError` for one that this program does not know. */
export function imageSchemaOf(schemas: Schemas, table: string): EntitySchema {
  const schema = schemas.get(table);
  if (schema === undefined)
    throw new ImageError(`its image has the table ${table}, which this program does not know: it is of a newer version`);
  return schema;
}
