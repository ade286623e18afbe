/**
 * The records that may not be in the image of their shard yet: those of the journal, found by an
 * index, and those set aside. Owned by the thread that loads shards and writes images.
 *
 * 1. What is set aside of a shard is older than what the journal has of it, or the same.
 * 2. A batch leaves the index only by `drop`, when every shard in it has a durable image or its
 *    records are set aside.
 */
import { limits } from '#shared/limits.ts';
import { NO_POSITION, type Position, position, type ShardId, type ShardVersion } from '#shared/units.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import { asBuffer, type RecordFormat } from '#server/shard/record/format.ts';
import { BatchCache } from './batch-cache.ts';
import type { RecordPlace } from './merge.ts';
import { PendingIndex, type BatchPlace } from './pending-index.ts';
import type { CellEpochs } from '../disk/cell-epochs.ts';
import { JournalError, type JournalReader } from '../disk/storage.ts';

/** Read at once: a few milliseconds, which is what a load may have to wait. */
const READ_BYTES = 1024 * 1024;
/** Batches kept in memory for loads of shards that were just written to. */
const CACHE_BYTES = 64 * 1024 * 1024;

/** What the journal has of shards beyond their images. */
export class ShardRecords {
  readonly journal: JournalReader;
  readonly cursor: RecordCursor;
  /** The present epochs of cells: an image of another one is not the shard's. */
  readonly epochs: CellEpochs;
  readonly #index: PendingIndex;
  readonly #cache = new BatchCache(CACHE_BYTES);
  /**
   * What the pass under way has read, by the first position of each batch: loads use it as well.
   */
  readonly #bufferByFirst = new Map<Position, Buffer>();
  #setAsideBytesByShard: ReadonlyMap<ShardId, number>;

  /** `dropped` is where the journal begins. */
  constructor(journal: JournalReader, format: RecordFormat, dropped: Position, epochs: CellEpochs) {
    this.epochs = epochs;
    this.journal = journal;
    this.cursor = new RecordCursor(format);
    this.#index = new PendingIndex(new RecordCursor(format), dropped);
    this.#setAsideBytesByShard = journal.setAsideBytesByShard();
  }

  /** The bytes of all records that are set aside. */
  get setAsideBytes(): number {
    return this.#setAsideBytesByShard.values().reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Takes what is durable up to that position into the index. */
  catchUp(durable: Position): void {
    while (this.#index.through < durable) {
      const batches = this.journal.read(this.#index.through, READ_BYTES);
      if (batches.length === 0) throw JournalError.of(`it ends with turn ${this.#index.through}, before ${durable}`);
      for (const batch of batches) {
        this.#index.add(batch);
        this.#cache.add(batch);
      }
    }
  }

  /** All shards that have a record. */
  shards(): Iterable<ShardId> {
    return new Set([...this.shardsBefore(Number.POSITIVE_INFINITY), ...this.#setAsideBytesByShard.keys()]);
  }

  /** The shards that have a record in the journal before that address. */
  shardsBefore(end: number): readonly ShardId[] {
    return this.#index.shardsBefore(end);
  }

  hasSetAside(shard: ShardId): boolean {
    return this.#setAsideBytesByShard.has(shard);
  }

  /**
   * All records of a shard that may not be in its image yet, oldest first; of the journal, those
   * before `end` only.
   */
  of(shard: ShardId, end?: number): readonly RecordPlace[] {
    const pending = this.pending(shard, end);
    if (!this.hasSetAside(shard)) return pending;
    // After a crash between the setting aside and the drop, the journal has the same records as
    // well.
    const setAside = this.journal.setAsideOf(shard).map((record) => ({ bytes: asBuffer(record), offset: 0 }));
    const lastSetAside = this.versions(setAside).at(-1) ?? 0;
    const versions = this.versions(pending);
    return [...setAside, ...pending.filter((_, index) => (versions[index] ?? 0) > lastSetAside)];
  }

  /** Those that the journal has. */
  pending(shard: ShardId, end?: number): readonly RecordPlace[] {
    return this.#index.addresses(shard, end).map((address) => {
      const batch = this.#index.batchAt(address);
      return { bytes: this.#batch(batch), offset: address - batch.address };
    });
  }

  versions(records: readonly RecordPlace[]): readonly ShardVersion[] {
    return records.map(({ bytes, offset }) => {
      this.cursor.key(bytes, offset);
      return this.cursor.version;
    });
  }

  /** The oldest batches, up to `through` and as many as one image pass takes. */
  oldest(through: Position): readonly BatchPlace[] {
    const oldest: BatchPlace[] = [];
    let bytes = 0;
    for (const batch of this.#index.batches) {
      if (batch.last > through || bytes >= limits.imagePassBytes) break;
      oldest.push(batch);
      bytes += batch.bytes;
    }
    return oldest;
  }

  /**
   * Reads these batches, which follow one another, into memory, until `drop`. `pause` lets others work
   * after each read.
   */
  async read(batches: readonly BatchPlace[], pause: () => Promise<void>): Promise<void> {
    this.#bufferByFirst.clear();
    const last = batches.at(-1)?.last ?? NO_POSITION;
    let after = position((batches[0]?.first ?? 1) - 1);
    while (after < last) {
      for (const batch of this.journal.read(after, READ_BYTES)) {
        if (batch.last <= last) this.#bufferByFirst.set(batch.first, asBuffer(batch.records));
        after = batch.last;
      }
      await pause();
    }
  }

  /** Looks anew at what is set aside, after an image pass has changed it. */
  refreshSetAside(): void {
    this.#setAsideBytesByShard = this.journal.setAsideBytesByShard();
  }

  /** Forgets the batches up to that position. */
  drop(through: Position): void {
    this.#index.trim(through);
    this.#bufferByFirst.clear();
  }

  #batch({ first }: BatchPlace): Buffer {
    const cached = this.#bufferByFirst.get(first) ?? this.#cache.get(first);
    if (cached !== undefined) return cached;
    const batch = this.journal.batch(first);
    if (batch === undefined) throw new Error(`the journal has no batch at ${first}`);
    return this.#cache.add(batch);
  }
}
