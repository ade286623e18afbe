/**
 * Where the records are that are in no image yet, by shard. Owned by the thread that loads shards and writes images.
 *
 * An address is the number of bytes of all records before it, since the index was made: one safe integer for batch and offset in one.
 *
 * 1. The addresses of a shard ascend, and so do its versions.
 * 2. The index covers the batches from `first` of its oldest to `through`, without gaps.
 */
import type { ShardId } from '#shared/units.ts';
import type { Position } from './persister.ts';
import type { RecordSkimmer } from './skim-codec.ts';
import type { Batch } from './storage.ts';

/** A batch without its records. */
export interface BatchPlace {
  readonly first: Position;
  readonly last: Position;
  readonly address: number;
  readonly bytes: number;
}

/** See the head of this file. */
export class PendingIndex {
  readonly #skimmer: RecordSkimmer;
  readonly #addressesByShard = new Map<ShardId, number[]>();
  #batches: BatchPlace[] = [];
  #through: Position;
  #nextAddress = 0;

  /** `through` is the position after which batches will be added. */
  constructor(skimmer: RecordSkimmer, through: Position) {
    this.#skimmer = skimmer;
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

  /** The addresses of a shard's records, oldest first. */
  addresses(shard: ShardId): readonly number[] {
    return this.#addressesByShard.get(shard) ?? [];
  }

  /** Adds the next batch. */
  add({ first, last, records }: Batch): void {
    if (first !== this.#through + 1) throw new Error(`the journal goes on at ${first}, after ${this.#through}`);
    const address = this.#nextAddress;
    const bytes = Buffer.from(records.buffer, records.byteOffset, records.byteLength);
    for (let offset = 0; offset < bytes.length; offset = this.#skimmer.end) {
      this.#skimmer.key(bytes, offset);
      const addresses = this.#addressesByShard.get(this.#skimmer.shard);
      if (addresses === undefined) this.#addressesByShard.set(this.#skimmer.shard, [address + offset]);
      else addresses.push(address + offset);
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
  shardsBefore(address: number): readonly ShardId[] {
    const shards: ShardId[] = [];
    for (const [shard, addresses] of this.#addressesByShard) if ((addresses[0] ?? address) < address) shards.push(shard);
    return shards;
  }

  /** Forgets the oldest batches, up to that position. */
  trim(through: Position): void {
    const kept = this.#batches.findIndex(({ last }) => last > through);
    const count = kept === -1 ? this.#batches.length : kept;
    const floor = this.#batches[count]?.address ?? this.#nextAddress;
    this.#batches = this.#batches.slice(count);
    for (const [shard, addresses] of this.#addressesByShard) {
      const first = addresses.findIndex((address) => address >= floor);
      if (first === -1) this.#addressesByShard.delete(shard);
      else if (first > 0) addresses.splice(0, first);
    }
  }
}
