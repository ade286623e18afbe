/**
 * The record format of the journal: one change set, in bytes.
 *
 * A record is `length (u32 little-endian, of what follows) header puts removes ledger`. Whole numbers are
 * base-128 varints (signed ones zigzag), text is its UTF-8 length and bytes, a nullable column starts with
 * one byte 0 or 1, a place is its number in `PLACES`. A row names its table, entity and version in one, so that a record can be read for ever: with the
 * schema of that version, which stays in the code as long as an upgrader starts from it.
 */
import type { Instant, ShardId } from '#shared/units.ts';
import {
  PLACES,
  type Asset,
  type ChangeSet,
  type LedgerEntry,
  type Place,
  type Posting,
  type RawChangeSet,
  type RawPut,
  type RawValue,
  type Remove,
  type ShardHeader,
} from './change-set.ts';
import type { AnyRow, Column, EntitySchema } from './entity.ts';

/** The schemas of every entity version that records and images may contain, by table. */
export type Schemas = ReadonlyMap<string, EntitySchema>;

/** Bytes that are not a record of a known version. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** Appends records to a growing buffer. Owned by whoever collects the turns of one commit. */
export class RecordWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 64 * 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#length;
  }

  /** Hands out what was written, in a buffer of its own, and starts anew. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#length);
    bytes.set(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return bytes;
  }

  /** Appends one change set and returns the size of its record in bytes. On a throw, nothing of it is there. */
  changeSet(changes: ChangeSet): number {
    const start = this.#length;
    try {
      return this.#changeSet(changes);
    } catch (error) {
      this.#length = start;
      throw error;
    }
  }

  #changeSet(changes: ChangeSet): number {
    const start = this.#begin(changes);
    this.#count(changes.puts.length);
    for (const { entity, row } of changes.puts) {
      const { table, columns } = entity.schema;
      const values = entity.valuesOf(row);
      this.#text(table);
      this.#count(row.id);
      for (let index = 0; index < columns.length; index++) this.#value(columns[index], values[index]);
    }
    return this.#end(start, changes.removes, changes.ledger);
  }

  /** Appends a change set, or a whole image, that is already in the form in which it is kept. */
  raw(changes: RawChangeSet, schemas: Schemas): number {
    const start = this.#begin(changes);
    this.#count(changes.puts.length);
    for (const { table, id, values } of changes.puts) {
      this.#text(table);
      this.#count(id);
      schemaOf(schemas, table).columns.forEach((column, index) => this.#column(column, values[index] ?? null));
    }
    return this.#end(start, changes.removes, changes.ledger);
  }

  #begin(header: ShardHeader): number {
    const start = this.#length;
    this.#reserve(4);
    this.#length += 4;
    this.#text(header.shard);
    this.#count(header.version);
    this.#count(header.cell);
    this.#count(header.epoch);
    this.#count(header.now);
    this.#count(header.nextId);
    this.#count(header.generation);
    this.#count(header.seq);
    this.#count(header.ledgerSeq);
    this.#count(header.wakeAt);
    return start;
  }

  #end(start: number, removes: readonly Remove[], ledger: readonly LedgerEntry[]): number {
    this.#count(removes.length);
    for (const { table, id } of removes) {
      this.#text(table);
      this.#count(id);
    }
    this.#count(ledger.length);
    for (const entry of ledger) this.#ledgerEntry(entry);
    this.#buffer.writeUInt32LE(this.#length - start - 4, start);
    return this.#length - start;
  }

  #ledgerEntry(entry: LedgerEntry): void {
    this.#count(entry.seq);
    this.#count(entry.at);
    this.#text(entry.cause);
    this.#text(entry.tx ?? '');
    this.#count(entry.balance);
    this.#count(entry.postings.length);
    for (const posting of entry.postings) {
      this.#count(PLACES.indexOf(posting.place));
      this.#text(posting.asset);
      this.#signed(posting.amount);
    }
  }

  #column(column: Column, value: RawValue): void {
    if (column.nullable) {
      this.#count(value === null ? 0 : 1);
      if (value === null) return;
    }
    if (typeof value === 'number') this.#signed(value);
    else if (typeof value === 'string') this.#text(value);
    else if (value !== null) this.#bytes(value);
    else throw new CodecError(`column ${column.name} has no value`);
  }

  #value(column: Column | undefined, value: unknown): void {
    if (column === undefined) throw new CodecError('a row has more values than columns');
    this.#column(column, toRaw(column, value));
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  #signed(value: number): void {
    // Zigzag by arithmetic: 2^53 does not fit the 32 bits of the shift operators. The magnitude keeps its full 53 bits,
    // the sign goes first.
    if (value >= 0 && value < 0x4000_0000) this.#count(value * 2);
    else {
      this.#count(value < 0 ? 1 : 0x8000_0000);
      this.#count(Math.abs(value));
    }
  }

  #count(value: number): void {
    this.#reserve(8);
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= 0x8000_0000) {
      buffer[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      buffer[this.#length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[this.#length++] = rest;
  }

  #text(value: string): void {
    const { length } = value;
    this.#reserve(length * 3 + 8);
    if (length <= 48) {
      const buffer = this.#buffer;
      const start = this.#length + 1;
      let index = 0;
      for (; index < length; index++) {
        const code = value.charCodeAt(index);
        if (code > 127) break;
        buffer[start + index] = code;
      }
      if (index === length) {
        buffer[this.#length] = length;
        this.#length = start + length;
        return;
      }
    }
    this.#count(Buffer.byteLength(value));
    this.#length += this.#buffer.write(value, this.#length);
  }

  #bytes(value: Uint8Array): void {
    this.#count(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }
}

function toRaw(column: Column, value: unknown): RawValue {
  if (typeof value === 'number' || typeof value === 'string' || value === null || value instanceof Uint8Array) return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'object') return JSON.stringify(value);
  throw new CodecError(`column ${column.name} has no value`);
}

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
    const postings: Posting[] = this.#list(() => ({
      place: this.#place(),
      asset: this.#text() as Asset,
      amount: this.#signed(),
    }));
    return { seq, at, cause, tx: tx === '' ? null : tx, balance, postings };
  }

  #place(): Place {
    const place = PLACES[this.#count()];
    if (place === undefined) throw new CodecError('a posting names no place');
    return place;
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
    const bytes = Uint8Array.prototype.slice.call(this.#buffer, this.#offset, end);
    this.#offset = end;
    return bytes;
  }
}

function schemaOf(schemas: Schemas, table: string): EntitySchema {
  const schema = schemas.get(table);
  if (schema === undefined) throw new CodecError(`this program does not know the table ${table}: the data are of a newer version`);
  return schema;
}

/** A row object from its kept values, in the shape that the engine made it with. */
export function rowFromRaw(schema: EntitySchema, put: RawPut): AnyRow {
  const row: Record<string, unknown> & { id: number } = { id: put.id };
  schema.columns.forEach((column, index) => {
    row[column.name] = fromRaw(column, put.values[index] ?? null);
  });
  return row;
}

function fromRaw(column: Column, value: RawValue): unknown {
  if (value === null) return null;
  if (column.type === 'boolean') return value !== 0;
  if (column.type === 'json' && typeof value === 'string') return JSON.parse(value);
  return value;
}
