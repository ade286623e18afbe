/**
 * Reads records (`format.ts`) without making objects of them: a fold or an image pass sees millions
 * of rows and needs few of them. `plain-reader.ts` is its twin.
 */
import { FIRST_EPOCH } from '#shared/cell.ts';
import {
  type Epoch,
  FIRST_ROW_ID,
  type Gold,
  type Instant,
  NO_VERSION,
  type RowId,
  type ShardId,
  type ShardVersion,
  type TransactionId,
} from '#shared/units.ts';
import type { RawChangeSet, RawPut, RawValue, ShardHeader } from '../change-set.ts';
import { SINGLE_THING_PREFIX, SINGLE_THINGS, type LedgerEntry, type Posting } from '../ledger.ts';
import { KEPT_AS, type EntitySchema } from '../row.ts';
import {
  CodecError,
  hasBalance,
  LARGE_MARK,
  LENGTH_BYTES,
  placeNumberOf,
  placeOfNumber,
  unknownTable,
  type RecordFormat,
} from './format.ts';

const POOL_SLOTS = 1 << 14;

/** Words that come again and again (tables, places, shards), found by their bytes. A new word takes the slot of an old one. */
class TextPool {
  readonly #texts: string[] = Array<string>(POOL_SLOTS).fill('');

  /** The text of these bytes, which must be UTF-8. */
  text(bytes: Buffer, start: number, end: number): string {
    if (end - start > 48) return bytes.toString('utf8', start, end);
    let hash = 0;
    for (let index = start; index < end; index++) hash = (Math.imul(hash, 31) + (bytes[index] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 15)) & (POOL_SLOTS - 1);
    const pooled = this.#texts[slot] ?? '';
    if (isText(pooled, bytes, start, end)) return pooled;
    const text = bytes.toString('utf8', start, end);
    this.#texts[slot] = text;
    return text;
  }
}

function isText(text: string, bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index] ?? 0;
    // Beyond ASCII a character is several bytes, and lengths do not compare.
    if (byte > 127 || text.charCodeAt(index) !== byte) return false;
  }
  return true;
}

/** The same as `readUInt32LE`, whose checks cost more than the rest of a key. */
function length32(bytes: Buffer, offset: number): number {
  const high = (bytes[offset + 3] ?? 0) * 2 ** 24;
  return high + (((bytes[offset + 2] ?? 0) << 16) | ((bytes[offset + 1] ?? 0) << 8) | (bytes[offset] ?? 0));
}

interface TablePlan {
  readonly schema: EntitySchema;
  readonly isNullable: readonly boolean[];
  readonly isCounted: readonly boolean[];
}

/**
 * A cursor over the parts of one record after the other. `open` first; then all puts, all removes, all ledger entries, in this
 * order: each `next...` moves on and says whether there was one. Throws `CodecError` on bytes that are no record.
 */
export class RecordCursor {
  shard: ShardId = '' as ShardId;
  version = NO_VERSION;
  cell = 0;
  epoch: Epoch = FIRST_EPOCH;
  nextId = FIRST_ROW_ID;
  wakeAt: Instant | 0 = 0;
  ledgerSeq = 0;
  /** Where the record ends, and the next one starts. */
  end = 0;

  /** The put or remove under the cursor. */
  table = '';
  id = FIRST_ROW_ID;
  /** The bytes of the put under the cursor: from its table's name to its last column, and where its columns start. */
  putStart = 0;
  columnsStart = 0;
  putEnd = 0;

  /** The ledger entry under the cursor: its number, its bytes, and those of its transaction. */
  entrySeq = 0;
  entryStart = 0;
  transactionStart = 0;
  transactionEnd = 0;

  /** The posting under the cursor. */
  placeNumber = 0;
  assetStart = 0;
  assetEnd = 0;
  amount = 0;

  readonly #format: RecordFormat;
  readonly #planByTable: ReadonlyMap<string, TablePlan>;
  readonly #pool = new TextPool();
  #bytes: Buffer = Buffer.alloc(0);
  #offset = 0;
  #left = 0;
  #section: 'header' | 'puts' | 'removes' | 'ledger' = 'header';
  #postings = 0;

  constructor(format: RecordFormat) {
    this.#format = format;
    this.#planByTable = new Map(
      [...format.schemas].map(([table, schema]) => [
        table,
        {
          schema,
          isNullable: schema.columns.map(({ nullable }) => nullable),
          isCounted: schema.columns.map(({ type }) => KEPT_AS[type] !== 'number'),
        },
      ]),
    );
  }

  /** Where the cursor is. */
  get offset(): number {
    return this.#offset;
  }

  /** Moves to the record at that offset and reads shard and version, no more: enough for an index of records. */
  key(bytes: Buffer, offset: number): void {
    if (offset + LENGTH_BYTES > bytes.length) throw new CodecError('a record is cut short');
    this.#bytes = bytes;
    this.#offset = offset + LENGTH_BYTES;
    this.end = this.#offset + length32(bytes, offset);
    if (this.end > bytes.length) throw new CodecError('a record is cut short');
    this.shard = this.#word() as ShardId;
    this.version = this.#count() as ShardVersion;
    this.#section = 'header';
  }

  /** Moves to the record at that offset and reads what a fold needs of its header. */
  open(bytes: Buffer, offset: number): void {
    this.key(bytes, offset);
    this.cell = this.#count();
    this.epoch = this.#count() as Epoch;
    this.#count();
    this.nextId = this.#count() as RowId;
    for (let field = 0; field < 2; field++) this.#count();
    this.ledgerSeq = this.#count();
    this.wakeAt = this.#count() as Instant | 0;
    this.#section = 'puts';
    this.#postings = 0;
    this.#left = this.#count();
  }

  /** The whole header of the record that the cursor was moved to by `key`. */
  header(): ShardHeader {
    const { shard, version } = this;
    const cell = this.#count();
    const epoch = this.#count() as Epoch;
    const now = this.#count() as Instant;
    const nextId = this.#count() as RowId;
    const generation = this.#count();
    const seq = this.#count();
    const ledgerSeq = this.#count();
    return { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt: this.#count() as Instant | 0 };
  }

  /** Moves to the next put. */
  nextPut(): boolean {
    if (this.#section !== 'puts') return false;
    if (this.#left === 0) {
      this.#section = 'removes';
      this.#left = this.#count();
      return false;
    }
    this.#left--;
    this.putStart = this.#offset;
    this.table = this.#word();
    this.id = this.#count() as RowId;
    this.columnsStart = this.#offset;
    this.#skipColumns(this.#planOf(this.table));
    this.putEnd = this.#offset;
    return true;
  }

  /** Moves to the next remove. */
  nextRemove(): boolean {
    if (this.#section !== 'removes') return false;
    if (this.#left === 0) {
      this.#section = 'ledger';
      this.#left = this.#count();
      return false;
    }
    this.#left--;
    this.table = this.#word();
    this.id = this.#count() as RowId;
    return true;
  }

  /** Moves to the next ledger entry. */
  nextEntry(): boolean {
    while (this.#postings > 0) this.nextPosting();
    if (this.#left === 0) {
      if (this.#offset !== this.end) throw new CodecError(`a record of ${this.shard} does not end where it says`);
      return false;
    }
    this.#left--;
    this.entryStart = this.#offset;
    this.entrySeq = this.#count();
    this.#count();
    this.#skipText();
    const length = this.#count();
    this.transactionStart = this.#offset;
    this.transactionEnd = this.#offset + length;
    this.#offset = this.transactionEnd;
    this.#count();
    this.#postings = this.#count();
    return true;
  }

  /** Moves to the next posting of the ledger entry. */
  nextPosting(): boolean {
    if (this.#postings === 0) return false;
    this.#postings--;
    const number = this.#count();
    this.placeNumber = placeNumberOf(number);
    const length = this.#count();
    this.assetStart = this.#offset;
    this.assetEnd = this.#offset + length;
    this.#offset = this.assetEnd;
    this.amount = this.#signed();
    if (hasBalance(number)) this.#count();
    return true;
  }

  /** The asset of the posting under the cursor, as running totals count it: see `ledger.ts`. */
  assetClass(): string {
    const start = this.assetStart;
    // Single things have names of their own: they would only push other words out of the pool.
    if (isText(SINGLE_THING_PREFIX, this.#bytes, start, Math.min(start + SINGLE_THING_PREFIX.length, this.assetEnd))) return SINGLE_THINGS;
    return this.#pool.text(this.#bytes, start, this.assetEnd);
  }

  /** The values of a put, from where its columns start. */
  columns(bytes: Buffer, table: string, columnsStart: number): RawValue[] {
    const { schema, isNullable, isCounted } = this.#planOf(table);
    this.#bytes = bytes;
    this.#offset = columnsStart;
    return schema.columns.map((column, index) => {
      if (isNullable[index] === true && this.#count() === 0) return null;
      if (isCounted[index] !== true) return this.#signed();
      const length = this.#count();
      const start = this.#offset;
      this.#offset += length;
      if (this.#offset > bytes.length) throw new CodecError('a value is cut short');
      return column.type === 'bytes' ? new Uint8Array(bytes.subarray(start, this.#offset)) : bytes.toString('utf8', start, this.#offset);
    });
  }

  /** A put, whole, from where it starts: table, id and values. */
  put(bytes: Buffer, putStart: number): RawPut {
    this.#bytes = bytes;
    this.#offset = putStart;
    const table = this.#word();
    const id = this.#count() as RowId;
    return { table, id, values: this.columns(bytes, table, this.#offset) };
  }

  /** A ledger entry, whole, from where it starts. The cursor is after it then. */
  entry(bytes: Buffer, entryStart: number): LedgerEntry {
    this.#bytes = bytes;
    this.#offset = entryStart;
    const seq = this.#count();
    const at = this.#count() as Instant;
    const cause = this.#word();
    const tx = this.#word();
    const balance = this.#count() as Gold;
    const postings: Posting[] = [];
    for (let left = this.#count(); left > 0; left--) postings.push(this.#posting());
    return { seq, at, cause, tx: tx === '' ? null : (tx as TransactionId), balance, postings };
  }

  /** A whole record, as objects. The cursor is at its end then. */
  changeSet(bytes: Buffer, offset: number): RawChangeSet {
    this.key(bytes, offset);
    const header = this.header();
    const puts = this.#list(() => this.put(bytes, this.#offset));
    const removes = this.#list(() => ({ table: this.#word(), id: this.#count() as RowId }));
    const ledger = this.#list(() => this.entry(bytes, this.#offset));
    if (this.#offset !== this.end) throw new CodecError(`a record of ${header.shard} does not end where it says`);
    return { ...header, puts, removes, ledger };
  }

  #list<T>(read: () => T): T[] {
    const count = this.#count();
    if (count > this.#bytes.length) throw new CodecError('a list is longer than its record');
    return Array.from({ length: count }, read);
  }

  #planOf(table: string): TablePlan {
    const plan = this.#planByTable.get(table);
    if (plan === undefined) throw unknownTable(table);
    return plan;
  }

  #skipColumns({ isNullable, isCounted }: TablePlan): void {
    const count = isCounted.length;
    for (let index = 0; index < count; index++) {
      if (isNullable[index] === true && this.#count() === 0) continue;
      if (isCounted[index] === true) this.#skipText();
      else this.#skipSigned();
    }
    if (this.#offset > this.end) throw new CodecError('a row is cut short');
  }

  #skipText(): void {
    const length = this.#count();
    this.#offset += length;
  }

  #skipSigned(): void {
    const first = this.#count();
    if (first % 2 === 1 || first === LARGE_MARK) this.#count();
  }

  #signed(): number {
    const first = this.#count();
    if (first === LARGE_MARK) return this.#count();
    return first % 2 === 1 ? -this.#count() : first / 2;
  }

  #count(): number {
    const first = this.#bytes[this.#offset];
    if (first !== undefined && first < 128) {
      this.#offset++;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#offset++];
      if (byte === undefined || scale > 2 ** 49) throw new CodecError('a number is cut short or too long');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  #posting(): Posting {
    const number = this.#count();
    const place = placeOfNumber(this.#format.places, number);
    const asset = this.#word();
    const amount = this.#signed();
    return hasBalance(number) ? { place, asset, amount, balance: this.#count() as Gold } : { place, asset, amount };
  }

  #word(): string {
    const length = this.#count();
    const start = this.#offset;
    this.#offset = start + length;
    if (this.#offset > this.#bytes.length) throw new CodecError('a text is cut short');
    return this.#pool.text(this.#bytes, start, this.#offset);
  }
}
