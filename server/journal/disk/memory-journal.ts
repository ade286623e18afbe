/** The journal of a disk in memory. */
import { type Instant, NO_POSITION, type Position, type ShardId } from '#shared/units.ts';
import { checkedBatch } from './checksums.ts';
import type { Restorable, Transact } from './memory-writes.ts';
import type { Batch, JournalState, JournalStore, SetAsideRecord, ImageVersion } from './storage.ts';

/** What a journal holds. */
export interface JournalContent {
  readonly state: JournalState;
  readonly batches: readonly Batch[];
  readonly setAside: readonly SetAsideRecord[];
  readonly versions: ReadonlyMap<ShardId, Omit<ImageVersion, 'shard'>>;
}

export class MemoryJournal implements JournalStore, Restorable<JournalContent> {
  readonly #write: Transact;
  #versions = new Map<ShardId, Omit<ImageVersion, 'shard'>>();
  #batches: Batch[] = [];
  #setAside: SetAsideRecord[] = [];
  #state: JournalState = { position: NO_POSITION, dropped: NO_POSITION, now: 0, lease: 0, bytes: 0, setAsideBytes: 0 };

  #check: (batch: Batch) => Batch = checkedBatch;

  constructor(write: Transact) {
    this.#write = write;
  }

  get state(): JournalState {
    return this.#state;
  }

  snapshot(): JournalContent {
    return { state: this.#state, batches: [...this.#batches], setAside: [...this.#setAside], versions: new Map(this.#versions) };
  }

  restore({ state, batches, setAside, versions }: JournalContent): void {
    this.#state = state;
    this.#batches = [...batches];
    this.#setAside = [...setAside];
    this.#versions = new Map(versions);
  }

  /** Changes a bit of a byte of a batch, as nobody did on purpose. */
  flip(pick: (below: number) => number): void {
    const index = pick(Math.max(1, this.#batches.length));
    const batch = this.#batches[index];
    if (batch === undefined) return;
    const records = batch.records.slice();
    const at = pick(records.length);
    records[at] = (records[at] ?? 0) ^ (1 << pick(8));
    this.#batches[index] = { ...batch, records };
  }

  trust(): void {
    this.#check = (batch) => batch;
  }

  read(after: Position, bytesMax: number): readonly Batch[] {
    const batches: Batch[] = [];
    let bytes = 0;
    for (const batch of this.#batches) {
      if (batch.first <= after) continue;
      batches.push(this.#check(batch));
      bytes += batch.records.length;
      if (bytes >= bytesMax) break;
    }
    return batches;
  }

  batch(first: Position): Batch | undefined {
    const batch = this.#batches.find((some) => some.first === first);
    return batch === undefined ? undefined : this.#check(batch);
  }

  imageVersionOf(shard: ShardId): ReturnType<JournalStore['imageVersionOf']> {
    return this.#versions.get(shard);
  }

  setAsideOf(shard: ShardId): readonly Uint8Array[] {
    const records = this.#setAside.filter((record) => record.shard === shard).toSorted((a, b) => a.version - b.version);
    return records.map(({ record }) => record);
  }

  setAsideBytesByShard(): ReadonlyMap<ShardId, number> {
    const bytesByShard = new Map<ShardId, number>();
    for (const { shard, record } of this.#setAside) bytesByShard.set(shard, (bytesByShard.get(shard) ?? 0) + record.length);
    return bytesByShard;
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }

  commit(batch: Batch): void {
    const { first, last, now, records } = batch;
    const { position, bytes, now: before } = this.#state;
    if (first !== position + 1 || last < first) throw new Error(`a batch of turns ${first} to ${last} cannot follow turn ${position}`);
    this.#write('commit', () => {
      this.#batches.push({ ...batch, records: records.slice() });
      this.#state = { ...this.#state, position: last, now: now > before ? now : before, bytes: bytes + records.length };
    });
  }

  extendLease(until: Instant): void {
    if (until <= this.#state.lease) return;
    this.#write('lease', () => {
      this.#state = { ...this.#state, lease: until };
    });
  }

  storeImageVersions(versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): void {
    this.#write('image-versions', () => {
      for (const { shard, version, now, epoch } of versions) {
        this.#versions.set(shard, { version, now, epoch });
        this.#setAside = this.#setAside.filter((record) => record.shard !== shard || record.version > version);
      }
      for (const record of setAside) {
        const isThere = this.#setAside.some(({ shard, version }) => shard === record.shard && version === record.version);
        if (!isThere) this.#setAside.push({ ...record, record: record.record.slice() });
      }
      this.#state = { ...this.#state, setAsideBytes: this.#setAside.reduce((bytes, { record }) => bytes + record.length, 0) };
    });
  }

  drop(through: Position, recordsMax: number): Position {
    let { dropped, bytes } = this.#state;
    const start = dropped;
    for (const { last, records } of this.#batches) {
      if (last > through || dropped - start >= recordsMax) break;
      dropped = last;
      bytes -= records.length;
    }
    this.#write('drop', () => {
      this.#batches = this.#batches.filter(({ last }) => last > dropped);
      this.#state = { ...this.#state, dropped, bytes };
    });
    return dropped;
  }
}
