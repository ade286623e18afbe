/**
 * A disk in memory, for the simulator: it can fail at every call, and loses exactly what a real disk may lose.
 *
 * 1. A transaction of the journal or of the projections is written and then synced. Durable on return; a failure may leave it not written,
 *    written and synced, or written only.
 * 2. The end of a process loses nothing that was written: the next one sees it. A power cut loses what was not synced, or does not, also when
 *    others have seen it before.
 * 3. A later transaction of the same store syncs those before it; so does `settle`.
 * 4. A staged image is lost in a power cut unless it was synced; a published one may be in its place or not, until its directory is synced.
 * 5. Nothing that is kept is shared with the caller: everything goes through bytes.
 */
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import { RecordReader, type Schemas } from '#server/shard/codec.ts';
import { RecordWriter } from '#server/shard/record-writer.ts';
import { applyChanges } from './merge.ts';
import type { DueShard, Position } from './persister.ts';
import { MemoryJournal, type JournalContent } from './storage-memory-journal.ts';
import {
  InjectedFailure,
  Synced,
  type Inject,
  type MemoryOperation,
  type Restorable,
  type Transact,
  type Write,
} from './storage-memory-writes.ts';
import { MemoryUpkeep, rowKey } from './storage-memory-upkeep.ts';
import {
  ImageError,
  type FoldDelta,
  type Image,
  type ImageDraft,
  type ImageStore,
  type JournalStore,
  type LedgerSegment,
  type ProjectionStore,
  type RowChange,
} from './storage.ts';

interface StagedImage {
  readonly bytes: Uint8Array;
  readonly isSynced: boolean;
}

interface PublishedImage {
  readonly bytes: Uint8Array;
  /** What a crash may bring back, until the directory is synced. */
  readonly before: { readonly bytes: Uint8Array | undefined } | undefined;
}

/** What the stores of transactions held at some moment. */
export interface DiskContent {
  readonly journal: JournalContent;
  readonly projections: ProjectionContent;
}

/** See the head of this file. It outlives the node that uses it, as a disk does. */
export class MemoryDisk {
  readonly journal: JournalStore;
  readonly images: ImageStore;
  readonly projections: ProjectionStore;
  readonly #images: MemoryImages;
  readonly #journal: Synced<MemoryJournal>;
  readonly #projections: Synced<MemoryProjections>;
  #inject: Inject;

  constructor(schemas: Schemas, inject: Inject = () => 'work') {
    this.#inject = inject;
    const write: Write = (operation, run) => this.#write(operation, run);
    this.#images = new MemoryImages(schemas, write);
    this.#journal = new Synced((transact) => new MemoryJournal(transact), write);
    this.#projections = new Synced((transact) => new MemoryProjections(transact), write);
    this.images = this.#images;
    this.journal = this.#journal.store;
    this.projections = this.#projections.store;
  }

  /** Everything up to here is in the journal also after a power cut. */
  get durable(): Position {
    return this.#journal.before?.state.position ?? this.journal.state.position;
  }

  /** Decides anew what each call does. */
  inject(inject: Inject): void {
    this.#inject = inject;
  }

  /** Makes durable what is seen of journal and projections: a start believes nothing before. */
  settle(): void {
    this.#write('settle', (isSynced) => {
      this.#journal.sync();
      if (isSynced) this.#projections.sync();
    });
  }

  /** The power fails: `survives` decides of each thing that is not durable yet whether it is there afterwards. */
  cutPower(survives: () => boolean): void {
    this.#journal.cutPower(survives);
    this.#projections.cutPower(survives);
    this.#images.cutPower(survives);
  }

  /** Removes what was left in the staging area, as a start does. Returns the number of images. */
  clearStaging(): number {
    return this.#images.clearStaging();
  }

  /** Damages the image of a shard, or removes it: for tests of what must be told loudly. */
  damage(shard: ShardId, how: 'garble' | 'remove'): void {
    this.#images.damage(shard, how);
  }

  /** Puts back the image of a shard as it was when it was damaged, as an operator would. */
  repair(shard: ShardId): void {
    this.#images.repair(shard);
  }

  /** Changes one byte of one batch of the journal, if it has one; `pick(n)` gives a whole number below `n`. */
  flip(pick: (below: number) => number): void {
    this.#journal.store.flip(pick);
  }

  /** What the stores of transactions hold now: for a disk that is rolled back, or put in order again. */
  snapshot(): DiskContent {
    return { journal: this.#journal.store.snapshot(), projections: this.#projections.store.snapshot() };
  }

  /** Brings back what stores held then. */
  restore({ journal, projections }: Partial<DiskContent>): void {
    if (journal !== undefined) this.#journal.store.restore(journal);
    if (projections !== undefined) this.#projections.store.restore(projections);
  }

  /** Reads batches without a look at their checksums, from now on: for a deliberate fault. */
  trust(): void {
    this.#journal.store.trust();
  }

  #write(operation: MemoryOperation, run: (isSynced: boolean) => void): void {
    const outcome = this.#inject(operation);
    if (outcome === 'fail') throw new InjectedFailure(`the disk failed before: ${operation}`);
    run(outcome !== 'write-unsynced');
    if (outcome !== 'work') throw new InjectedFailure(`the disk failed after: ${operation} (${outcome})`);
  }
}

class MemoryImages implements ImageStore {
  readonly #schemas: Schemas;
  readonly #write: Write;
  readonly #staged = new Map<ShardId, StagedImage>();
  readonly #published = new Map<ShardId, PublishedImage>();
  /** What was there, if anything, before a shard's image was damaged. */
  readonly #saved = new Map<ShardId, Uint8Array | undefined>();
  #through: Position = 0;

  constructor(schemas: Schemas, write: Write) {
    this.#schemas = schemas;
    this.#write = write;
  }

  get published(): Position {
    return this.#through;
  }

  shards(): Iterable<ShardId> {
    return [...this.#published.keys()];
  }

  read(shard: ShardId): Image | undefined {
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
    this.#write('sync', (isSynced) => {
      for (const shard of isSynced ? shards : []) this.#staged.set(shard, { bytes: this.#stagedOf(shard).bytes, isSynced: true });
    });
  }

  mark(through: Position): void {
    this.#write('mark', (isSynced) => {
      if (isSynced) this.#through = Math.max(through, this.#through);
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
        // A pass that had read the old image before it was damaged: there is nothing to put back.
        this.#saved.delete(shard);
      }
    });
  }

  async syncDirectories(shards: readonly ShardId[]): Promise<void> {
    await Promise.resolve();
    this.#write('sync-directories', (isSynced) => {
      for (const shard of isSynced ? shards : []) {
        const image = this.#published.get(shard);
        if (image !== undefined) this.#published.set(shard, { bytes: image.bytes, before: undefined });
      }
    });
  }

  cutPower(survives: () => boolean): void {
    for (const [shard, { bytes, before }] of this.#published) {
      const present = before === undefined || survives() ? bytes : before.bytes;
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
    if (!this.#saved.has(shard)) this.#saved.set(shard, this.#published.get(shard)?.bytes);
    if (how === 'remove') this.#published.delete(shard);
    else this.#published.set(shard, { bytes: new Uint8Array(0), before: undefined });
  }

  repair(shard: ShardId): void {
    if (!this.#saved.has(shard)) return;
    const bytes = this.#saved.get(shard);
    if (bytes === undefined) this.#published.delete(shard);
    else this.#published.set(shard, { bytes, before: undefined });
    this.#saved.delete(shard);
  }

  #stagedOf(shard: ShardId): StagedImage {
    const staged = this.#staged.get(shard);
    if (staged === undefined) throw new Error(`the image of ${shard} was not staged`);
    return staged;
  }
}

/** What the projections hold. */
export interface ProjectionContent {
  readonly folded: Position;
  readonly alarms: ReadonlyMap<ShardId, Instant>;
  readonly rows: ReadonlyMap<string, RowChange>;
  readonly segments: readonly LedgerSegment[];
  readonly totals: ReadonlyMap<string, bigint>;
}

class MemoryProjections implements ProjectionStore, Restorable<ProjectionContent> {
  readonly #write: Transact;
  readonly #alarms = new Map<ShardId, Instant>();
  readonly #rows = new Map<string, RowChange>();
  readonly #segments: LedgerSegment[] = [];
  readonly #totals = new Map<string, bigint>();
  readonly upkeep = new MemoryUpkeep({ alarms: this.#alarms, rows: this.#rows, segments: this.#segments, totals: this.#totals });
  #folded: Position = 0;

  constructor(write: Transact) {
    this.#write = write;
  }

  snapshot(): ProjectionContent {
    return {
      folded: this.#folded,
      alarms: new Map(this.#alarms),
      rows: new Map(this.#rows),
      segments: [...this.#segments],
      totals: new Map(this.#totals),
    };
  }

  restore({ folded, alarms, rows, segments, totals }: ProjectionContent): void {
    this.#folded = folded;
    refill(this.#alarms, alarms);
    refill(this.#rows, rows);
    refill(this.#totals, totals);
    this.#segments.splice(0, this.#segments.length, ...segments);
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
        const key = rowKey(row);
        if (row.record === undefined) this.#rows.delete(key);
        else this.#rows.set(key, { ...row, record: new Uint8Array(row.record) });
      }
      this.#segments.push(...segments);
      for (const [key, amount] of totals) this.#totals.set(key, (this.#totals.get(key) ?? 0n) + amount);
      this.#folded = folded;
    });
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    const due = [...this.#alarms].map(([shard, at]): DueShard => ({ shard, due: at })).filter((each) => each.due <= now);
    const later = after === undefined ? due : due.filter((each) => inOrder(after, each) < 0);
    return later.toSorted(inOrder).slice(0, limit);
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

  rows(entity: string, shard?: ShardId): readonly RowChange[] {
    return [...this.#rows.values()].filter((row) => row.entity === entity && (shard === undefined || row.shard === shard));
  }

  totals(): readonly { readonly key: string; readonly amount: bigint }[] {
    return [...this.#totals].map(([key, amount]) => ({ key, amount })).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  close(): void {
    // A disk in memory has nothing to let go of.
  }
}

function inOrder(a: DueShard, b: DueShard): number {
  if (a.due !== b.due) return a.due - b.due;
  return a.shard === b.shard ? 0 : a.shard < b.shard ? -1 : 1;
}

function refill<Key, Value>(map: Map<Key, Value>, content: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of content) map.set(key, value);
}
