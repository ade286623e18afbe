/**
 * The record format of the journal: one change set, in bytes.
 *
 * A record is `length (u32 little-endian, of what follows) header puts removes ledger`. Whole numbers are
 * base-128 varints (those that may be negative are marked as `RecordWriter.signed` says), text is its UTF-8 length and bytes, a nullable column starts with
 * one byte 0 or 1, a place is its number in `PLACES`, with `BALANCE_FOLLOWS` added if the posting tells a balance. A row names its table,
 * entity and version in one, so that a record can be read for ever: with the schema of that version, which stays in the code as long as
 * an upgrader starts from it.
 */
import type { Gold, Instant, ShardId } from '#shared/units.ts';
import {
  PLACES,
  type Asset,
  type LedgerEntry,
  type Place,
  type Posting,
  type RawChangeSet,
  type RawPut,
  type RawValue,
  type ShardHeader,
} from '../change-set.ts';
import type { AnyRow, Column, EntitySchema } from '../entity.ts';
import { Json } from '../json.ts';

/** The schemas of every entity version that records and images may contain, by table. */
export type Schemas = ReadonlyMap<string, EntitySchema>;

/** Bytes that are not a record of a known version. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** The bit of a place's number that says that a balance follows the posting's amount. Lines without balances are as they always were. */
export const BALANCE_FOLLOWS = 16;

/** Reads records one after the other. Throws `CodecError` on bytes that are none. */
export class RecordReader {
  readonly #buffer: Buffer;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  /** Where the next record starts. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether all records have been read. */
  get done(): boolean {
    return this.#offset >= this.#buffer.length;
  }

  /** The header of the next record, skipping the rest of it. */
  header(): ShardHeader {
    const end = this.#recordEnd();
    const header = this.#header();
    this.#offset = end;
    return header;
  }

  /** Shard and version of the next record, skipping the rest of it: the little that an index of records needs. */
  key(): { readonly shard: ShardId; readonly version: number } {
    const end = this.#recordEnd();
    const shard = this.#text() as ShardId;
    const version = this.#count();
    this.#offset = end;
    return { shard, version };
  }

  /** The next record, whole. */
  changeSet(schemas: Schemas): RawChangeSet {
    const end = this.#recordEnd();
    const header = this.#header();
    const puts = this.#list(() => this.#put(schemas));
    const removes = this.#list(() => ({ table: this.#text(), id: this.#count() }));
    const ledger = this.#list(() => this.#ledgerEntry());
    if (this.#offset !== end) throw new CodecError(`a record of ${header.shard} does not end where it says`);
    return { ...header, puts, removes, ledger };
  }

  #recordEnd(): number {
    if (this.#offset + 4 > this.#buffer.length) throw new CodecError('a record is cut short');
    const length = this.#buffer.readUInt32LE(this.#offset);
    this.#offset += 4;
    if (this.#offset + length > this.#buffer.length) throw new CodecError('a record is cut short');
    return this.#offset + length;
  }

  #header(): ShardHeader {
    return {
      shard: this.#text() as ShardId,
      version: this.#count(),
      cell: this.#count(),
      epoch: this.#count(),
      now: this.#count() as Instant,
      nextId: this.#count(),
      generation: this.#count(),
      seq: this.#count(),
      ledgerSeq: this.#count(),
      wakeAt: this.#count() as Instant | 0,
    };
  }

  #put(schemas: Schemas): RawPut {
    const table = this.#text();
    const id = this.#count();
    const values = schemaOf(schemas, table).columns.map((column) => this.#column(column));
    return { table, id, values };
  }

  #column(column: Column): RawValue {
    if (column.nullable && this.#count() === 0) return null;
    switch (column.type) {
      case 'text':
      case 'enum':
      case 'json':
        return this.#text();
      case 'bytes':
        return this.#bytes();
      case 'integer':
      case 'gold':
      case 'boolean':
      case 'timestamp':
      case 'reference':
        return this.#signed();
    }
  }

  #ledgerEntry(): LedgerEntry {
    const seq = this.#count();
    const at = this.#count() as Instant;
    const cause = this.#text();
    const tx = this.#text();
    const balance = this.#count() as LedgerEntry['balance'];
    const postings = this.#list(() => this.#posting());
    return { seq, at, cause, tx: tx === '' ? null : tx, balance, postings };
  }

  #posting(): Posting {
    const number = this.#count();
    const place = placeOf(number);
    const asset = this.#text() as Asset;
    const amount = this.#signed();
    return hasBalance(number) ? { place, asset, amount, balance: this.#count() as Gold } : { place, asset, amount };
  }

  #list<T>(read: () => T): T[] {
    const count = this.#count();
    if (count > this.#buffer.length) throw new CodecError('a list is longer than its record');
    const list: T[] = [];
    for (let index = 0; index < count; index++) list.push(read());
    return list;
  }

  #signed(): number {
    const first = this.#count();
    if (first === 0x8000_0000) return this.#count();
    return first % 2 === 1 ? -this.#count() : first / 2;
  }

  #count(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#buffer[this.#offset++];
      if (byte === undefined || scale > 2 ** 49) throw new CodecError('a number is cut short or too long');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  #text(): string {
    const length = this.#count();
    const end = this.#offset + length;
    if (end > this.#buffer.length) throw new CodecError('a text is cut short');
    const text = this.#buffer.toString('utf8', this.#offset, end);
    this.#offset = end;
    return text;
  }

  #bytes(): Uint8Array {
    const length = this.#count();
    const end = this.#offset + length;
    if (end > this.#buffer.length) throw new CodecError('bytes are cut short');
    // A copy, and no `Buffer`: a row must not show how it came to be.
    const bytes = new Uint8Array(this.#buffer.subarray(this.#offset, end));
    this.#offset = end;
    return bytes;
  }
}

/** The place that a posting's number names. */
export function placeOf(number: number): Place {
  const place = PLACES[placeNumberOf(number)];
  if (place === undefined) throw new CodecError('a posting names no place');
  return place;
}

/** A posting's number without what it says of a balance: that of its place in `PLACES`. */
export function placeNumberOf(number: number): number {
  return hasBalance(number) ? number - BALANCE_FOLLOWS : number;
}

/** Whether a posting's number says that a balance follows its amount. */
export function hasBalance(number: number): boolean {
  return (number & BALANCE_FOLLOWS) !== 0;
}

/** The schema of a table; throws `CodecError` for one that this program does not know. */
export function schemaOf(schemas: Schemas, table: string): EntitySchema {
  const schema = schemas.get(table);
  if (schema === undefined) throw new CodecError(`this program does not know the table ${table}: the data are of a newer version`);
  return schema;
}

/** A row object from its kept values, by the schema alone: of whatever version. A shard reads its present ones by compiled functions. */
export function rowFromRaw(schema: EntitySchema, put: RawPut): AnyRow {
  const row: Record<string, unknown> = {};
  schema.columns.forEach((column, index) => {
    row[column.name] = fromRaw(column, put.values[index] ?? null);
  });
  return { ...row, id: put.id };
}

function fromRaw(column: Column, value: RawValue): unknown {
  if (value === null) return null;
  if (column.type === 'boolean') return value !== 0;
  if (column.type === 'json' && typeof value === 'string') return Json.written(value);
  return value;
}
