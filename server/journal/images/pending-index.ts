/**
 * Where the records are that are in no image yet, by shard. Owned by the thread that loads shards
 * and writes images.
 *
 * An address is the number of bytes of all records before it, since the index was made: one safe
 * integer for batch and offset in one. Each record knows the one before it of the same shard, so
 * that millions of records cost two numbers each and no object.
 *
 * 1. The addresses of a shard ascend, and so do its versions.
 * 2. The index covers the batches from the oldest that it has to `through`, without gaps.
 */
import type { Position, ShardId } from '#shared/units.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import type { RecordCursor } from '#server/shard/record/cursor.ts';
import { JournalError, type Batch } from '../disk/storage.ts';

/** A batch without its records. */
export interface BatchPlace {
  readonly first: Position;
  readonly last: Position;
  readonly address: number;
  readonly bytes: number;
}

/**
 * Records are numbered from 0 in the order of the journal, and kept in pages that are dropped
 * whole.
 */
interface Page {
  readonly addresses: Float64Array;
  /** The number of the record before this one of the same shard, or -1. */
  readonly previous: Float64Array;
}

const PAGE_RECORDS = 1 << 16;

/** The addresses of pending records, by shard. */
export class PendingIndex {
  readonly #cursor: RecordCursor;
  readonly #newestByShard = new Map<ShardId, { record: number }>();
  readonly #pages = new Map<number, Page>();
  #batches: BatchPlace[] = [];
  #through: Position;
  #nextAddress = 0;
  #nextRecord = 0;
  #floorAddress = 0;

  /** `through` is the position after which batches will be added. */
  constructor(cursor: RecordCursor, through: Position) {
    this.#cursor = cursor;
    this.#through = through;
  }

  /** All batches up to here have been added. */
  get through(): Position {
    return this.#through;
  }

  /** The batches that are in the index, oldest first. */
  get batches(): readonly BatchPlace[] {
    return this.#batches;
  }

  /** The addresses of a shard's records, oldest first, those before `end` only. */
  addresses(shard: ShardId, end = Number.POSITIVE_INFINITY): readonly number[] {
    const addresses: number[] = [];
    let record = this.#newestByShard.get(shard)?.record ?? -1;
    while (record >= 0) {
      const page = this.#pages.get(Math.floor(record / PAGE_RECORDS));
      const address = page?.addresses[record % PAGE_RECORDS] ?? -1;
      if (page === undefined || address < this.#floorAddress) break;
      if (address < end) addresses.push(address);
      record = page.previous[record % PAGE_RECORDS] ?? -1;
    }
    return addresses.reverse();
  }

  /** Adds the next batch. */
  add({ first, last, records }: Batch): void {
    if (first !== this.#through + 1) throw JournalError.of(`it goes on with turn ${first}, after ${this.#through}`);
    const address = this.#nextAddress;
    const bytes = asBuffer(records);
    const cursor = this.#cursor;
    for (let offset = 0; offset < bytes.length; offset = cursor.end) {
      cursor.key(bytes, offset);
      this.#addRecord(cursor.shard, address + offset);
    }
    this.#batches.push({ first, last, address, bytes: bytes.length });
    this.#nextAddress += bytes.length;
    this.#through = last;
  }

  /** The batch that an address is in. */
  batchAt(address: number): BatchPlace {
    let low = 0;
    let high = this.#batches.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#batches[middle]?.address ?? Number.POSITIVE_INFINITY) <= address) low = middle;
      else high = middle - 1;
    }
    const batch = this.#batches[low];
    if (batch === undefined || address < batch.address || address >= batch.address + batch.bytes) {
      throw new Error(`no batch holds the address ${address}`);
    }
    return batch;
  }

  /** Shards that have a record before that address. */
  shardsBefore(end: number): readonly ShardId[] {
    return [...this.#newestByShard.keys()].filter((shard) => this.addresses(shard, end).length > 0);
  }

  /** Forgets the oldest batches, up to that position. */
  trim(through: Position): void {
    const kept = this.#batches.findIndex(({ last }) => last > through);
    const count = kept === -1 ? this.#batches.length : kept;
    this.#floorAddress = this.#batches[count]?.address ?? this.#nextAddress;
    this.#batches = this.#batches.slice(count);
    for (const [shard, { record }] of this.#newestByShard)
      if (this.#addressOf(record) < this.#floorAddress) this.#newestByShard.delete(shard);
    for (const [number, { addresses }] of this.#pages) {
      const isPast = (number + 1) * PAGE_RECORDS <= this.#nextRecord && (addresses[PAGE_RECORDS - 1] ?? 0) < this.#floorAddress;
      if (isPast) this.#pages.delete(number);
    }
  }

  #addRecord(shard: ShardId, address: number): void {
    const record = this.#nextRecord++;
    const slot = record % PAGE_RECORDS;
    const number = (record - slot) / PAGE_RECORDS;
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = { addresses: new Float64Array(PAGE_RECORDS), previous: new Float64Array(PAGE_RECORDS) };
      this.#pages.set(number, page);
    }
    const newest = this.#newestByShard.get(shard);
    page.addresses[slot] = address;
    page.previous[slot] = newest?.record ?? -1;
    if (newest === undefined) this.#newestByShard.set(shard, { record });
    else newest.record = record;
  }

  #addressOf(record: number): number {
    return this.#pages.get(Math.floor(record / PAGE_RECORDS))?.addresses[record % PAGE_RECORDS] ?? 0;
  }
}
