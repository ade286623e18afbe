/** Writes records (`format.ts`). The one stateful part: the buffer in which the turns of one commit are collected. */
import type { ChangeSet, RawChangeSet, RawValue, Remove } from '../change-set.ts';
import type { ValueWriter } from '../entity-compiler.ts';
import type { LedgerEntry } from '../ledger.ts';
import type { ColumnSchema } from '../row.ts';
import {
  BALANCE_FOLLOWS,
  CodecError,
  DOUBLED_MAX,
  LARGE_MARK,
  LENGTH_BYTES,
  NEGATIVE_MARK,
  schemaOf,
  type RecordFormat,
} from './format.ts';

/** Appends records to a growing buffer. Owned by the one that collects the turns of a commit. */
export class RecordWriter implements ValueWriter {
  #buffer: Buffer;
  #capacity: number;
  #length = 0;
  readonly #format: RecordFormat;
  readonly #numberByPlace: ReadonlyMap<string, number>;

  constructor(format: RecordFormat, initialBytes = 64 * 1024) {
    this.#format = format;
    this.#numberByPlace = new Map(format.places.map((place, number) => [place, number]));
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
    this.#capacity = initialBytes;
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
      this.#begin(changes);
      this.count(changes.puts.length);
      for (const { entity, row } of changes.puts) {
        this.text(entity.schema.table);
        this.count(row.id);
        entity.rowFunctions.write(row, this);
      }
      return this.#end(start, changes.removes, changes.ledger);
    } catch (error) {
      this.#length = start;
      throw error;
    }
  }

  /** Appends a change set, or a whole image, that is already in the form in which it is kept. */
  raw(changes: RawChangeSet): number {
    const start = this.#length;
    this.#begin(changes);
    this.count(changes.puts.length);
    for (const { table, id, values } of changes.puts) {
      this.text(table);
      this.count(id);
      schemaOf(this.#format.schemas, table).columns.forEach((column, index) => this.#kept(column, values[index] ?? null));
    }
    return this.#end(start, changes.removes, changes.ledger);
  }

  /** A whole number from 0, as a varint. */
  count(value: number): void {
    if (this.#length + VARINT_BYTES_MAX > this.#capacity) this.#grow(VARINT_BYTES_MAX);
    this.#length = putCount(this.#buffer, this.#length, value);
  }

  /** A whole number that may be below zero. */
  signed(value: number): void {
    if (value >= 0 && value < DOUBLED_MAX && value !== LARGE_MARK / 2) return this.count(value * 2);
    this.count(value < 0 ? NEGATIVE_MARK : LARGE_MARK);
    this.count(Math.abs(value));
  }

  /** A text: its length in UTF-8, and its bytes. */
  text(value: string): void {
    const { length } = value;
    const bytesMax = length * 3 + VARINT_BYTES_MAX;
    if (this.#length + bytesMax > this.#capacity) this.#grow(bytesMax);
    // Optimistic: assume ASCII, write `length` as the byte count, and rewrite the prefix if UTF-8 needed
    // more bytes.
    const start = this.#length;
    const guessed = putCount(this.#buffer, start, length);
    const bytes = this.#buffer.write(value, guessed);
    if (bytes === length) {
      this.#length = guessed + bytes;
      return;
    }
    const end = putCount(this.#buffer, start, bytes);
    this.#length = end + (end === guessed ? bytes : this.#buffer.write(value, end));
  }

  /** Bytes: how many, and they themselves. */
  bytes(value: Uint8Array): void {
    this.count(value.length);
    if (this.#length + value.length > this.#capacity) this.#grow(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  #begin(header: Omit<ChangeSet, 'puts' | 'removes' | 'ledger'>): void {
    this.#grow(LENGTH_BYTES);
    this.#length += LENGTH_BYTES;
    this.text(header.shard);
    this.count(header.version);
    this.count(header.cell);
    this.count(header.epoch);
    this.count(header.now);
    this.count(header.nextId);
    this.count(header.generation);
    this.count(header.seq);
    this.count(header.ledgerSeq);
    this.count(header.wakeAt);
  }

  #end(start: number, removes: readonly Remove[], ledger: readonly LedgerEntry[]): number {
    this.count(removes.length);
    for (const { table, id } of removes) {
      this.text(table);
      this.count(id);
    }
    this.count(ledger.length);
    for (const entry of ledger) this.#ledgerEntry(entry);
    this.#buffer.writeUInt32LE(this.#length - start - LENGTH_BYTES, start);
    return this.#length - start;
  }

  #ledgerEntry(entry: LedgerEntry): void {
    this.count(entry.seq);
    this.count(entry.at);
    this.text(entry.cause);
    this.text(entry.tx ?? '');
    this.count(entry.balance);
    this.count(entry.postings.length);
    for (const { place, asset, amount, balance } of entry.postings) {
      const number = this.#numberByPlace.get(place);
      if (number === undefined) throw new CodecError(`a posting names ${place}, which is no place`);
      this.count(balance === undefined ? number : number + BALANCE_FOLLOWS);
      this.text(asset);
      this.signed(amount);
      if (balance !== undefined) this.count(balance);
    }
  }

  #kept({ name, nullable }: ColumnSchema, value: RawValue): void {
    if (nullable) this.count(value === null ? 0 : 1);
    if (typeof value === 'number') this.signed(value);
    else if (typeof value === 'string') this.text(value);
    else if (value !== null) this.bytes(value);
    else if (!nullable) throw new CodecError(`column ${name} has no value`);
  }

  /** Makes room for that many more bytes. */
  #grow(bytes: number): void {
    if (this.#length + bytes <= this.#capacity) return;
    this.#capacity = Math.max(this.#capacity * 2, this.#length + bytes);
    const larger = Buffer.allocUnsafeSlow(this.#capacity);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

const VARINT_BYTES_MAX = 8;

/** Writes a varint at that offset, where there must be room for it, and returns where it ends. */
function putCount(buffer: Buffer, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  // Four digits of seven bits at once: what is left then fits the 32 bits of the shift operators.
  if (rest >= FOUR_DIGITS) {
    const high = Math.floor(rest / FOUR_DIGITS);
    const low = rest - high * FOUR_DIGITS;
    buffer[at] = (low & 127) | 128;
    buffer[at + 1] = ((low >>> 7) & 127) | 128;
    buffer[at + 2] = ((low >>> 14) & 127) | 128;
    buffer[at + 3] = (low >>> 21) | 128;
    at += 4;
    rest = high;
  }
  while (rest > 127) {
    buffer[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  buffer[at++] = rest;
  return at;
}

const FOUR_DIGITS = 2 ** 28;
