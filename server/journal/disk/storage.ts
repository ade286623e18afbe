/**
 * The seam between the persister's planner and a disk: three stores, each owned by one thread.
 * Everything but the syncing of files is synchronous. A call that throws may have happened, in part
 * or whole, unless its words say otherwise: whoever calls ends the process and looks at what is
 * durable at the next start.
 *
 * Adapters: `sqlite-journal.ts`, `sqlite-projections.ts` and `image-files.ts` (SQLite and files)
 * and `memory.ts` (for the simulator). One suite holds both: `storage-contract.test.ts`.
 */
import type { CellEpoch } from '#shared/cell.ts';
import type { Epoch, Instant, Position, RowId, ShardId, ShardVersion } from '#shared/units.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import type { CellEpochs } from './cell-epochs.ts';
import type { DueShard, LoadedShard, Total } from '../persister/persister.ts';

/**
 * The turns of one group commit: records as `RecordWriter` makes them, in the order of their
 * positions.
 */
export interface Batch {
  readonly first: Position;
  readonly last: Position;
  /** The greatest `now` of its turns. */
  readonly now: Instant;
  /** The checksum of all the rest: see `sealed`. */
  readonly sum: number;
  readonly records: Uint8Array;
}

/**
 * The newest version of a shard that an image on disk is known to contain (and maybe later ones).
 */
export interface ImageVersion {
  readonly shard: ShardId;
  readonly version: ShardVersion;
  /** The time of that turn. */
  readonly now: Instant;
  /** The epoch of the shard's cell in which that turn was. */
  readonly epoch: Epoch;
}

/**
 * A record that left the pending ones because the image of its shard cannot be read: one bad file
 * must not stop the others.
 */
export interface SetAsideRecord {
  readonly shard: ShardId;
  readonly version: ShardVersion;
  readonly record: Uint8Array;
}

/**
 * The counters of a journal: one row, which every writing call changes in its own transaction. So
 * that somebody else has written to the file is found by the next call, before it writes over it.
 */
export interface JournalState {
  /** The highest position ever made durable: stored, never derived from what is left. */
  readonly position: Position;
  /** Positions up to here are dropped: in images and projections. */
  readonly dropped: Position;
  /** The greatest `now` of any turn ever made durable, or 0. */
  readonly now: Instant | 0;
  /** The node's time never passes this, in this life or any before: see `extendLease`. */
  readonly lease: Instant | 0;
  /** Bytes of the batches that are there. */
  readonly bytes: number;
  /** Bytes of the records that are set aside. */
  readonly setAsideBytes: number;
}

/** A journal that is not what was written to it. */
export class JournalError extends Error {
  override readonly name = 'JournalError';

  /** `what` is wrong, as the end of a sentence. */
  static of(what: string): JournalError {
    return new JournalError(`the journal (journal.db) is damaged: ${what}`);
  }
}

/**
 * A database that another program keeps locked. Nothing has happened, and it may be tried again.
 */
export class StoreLockedError extends Error {
  override readonly name = 'StoreLockedError';
}

/**
 * What a journal has of one shard, its `ImageVersion` or a record set aside, is not what was
 * written: a fault of that shard alone.
 */
export class ShardEntryError extends Error {
  override readonly name = 'ShardEntryError';
}

/**
 * What may be read of a journal, also by threads that do not own it. Each call sees what is durable
 * at that moment. What is read is what was written, or `JournalError` or, where the words say so,
 * `ShardEntryError` is thrown.
 */
export interface JournalReader {
  /**
   * Batches after that position, oldest first: at least one if there is one, and no further one
   * once `bytesMax` is reached.
   */
  read(after: Position, bytesMax: number): readonly Batch[];
  /** The batch that starts at that position, or `undefined`. */
  batch(first: Position): Batch | undefined;
  /**
   * The `ImageVersion` of a shard, or `undefined` if no image of it was ever written; `now` is
   * `undefined` if it was stored by version 1, which stored no time. Throws `ShardEntryError` if it
   * is damaged.
   */
  imageVersionOf(shard: ShardId): { readonly version: ShardVersion; readonly now: Instant | undefined; readonly epoch: Epoch } | undefined;
  /**
   * The records set aside for a shard, oldest first. Throws `ShardEntryError` if one is damaged.
   */
  setAsideOf(shard: ShardId): readonly Uint8Array[];
  /** All shards for which records are set aside, each with the bytes of them. */
  setAsideBytesByShard(): ReadonlyMap<ShardId, number>;
  close(): void;
}

/**
 * A node's journal, as the one thread has it that writes to it. Every writing call is one
 * transaction, durable on return: after a crash it has happened, or nothing of it has.
 */
export interface JournalStore extends JournalReader {
  readonly state: JournalState;
  /** Appends a batch; `first` must be the next position. */
  commit(batch: Batch): void;
  /** Lets the node's time go on until then; an earlier instant than before changes nothing. */
  extendLease(until: Instant): void;
  /**
   * Stores versions and sets records aside; deletes the records set aside that these versions
   * contain.
   */
  storeImageVersions(versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): void;
  /**
   * Drops the oldest batches, none that ends after `through`, at most about `recordsMax` records.
   * Returns the new `dropped`.
   */
  drop(through: Position, recordsMax: number): Position;
}

/** An image that is there and cannot be read. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

/**
 * What is in an image. It is `edited` if another program has written to the file, or to one that it
 * was made from: then its rows must be checked before they are believed.
 */
export type Image = Exclude<LoadedShard, { readonly kind: 'absent' }>;

/** The image of one shard as it was read, as a base for its next one. Nothing is open: it may be dropped. */
export interface ImageDraft {
  /** The version of the image, or 0 if there is none. */
  readonly version: ShardVersion;
  /** The time of that turn, or 0. */
  readonly now: Instant;
  /** The epoch in which that turn was. */
  readonly epoch: Epoch;
  /**
   * Writes the next image to the staging area: the old one with these changes applied, which start
   * at its version + 1.
   */
  stage(changes: RawChangeSet): void;
}

/**
 * The shard images of a node. An image is written beside the old one, synced, and put in its place as
 * a whole: so one that can be found is never half written, whatever a crash has cut off.
 */
export interface ImageStore {
  /**
   * No image has anything of a later position; `undefined` if the images do not say. See `mark`.
   */
  readonly published: Position | undefined;
  /**
   * The image, or `undefined` if there is none. Throws `ImageError` if it cannot be read, whatever
   * the reason.
   */
  read(shard: ShardId): Image | undefined;
  /** All shards that have an image, whether it can be read or not. */
  shards(): Iterable<ShardId>;
  /** Starts the next image of a shard. Throws `ImageError` if there is one that cannot be read. */
  draft(shard: ShardId): ImageDraft;
  /** Makes the content of staged images durable, many at once. */
  sync(shards: readonly ShardId[]): Promise<void>;
  /**
   * Says, durably, that images of positions up to this may be published from now on: so that a
   * start can tell databases that are older.
   */
  mark(through: Position): void;
  /** Puts synced images in the place of the old ones. Durable only after `syncDirectories`. */
  publish(shards: readonly ShardId[]): void;
  /** Makes the places of published images durable. */
  syncDirectories(shards: readonly ShardId[]): Promise<void>;
}

/** A live row of a projected entity. */
export interface LiveRow {
  readonly entity: string;
  readonly shard: ShardId;
  readonly id: RowId;
  /** The version of the shard that wrote it. */
  readonly version: ShardVersion;
  /** The put, as in its record. */
  readonly record: Uint8Array;
}

/** What one turn left of a row: a live row, or, without a record, its end. */
export interface RowChange extends Omit<LiveRow, 'record'> {
  /** Where and when that was: the row exists for this cell and epoch only. */
  readonly of: CellEpoch;
  readonly record: Uint8Array | undefined;
}

/** The new earliest alarm of a shard; 0 for none. */
export interface AlarmChange {
  readonly shard: ShardId;
  readonly of: CellEpoch;
  readonly due: Instant | 0;
}

/** The ledger lines of one shard in one chunk of the fold, as in their records. */
export interface LedgerSegment {
  readonly shard: ShardId;
  /**
   * The epoch of the shard's cell in which they were written. Whatever it is, they can be read: a
   * line never ceases to be true.
   */
  readonly epoch: Epoch;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The fingerprints of the transactions in it, one after the other: see `fingerprint`. */
  readonly transactions: Uint8Array;
  readonly lines: Uint8Array;
}

/** Sums of one cell in one epoch, by `place asset-class`. */
export interface CellTotals {
  readonly of: CellEpoch;
  readonly amountByKey: ReadonlyMap<string, bigint>;
}

/**
 * What one chunk of the journal comes to: it is netted in memory, so what was made and ended within
 * the chunk is not in it. Things of one cell and epoch name it by the same object.
 */
export interface FoldDelta {
  /** Everything up to here is folded with it. */
  readonly folded: Position;
  /** In the order of the turns: of two of one shard, the later one holds. */
  readonly alarms: readonly AlarmChange[];
  readonly rows: readonly RowChange[];
  readonly segments: readonly LedgerSegment[];
  /** What is to be added to the running totals. */
  readonly totals: readonly CellTotals[];
}

/**
 * What `node.db` mirrors of one shard: all of its live rows of projected entities and its earliest
 * alarm, or that it could not be loaded.
 */
export type MirroredShard = { readonly shard: ShardId; readonly of: CellEpoch } & (
  { readonly kind: 'loaded'; readonly due: Instant | 0; readonly rows: readonly LiveRow[] } | { readonly kind: 'left-out' }
);

/**
 * What a start looks at, and makes anew, before anybody asks. Each writing call is durable on
 * return, but need not be one transaction: a start that was cut off is followed by one that begins
 * again.
 */
export interface ProjectionUpkeep {
  /**
   * The entities of which all live rows are there; `undefined` if that is not known, or not true.
   */
  readonly entities: readonly string[] | undefined;
  /**
   * Shards that could not be loaded when the mirror was made: rows and alarm of theirs may be
   * missing.
   */
  readonly leftOut: readonly ShardId[];
  /**
   * Whether every row is as it was written, and found: of the mirror (rows and alarms), of the
   * totals.
   */
  check(): { readonly isMirrorWhole: boolean; readonly areTotalsWhole: boolean };
  /** Forgets the mirror, however damaged: until `finish`, nobody knows of what it has all rows. */
  forget(): void;
  /**
   * Puts what is mirrored of each of these shards, the rows of these entities, in the place of what
   * was there of its cell and epoch.
   */
  put(entities: readonly string[], shards: Iterable<MirroredShard>): void;
  /** Says of which entities the mirror has all rows now. */
  finish(entities: readonly string[]): void;
  /** All segments of the ledger. Throws `DatabaseError` at one that is damaged. */
  segments(): Iterable<LedgerSegment>;
  /** Puts these totals in the place of what was. */
  setTotals(totals: readonly CellTotals[]): void;
}

/**
 * `node.db`: the fold of the journal. A row that is not as it was written is never handed out: the
 * call throws.
 *
 * Rows, alarms and totals carry the epoch of their cell in which they were made. Of another epoch
 * than the present one they do not exist for whoever asks: when a cell has come back to a node,
 * what the node had of it before is not taken for true.
 */
export interface ProjectionStore {
  readonly upkeep: ProjectionUpkeep;
  /** Everything up to here is folded. */
  readonly folded: Position;
  /**
   * Says in which epoch each cell is. Said at each start, before anything is asked; until then
   * every cell is in the first one.
   */
  setEpochs(epochs: Pick<CellEpochs, 'isPresent'>): void;
  /** Applies a chunk and moves `folded`, in one transaction, durable on return. */
  apply(delta: FoldDelta): void;
  /**
   * Shards whose alarm is at or before `now`, in the order of time and, of one time, of their
   * names; those that follow `after` only.
   */
  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[];
  /**
   * Segments of a shard that have lines below `before`, newest first, until at least `lines` such
   * lines are in them. Throws `ShardFault` at a damaged one.
   */
  segments(shard: ShardId, before: number, lines: number): readonly LedgerSegment[];
  /**
   * Segments of a shard that may have lines of the transaction with that fingerprint, oldest first.
   * Throws `ShardFault` at a damaged one.
   */
  segmentsWith(shard: ShardId, fingerprint: Uint8Array): readonly LedgerSegment[];
  /** All live rows of an entity; those of one cell; those of one shard of that cell. */
  rows(entity: string, of?: CellEpoch, shard?: ShardId): readonly LiveRow[];
  /** The sums of all cells by market, place and asset class, or those of one cell. */
  totals(of?: CellEpoch): readonly Total[];
  close(): void;
}
