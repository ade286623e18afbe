/**
 * What the main-thread half of the persister needs of whatever keeps its data: worker threads over
 * files, or, in the simulator, the same planner over a disk in memory. Rejections are faults of the
 * environment unless the words say otherwise.
 */
import type { Instant, Position, ShardId } from '#shared/units.ts';
import type { LoadedShard, PersisterDefinition, Query } from './persister.ts';
import type { PassResult } from '../images/image-pass.ts';
import type { Batch, JournalState } from '../disk/storage.ts';

/** What is there when the data are open. Everything up to `position` is folded. */
export interface Opened extends Omit<JournalState, 'now'> {
  readonly remarks: readonly string[];
}

/**
 * Data that are opened once. `through` is a durable position that the answer must not be older
 * than.
 */
export interface Backend {
  /**
   * Opens the data and recovers them. Rejects with `DataDirectoryError`; nothing is changed then
   * but the layout of the databases.
   */
  open(definition: PersisterDefinition): Promise<Opened>;
  /**
   * Makes a batch durable, and takes its bytes for itself. Resolves with the position up to which
   * the journal is durable then. A rejection says nothing of what is on disk.
   */
  commit(batch: Batch): Promise<Position>;
  /**
   * Lets the node's time go on until then, durably. A rejection says nothing of what is on disk.
   */
  extendLease(until: Instant): Promise<void>;
  /** A hint that this much is durable, so that no later call has to catch up with all of it. */
  hintDurable(through: Position): void;
  /** Rejects with `ShardFault` if the shard cannot be loaded. */
  load(shard: ShardId, through: Position): Promise<LoadedShard>;
  /**
   * Folds the next chunk. Resolves with the position that is folded now. This, and every question
   * below, rejects with `StoreLockedError` if another program keeps the database locked: nothing
   * has happened then.
   */
  fold(through: Position): Promise<Position>;
  /** Writes the images of the oldest records that are folded, and drops them. */
  pass(through: Position): Promise<PassResult>;
  /** Asks a query of `node.db`, which is folded up to `through` first. */
  readonly query: Query;
  /** Calls the listener if the backend has died by itself. */
  onFault(listener: (fault: Error) => void): void;
  /**
   * Lets go of everything, in the middle of a pass or a fold if need be, within four times
   * `threadEndMs`. Rejects if a thread could not be ended: only the end of the process ends it
   * then.
   */
  close(): Promise<void>;
}
