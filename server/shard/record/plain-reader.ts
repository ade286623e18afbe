/**
 * Reads records in the plainest way, as objects: the twin of `RecordCursor`. Tests hold
 * the cursor against it, and the simulator's model reads with it, so that a fault of the cursor is
 * seen there.
 */
import type { Epoch, Gold, Instant, RowId, ShardId, ShardVersion, TransactionId } from '#shared/units.ts';
import type { RawChangeSet, RawPut, RawValue, ShardHeader } from '../change-set.ts';
import type { LedgerEntry, Posting } from '../ledger.ts';
import { KEPT_AS, type ColumnSchema } from '../row.ts';
import { asBuffer, CodecError, hasBalance, LARGE_MARK, LENGTH_BYTES, placeOfNumber, schemaOf, type RecordFormat } from './format.ts';

/** Reads records one after the other. Throws `CodecError` on bytes that are none. */
export class PlainRecordReader {
  readonly #format: RecordFormat;
  readonly #buffer: Buffer;
  #offset: number;

  constructor(bytes: Uint8Array, format: RecordFormat, offset = 0) {
    this.#format = format;
    this.#buffer = asBuffer(bytes);
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

  /** The next record. */
  changeSet(): RawChangeSet {
    const end = this.#recordEnd();
    const header = this.#header();
    const puts = this.#list(() => this.#put());
    const removes = this.#list(() => ({ table: this.#text(), id: this.#count() as RowId }));
    const ledger = this.#list(() => this.#ledgerEntry());
    if (this.#offset !== end) throw new CodecError(`a record of ${header.shard} does not end where it says`);
    return { ...header, puts, removes, ledger };
  }

  #recordEnd(): number {
    if (this.#offset + LENGTH_BYTES > this.#buffer.length) throw new CodecError('a record is cut short');
    const length = this.#buffer.readUInt32LE(this.#offset);
    this.#offset += LENGTH_BYTES;
    if (this.#offset + length > this.#buffer.length) throw new CodecError('a record is cut short');
    return this.#offset + length;
  }

  #header(): ShardHeader {
    return {
      shard: this.#text() as ShardId,
      version: this.#count() as ShardVersion,
      cell: this.#count(),
      epoch: this.#count() as Epoch,
      now: this.#count() as Instant,
      nextId: this.#count() as RowId,
      generation: this.#count(),
      seq: this.#count(),
      ledgerSeq: this.#count(),
      wakeAt: this.#count() as Instant | 0,
    };
  }

  #put(): RawPut {
    const table = this.#text();
    const id = this.#count() as RowId;
    const values = schemaOf(this.#format.schemas, table).columns.map((column) => this.#column(column));
    return { table, id, values };
  }

  #column(column: ColumnSchema): RawValue {
    if (column.nullable && this.#count() === 0) return null;
    const kept = KEPT_AS[column.type];
    if (kept === 'number') return this.#signed();
    return kept === 'text' ? this.#text() : this.#bytes();
  }

  #ledgerEntry(): LedgerEntry {
    const seq = this.#count();
    const at = this.#count() as Instant;
    const cause = this.#text();
    const tx = this.#text();
    const balance = this.#count() as Gold;
    const postings = this.#list(() => this.#posting());
    return { seq, at, cause, tx: tx === '' ? null : (tx as TransactionId), balance, postings };
  }

  #posting(): Posting {
    const number = this.#count();
    const place = placeOfNumber(this.#format.places, number);
    const asset = this.#text();
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
    if (first === LARGE_MARK) return this.#count();
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
    return this.#taken().toString();
  }

  #bytes(): Uint8Array {
    // A copy, and no `Buffer`: a row must not show how it came to be.
    return new Uint8Array(this.#taken());
  }

  /** As many bytes as the count before them says. */
  #taken(): Buffer {
    const length = this.#count();
    const start = this.#offset;
    if (start + length > this.#buffer.length) throw new CodecError('a value is cut short');
    this.#offset = start + length;
    return this.#buffer.subarray(start, this.#offset);
  }
}
