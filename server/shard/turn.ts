/**
 * A turn: one synchronous step of one shard, seen from inside. Handlers read tables and put, remove, post and emit; there is no
 * clock, no randomness and no waiting in here. If the handler refuses or throws, nothing of it has happened.
 */
import type { Instant, RowId, ShardId } from '#shared/units.ts';
import type { Attributes, Entity, NewValues, RowOf } from './entity.ts';
import type { Message, Reply } from './message.ts';
import type { TableReader } from './table.ts';
import type { LedgerDraft } from './ledger.ts';

/** What a turn is told of other shards. The caller of the turn provides it, as it does the time. */
export interface Neighbours {
  /** Whether a shard is known not to load, because its file is damaged. False where nothing is known. */
  isUnloadable(shard: ShardId): boolean;
}

/** Lives for one turn. */
export interface Turn {
  readonly shard: ShardId;
  /** The shard's time: never earlier than in any turn before. */
  readonly now: Instant;
  /** What is known of other shards. */
  readonly neighbours: Neighbours;
  /** The row of the operation under way, if the message is a command with an `op`. */
  readonly operation: RowId | undefined;
  /** Rows of an entity, this turn's own changes included. */
  table<A extends Attributes>(entity: Entity<A>): TableReader<RowOf<A>>;
  /** Whether an entity has no row: the quickest question about it. */
  isEmpty(entity: Pick<Entity, 'ordinal'>): boolean;
  /** Adds a row with a fresh id; what has a default or may be null can be left out. Throws `ConstraintError`. */
  insert<A extends Attributes>(entity: Entity<A>, values: NewValues<A>): RowOf<A>;
  /** Replaces a row, or adds one whose id is known. Throws `ConstraintError`. */
  put<A extends Attributes>(entity: Entity<A>, row: RowOf<A>): void;
  /** Removes a row that is there; throws `Error` if it is not. */
  remove(entity: Pick<Entity, 'name' | 'ordinal'>, id: RowId): void;
  /** Sends a message to another shard, once this turn is appended. */
  emit(to: ShardId, message: Message): void;
  /** Writes a line of the ledger. Throws `Error` unless its postings sum to zero per asset (T7). */
  post(draft: LedgerDraft): void;
  /** The generation in which this shard mints transactions, and the last number that it minted. */
  readonly minted: { readonly generation: number; readonly seq: number };
  /** The next transaction number of this shard; given once, ever. */
  mintSequence(): number;
  /** Completes an operation that an earlier turn, or this one, left open. */
  complete(operation: RowId, reply: Reply): void;
}
