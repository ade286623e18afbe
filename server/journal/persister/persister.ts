/**
 * What the rest of a node sees of its persister: the node's only way to a disk, as one interface
 * for each kind of client.
 *
 * The main thread appends change sets and goes on; worker threads make them durable, fold them into
 * `node.db` and write shard images. Nothing here blocks, and nothing here may be believed before
 * `durable` has reached its position.
 */
import type { CellEpoch } from '#shared/cell.ts';
import type { Instant, NodeName, Position, ShardId, ShardVersion, TransactionId } from '#shared/units.ts';
import type { ChangeSet, RawChangeSet, RawPut } from '#server/shard/change-set.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';

/** What must be known before a data directory is opened. */
export interface PersisterDefinition extends RecordFormat {
  /** The entities whose live rows `node.db` mirrors, for the index and the player directory. */
  readonly projected: readonly string[];
  /** What the data belong to: opening a directory of another world is refused. */
  readonly world: { readonly name: string; readonly node: NodeName; readonly cellsPerRegion: number };
  /** The present epoch of each cell that is not in the first one. */
  readonly epochs?: readonly CellEpoch[];
}

/**
 * A shard as it is durable: its image with the records that are not in it yet applied, in their own
 * versions. One that is `edited` has rows of an image that another program has written to: they are
 * checked before they are believed.
 */
export type LoadedShard = { readonly kind: 'found' | 'edited'; readonly shard: RawChangeSet } | { readonly kind: 'absent' };

/** A live row of a projected entity, with the version that its shard had when it was written. */
export interface ProjectedRow extends RawPut {
  readonly shard: ShardId;
  readonly version: ShardVersion;
}

/**
 * Projected rows by column, as they cross between threads: a few large values, whatever the number
 * of rows.
 */
export interface PackedRows {
  readonly shards: readonly ShardId[];
  readonly versions: readonly ShardVersion[];
  /** Where the record of each row ends in `records`. */
  readonly ends: readonly number[];
  readonly records: Uint8Array<ArrayBuffer>;
}

/** Whose rows of a projection: of one shard, of one cell, or, without either, of the whole node. */
export interface ProjectionScope {
  readonly shard?: ShardId;
  readonly cell?: CellEpoch;
}

/** A shard that wants to be woken, and the time for which it asked. */
export interface DueShard {
  readonly shard: ShardId;
  readonly due: Instant;
}

/** Sums of one asset class at one place of one market; see `totalKey`. */
export interface Total {
  readonly key: string;
  readonly amount: bigint;
}

/** What recovery found and did, for the operator's eyes. */
export interface RecoveryReport {
  /** The highest position ever given. */
  readonly position: Position;
  /** The time that no life of this node has passed, or 0. */
  readonly lease: Instant | 0;
  readonly pendingRecords: number;
  readonly durationMs: number;
  /** One sentence for each thing out of the ordinary that recovery met and settled. */
  readonly remarks: readonly string[];
}

/**
 * What the turn loop does with the journal. A `Position` that is appended is not durable: nothing
 * of its turn may be shown before.
 */
export interface Journal {
  /** The position of the last append. */
  readonly appended: Position;
  /** Everything up to here survives any crash. */
  readonly durable: Position;
  /**
   * Whether the backlog has passed its bound in bytes: no turn may start until `whenReady` says so.
   */
  readonly isFull: boolean;
  /**
   * Encodes the change set into the open commit and returns its position. That of a `partner` goes
   * before it, at the position before, and the two are durable together or not at all (U1). Throws
   * only on a bug; the process must then end.
   */
  append(changes: ChangeSet, partner?: ChangeSet): Position;
  /** Calls the listener, for as long as the persister lives, whenever `durable` has grown. */
  onDurable(listener: (durable: Position) => void): void;
  /** Resolves when `isFull` is false again. */
  whenReady(): Promise<void>;
  /**
   * Lets the node's time go on until then. Resolves when that is durable; a failure is a fault of
   * the node.
   */
  extendLease(until: Instant): Promise<void>;
  /**
   * The shard as of its last **durable** turn. The caller makes sure that it has no undurable one.
   * Rejects with `ShardFault` if the image is missing, damaged or older than its `ImageVersion`,
   * and remembers no failure.
   */
  load(shard: ShardId): Promise<LoadedShard>;
}

/**
 * Every query of `node.db`, as the thread that owns it answers. All but `due` are answered as of
 * the newest durable position at the time of the call: what is durable is folded before it is read.
 */
export interface Queries {
  /**
   * Shards that want to be woken by `now`, earliest first, at most `limit`, those that follow
   * `after` only. A hint: it may be a second behind, and the shard looks at its own rows.
   */
  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[];
  /** Ledger lines of a shard with `seq` below `before`, newest first. */
  history(shard: ShardId, before: number, limit: number): readonly LedgerEntry[];
  /**
   * All ledger lines of one transaction in these shards, in the order of the shards and of the
   * lines.
   */
  transaction(tx: TransactionId, shards: readonly ShardId[]): readonly { readonly shard: ShardId; readonly entry: LedgerEntry }[];
  /** Every live row of a projected entity in that scope, and the position as of which it is one. */
  projection(entity: string, scope?: ProjectionScope): { readonly position: Position; readonly rows: PackedRows };
  /** The running totals of gold and goods by place, and the position as of which they are. */
  totals(): { readonly position: Position; readonly totals: readonly Total[] };
}

/** The name of a query of `node.db`. */
export type QueryName = keyof Queries;

/** Parameters and answer of each query, in the form in which generic code can forward them. */
export type QueryCalls = { readonly [Name in QueryName]: (...parameters: Parameters<Queries[Name]>) => ReturnType<Queries[Name]> };

/**
 * Asks one query of whatever keeps `node.db`. `through` is a durable position that the answer must
 * not be older than.
 */
export type Query = <Name extends QueryName>(
  name: Name,
  parameters: Parameters<QueryCalls[Name]>,
  through: Position,
) => Promise<ReturnType<QueryCalls[Name]>>;

/** The answers of the queries on the main thread, where rows are unpacked. */
type Answers = { readonly [Name in Exclude<QueryName, 'projection'>]: ReturnType<Queries[Name]> } & {
  readonly projection: { readonly position: Position; readonly rows: readonly ProjectedRow[] };
};

/**
 * What the edge and the console ask of `node.db`. Rejects with `StoreLockedError` if another
 * program keeps it locked, and with `ShardFault` if the ledger of that shard is damaged; anything
 * else is a fault of the node.
 */
export type NodeQueries = { readonly [Name in QueryName]: (...parameters: Parameters<Queries[Name]>) => Promise<Answers[Name]> };

/** How a process opens, watches and closes its persister. */
export interface Lifecycle {
  readonly recovered: RecoveryReport;
  /** Whether the persister was opened with that epoch of the cell; see `epochs`. */
  isPresent(cell: CellEpoch): boolean;
  /**
   * Calls the listener once if a commit failed, its result is unknown, a listener to `onDurable`
   * threw, or a worker died: the process must end.
   */
  onFault(listener: (fault: Error) => void): void;
  /** Figures for metrics and benchmarks. */
  stats(): Promise<PersisterStats>;
  /**
   * Commits what is appended, folds and writes images as far as `deadlineMs` allows, and lets go of
   * the files, which takes at most four times `threadEndMs` longer. Rejects if a thread hangs in
   * the disk. A further call gives the promise of the first one.
   */
  close(deadlineMs: number): Promise<void>;
}

/** A node's journal, images and projections. Only what composes a node has all of it. */
export interface Persister extends Journal, NodeQueries, Lifecycle {}

/** Figures of a persister, since it was opened. */
export interface PersisterStats {
  readonly commits: number;
  readonly committedBytes: number;
  /** Bytes of the journal that are not yet dropped. */
  readonly backlogBytes: number;
  /**
   * Bytes of the records that are set aside for shards whose image cannot be read; they count
   * towards the backlog's bound.
   */
  readonly setAsideBytes: number;
  readonly backlogRecords: number;
  readonly imagesWritten: number;
  readonly foldedPosition: Position;
  readonly imagedPosition: Position;
}

/**
 * A shard that cannot be loaded: nothing is lost, nothing may be made up, an operator must look.
 */
export class ShardFault extends Error {
  override readonly name = 'ShardFault';
  /** When its last durable turn was, as far as the journal knows without the image. */
  readonly lastTurnAt: Instant | undefined;

  constructor(message: string, { lastTurnAt, ...options }: ErrorOptions & { readonly lastTurnAt?: Instant | undefined } = {}) {
    super(message, options);
    this.lastTurnAt = lastTurnAt;
  }
}

/**
 * A data directory that this program must not open: newer, of another world, in use, or damaged.
 * One clear sentence.
 */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}
