/** The journal of a disk in memory. */
import { NO_POSITION, type Instant, type Position, type ShardId } from '#shared/units.ts';
import { checkedBatch, checkedBatches } from './checksums.ts';
import { Synced, type Write } from './memory-writes.ts';
import type { Batch, JournalState, JournalStore, SetAsideRecord, ImageVersion } from './storage.ts';

/** What a journal holds. */
export interface JournalContent {
  state: JournalState;
  batches: readonly Batch[];
  setAside: readonly SetAsideRecord[];
  readonly versions: Map<ShardId, Omit<ImageVersion, 'shard'>>;
}

/** That of a new journal. */
export function journalContent(write: Write): Synced<JournalContent> {
  const state = { position: NO_POSITION, dropped: NO_POSITION, now: 0, lease: 0, bytes: 0, setAsideBytes: 0 } as const;
  const content: JournalContent = { state, batches: [], setAside: [], versions: new Map() };
  return new Synced(content, (kept) => ({ ...kept, versions: new Map(kept.versions) }), write);
}

export class MemoryJournal implements JournalStore {
  readonly #kept: Synced<JournalContent>;
  #check: (batch: Batch) => Batch = checkedBatch;

  constructor(kept: Synced<JournalContent>) {
    this.#kept = kept;
  }

  get state(): JournalState {
    return this.#kept.content.state;
  }

  /**
   * Changes a bit of a byte of a batch, if there is one, as nobody did on purpose; `pick(n)` gives a
   * whole number below `n`.
   */
  flip(pick: (below: number) => number): void {
    const { content } = this.#kept;
    const index = pick(Math.max(1, content.batches.length));
    const batch = content.batches[index];
    if (batch === undefined) return;
    const records = batch.records.slice();
    const at = pick(records.length);
    records[at] = (records[at] ?? 0) ^ (1 << pick(8));
    content.batches = content.batches.with(index, { ...batch, records });
  }

  /** Reads batches without a look at their checksums, from now on: for a deliberate fault. */
  trust(): void {
    this.#check = (batch) => batch;
  }

  read(after: Position, bytesMax: number): readonly Batch[] {
    const later = this.#kept.content.batches.values().filter(({ first }) => first > after);
    return checkedBatches(later, bytesMax, this.#check);
  }

  batch(first: Position): Batch | undefined {
    const batch = this.#kept.content.batches.find((some) => some.first === first);
    return batch === undefined ? undefined : this.#check(batch);
  }

  imageVersionOf(shard: ShardId): ReturnType<JournalStore['imageVersionOf']> {
    return this.#kept.content.versions.get(shard);
  }

  setAsideOf(shard: ShardId): readonly Uint8Array[] {
    const records = this.#kept.content.setAside.filter((record) => record.shard === shard).toSorted((a, b) => a.version - b.version);
    return records.map(({ record }) => record);
  }

  setAsideBytesByShard(): ReadonlyMap<ShardId, number> {
    const bytesByShard = new Map<ShardId, number>();
    for (const { shard, record } of this.#kept.content.setAside) bytesByShard.set(shard, (bytesByShard.get(shard) ?? 0) + record.length);
    return bytesByShard;
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }

  commit(batch: Batch): void {
    const { first, last, now, records } = batch;
    const { position, bytes, now: before } = this.state;
    if (first !== position + 1 || last < first) throw new Error(`a batch of turns ${first} to ${last} cannot follow turn ${position}`);
    this.#kept.transact('commit', (content) => {
      content.batches = [...content.batches, { ...batch, records: records.slice() }];
      content.state = { ...content.state, position: last, now: now > before ? now : before, bytes: bytes + records.length };
    });
  }

  extendLease(until: Instant): void {
    if (until <= this.state.lease) return;
    this.#kept.transact('lease', (content) => {
      content.state = { ...content.state, lease: until };
    });
  }

  storeImageVersions(versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): void {
    this.#kept.transact('image-versions', (content) => {
      for (const { shard, ...version } of versions) content.versions.set(shard, version);
      const newestByShard = new Map(versions.map(({ shard, version }) => [shard, version]));
      const left = content.setAside.filter(({ shard, version }) => version > (newestByShard.get(shard) ?? 0));
      const isNew = (record: SetAsideRecord): boolean =>
        !left.some(({ shard, version }) => shard === record.shard && version === record.version);
      content.setAside = [...left, ...setAside.filter(isNew).map((record) => ({ ...record, record: record.record.slice() }))];
      content.state = { ...content.state, setAsideBytes: content.setAside.reduce((bytes, { record }) => bytes + record.length, 0) };
    });
  }

  drop(through: Position, recordsMax: number): Position {
    let { dropped, bytes } = this.state;
    const start = dropped;
    for (const { last, records } of this.#kept.content.batches) {
      if (last > through || dropped - start >= recordsMax) break;
      dropped = last;
      bytes -= records.length;
    }
    this.#kept.transact('drop', (content) => {
      content.batches = content.batches.filter(({ last }) => last > dropped);
      content.state = { ...content.state, dropped, bytes };
    });
    return dropped;
  }
}
