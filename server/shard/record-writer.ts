/** Writes records in the format of `codec.ts`. The one stateful part: the buffer in which the turns of one commit are collected. */
import { PLACES, type ChangeSet, type LedgerEntry, type RawChangeSet, type RawValue, type Remove, type ShardHeader } from './change-set.ts';
import { CodecError, schemaOf, type Schemas } from './codec.ts';
import type { Column } from './entity.ts';

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
