/**
 * A disk in memory, for the simulator: it can fail at every call, and a crash loses exactly what a real disk may lose.
 *
 * 1. Transactions of the journal and the projections are durable on return, or did not happen.
 * 2. A staged image is lost in a crash, or torn, unless it was synced; a published one may be in its place or not, until its directory is
 *    synced.
 * 3. Nothing that is kept is shared with the caller: everything goes through bytes.
 */
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { RecordReader, type Schemas } from '#server/shard/codec.ts';
import { RecordWriter } from '#server/shard/record-writer.ts';
import { checkedBatch } from './checksums.ts';
import { applyChanges } from './merge.ts';
import type { Position } from './persister.ts';
import {
  ImageError,
  type Batch,
  type FoldDelta,
  type ImageDraft,
  type ImageStore,
  type JournalState,
  type JournalStore,
  type KeptRecord,
  type LedgerSegment,
  type Note,
  type ProjectionStore,
  type RowChange,
} from './storage.ts';

/** The calls that can be made to fail. */
export type MemoryOperation = 'commit' | 'lease' | 'note' | 'drop' | 'stage' | 'sync' | 'publish' | 'sync-directories' | 'apply';

/** What a call does: work, fail before anything was written, or write and fail then. */
export type Outcome = 'work' | 'fail' | 'write-then-fail';

/** Decides what each call does. */
export type Inject = (operation: MemoryOperation) => Outcome;

/** What the simulated disk says when it was told to fail. */
export class InjectedFailure extends Error {
  override readonly name = 'InjectedFailure';
}

interface StagedImage {
  readonly bytes: Uint8Array;
  readonly isSynced: boolean;
}

interface PublishedImage {
  readonly bytes: Uint8Array;
  /** What a crash may bring back, until the directory is synced. */
  readonly before: { readonly bytes: Uint8Array | undefined } | undefined;
}

/** See the head of this file. It outlives the node that uses it, as a disk does. */
export class MemoryDisk {
  readonly journal: JournalStore;
  readonly images: ImageStore;
  readonly projections: ProjectionStore;
  readonly #images: MemoryImages;
  #inject: Inject;

  constructor(schemas: Schemas, inject: Inject = () => 'work') {
    this.#inject = inject;
    const write = (operation: MemoryOperation, run: () => void): void => {
      const outcome = this.#inject(operation);
      if (outcome === 'fail') throw new InjectedFailure(`the disk failed before: ${operation}`);
      run();
      if (outcome === 'write-then-fail') throw new InjectedFailure(`the disk failed after: ${operation}`);
    };
    this.#images = new MemoryImages(schemas, write);
    this.images = this.#images;
    this.journal = new MemoryJournal(write);
    this.projections = new MemoryProjections(write);
  }

  /** Decides anew what each call does. */
  inject(inject: Inject): void {
    this.#inject = inject;
  }

  /** The power fails: `survives` decides for each rename that is not durable yet whether it is there afterwards. */
  crash(survives: (shard: ShardId) => boolean): void {
    this.#images.crash(survives);
  }

  /** Removes what was left in the staging area, as a start does. Returns the number of images. */
  clearStaging(): number {
    return this.#images.clearStaging();
  }

  /** Damages the image of a shard, or removes it: for tests of what must be told loudly. */
  damage(shard: ShardId, how: 'garble' | 'remove'): void {
    this.#images.damage(shard, how);
  }
}

type Write = (operation: MemoryOperation, run: () => void) => void;

class MemoryJournal implements JournalStore {
  readonly #write: Write;
  readonly #notes = new Map<ShardId, { readonly version: number; readonly now: Instant }>();
  #batches: Batch[] = [];
  #kept: KeptRecord[] = [];
  #state: JournalState = { position: 0, dropped: 0, now: 0, lease: 0, bytes: 0, kept: 0 };

  constructor(write: Write) {
    this.#write = write;
  }

  get state(): JournalState {
    return this.#state;
  }

  read(after: Position, bytesMax: number): readonly Batch[] {
    const batches: Batch[] = [];
    let bytes = 0;
    for (const batch of this.#batches) {
      if (batch.first <= after) continue;
      batches.push(checkedBatch(batch));
      bytes += batch.records.length;
      if (bytes >= bytesMax) break;
    }
    return batches;
  }

  batch(first: Position): Batch | undefined {
    const batch = this.#batches.find((some) => some.first === first);
    return batch === undefined ? undefined : checkedBatch(batch);
  }

  noteOf(shard: ShardId): ReturnType<JournalStore['noteOf']> {
    return this.#notes.get(shard);
  }

  keptOf(shard: ShardId): readonly Uint8Array[] {
    const records = this.#kept.filter((record) => record.shard === shard).toSorted((a, b) => a.version - b.version);
    return records.map(({ record }) => record);
  }

  keptShards(): ReadonlyMap<ShardId, number> {
    const bytesByShard = new Map<ShardId, number>();
    for (const { shard, record } of this.#kept) bytesByShard.set(shard, (bytesByShard.get(shard) ?? 0) + record.length);
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

  note(notes: readonly Note[], kept: readonly KeptRecord[]): void {
    this.#write('note', () => {
      for (const { shard, version, now } of notes) {
        this.#notes.set(shard, { version, now });
        this.#kept = this.#kept.filter((record) => record.shard !== shard || record.version > version);
      }
      for (const record of kept) {
        const isThere = this.#kept.some(({ shard, version }) => shard === record.shard && version === record.version);
        if (!isThere) this.#kept.push({ ...record, record: record.record.slice() });
      }
      this.#state = { ...this.#state, kept: this.#kept.reduce((bytes, { record }) => bytes + record.length, 0) };
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

class MemoryImages implements ImageStore {
  readonly #schemas: Schemas;
  readonly #write: Write;
  readonly #staged = new Map<ShardId, StagedImage>();
  readonly #published = new Map<ShardId, PublishedImage>();

  constructor(schemas: Schemas, write: Write) {
    this.#schemas = schemas;
    this.#write = write;
  }

  read(shard: ShardId): RawChangeSet | undefined {
    const image = this.#published.get(shard);
    if (image === undefined) return undefined;
    if (image.bytes.length === 0) throw new ImageError('its image is damaged');
    return new RecordReader(image.bytes).changeSet(this.#schemas);
  }

  draft(shard: ShardId): ImageDraft {
    const image = this.read(shard);
    return {
      version: image?.version ?? 0,
      now: image?.now ?? instant(0),
      stage: (changes) => {
        const writer = new RecordWriter();
        writer.raw(applyChanges(image, changes), this.#schemas);
        this.#write('stage', () => this.#staged.set(shard, { bytes: writer.take(), isSynced: false }));
      },
      discard: () => undefined,
    };
  }

  async sync(shards: readonly ShardId[]): Promise<void> {
    await Promise.resolve();
    this.#write('sync', () => {
      for (const shard of shards) this.#staged.set(shard, { bytes: this.#stagedOf(shard).bytes, isSynced: true });
    });
  }

  publish(shards: readonly ShardId[]): void {
    this.#write('publish', () => {
      for (const shard of shards) {
        const { bytes, isSynced } = this.#stagedOf(shard);
        if (!isSynced) throw new Error(`the image of ${shard} was not synced`);
        const old = this.#published.get(shard);
        this.#published.set(shard, { bytes, before: old?.before ?? { bytes: old?.bytes } });
        this.#staged.delete(shard);
      }
    });
  }

  async syncDirectories(shards: readonly ShardId[]): Promise<void> {
    await Promise.resolve();
    this.#write('sync-directories', () => {
      for (const shard of shards) {
        const image = this.#published.get(shard);
        if (image !== undefined) this.#published.set(shard, { bytes: image.bytes, before: undefined });
      }
    });
  }

  crash(survives: (shard: ShardId) => boolean): void {
    for (const [shard, { bytes, before }] of this.#published) {
      const present = before === undefined || survives(shard) ? bytes : before.bytes;
      if (present === undefined) this.#published.delete(shard);
      else this.#published.set(shard, { bytes: present, before: undefined });
    }
    for (const [shard, { isSynced }] of this.#staged) if (!isSynced) this.#staged.delete(shard);
  }

  clearStaging(): number {
    const { size } = this.#staged;
    this.#staged.clear();
    return size;
  }

  damage(shard: ShardId, how: 'garble' | 'remove'): void {
    if (how === 'remove') this.#published.delete(shard);
    else this.#published.set(shard, { bytes: new Uint8Array(0), before: undefined });
  }

  #stagedOf(shard: ShardId): StagedImage {
    const staged = this.#staged.get(shard);
    if (staged === undefined) throw new Error(`the image of ${shard} was not staged`);
    return staged;
  }
}

class MemoryProjections implements ProjectionStore {
  readonly #write: Write;
  readonly #alarms = new Map<ShardId, Instant>();
  readonly #rows = new Map<string, RowChange>();
  readonly #segments: LedgerSegment[] = [];
  readonly #totals = new Map<string, bigint>();
  #folded: Position = 0;

  constructor(write: Write) {
    this.#write = write;
  }

  get folded(): Position {
    return this.#folded;
  }

  apply({ folded, alarms, rows, segments, totals }: FoldDelta): void {
    this.#write('apply', () => {
      for (const [shard, due] of alarms) {
        if (due === 0) this.#alarms.delete(shard);
        else this.#alarms.set(shard, due);
      }
      for (const row of rows) {
        const key = `${row.entity} ${row.shard} ${row.id}`;
        if (row.record === undefined) this.#rows.delete(key);
        else this.#rows.set(key, { ...row, record: new Uint8Array(row.record) });
      }
      this.#segments.push(...segments);
      for (const [key, amount] of totals) this.#totals.set(key, (this.#totals.get(key) ?? 0n) + amount);
      this.#folded = folded;
    });
  }

  due(now: Instant, limit: number): readonly ShardId[] {
    const due = [...this.#alarms].filter(([, at]) => at <= now).toSorted(([, a], [, b]) => a - b);
    return due.slice(0, limit).map(([shard]) => shard);
  }

  segments(shard: ShardId, before: number, lines: number): readonly LedgerSegment[] {
    const segments: LedgerSegment[] = [];
    let found = 0;
    for (const segment of this.#segments.toReversed()) {
      if (segment.shard !== shard || segment.firstSeq >= before) continue;
      segments.push(segment);
      found += Math.min(segment.lastSeq, before - 1) - segment.firstSeq + 1;
      if (found >= lines) break;
    }
    return segments;
  }

  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[] {
    const print = Buffer.from(fingerprint);
    return this.#segments.filter((segment) => segment.shard === shard && Buffer.from(segment.transactions).includes(print));
  }

  rows(entity: string): readonly RowChange[] {
    return [...this.#rows.values()].filter((row) => row.entity === entity);
  }

  totals(): readonly { readonly key: string; readonly amount: bigint }[] {
    return [...this.#totals].map(([key, amount]) => ({ key, amount })).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }
}
