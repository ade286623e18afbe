/**
 * A turn: one synchronous step of one shard, seen from inside. Handlers read tables and put, remove, post and emit; there is no
 * clock, no randomness and no waiting in here. If the handler refuses or throws, nothing of it has happened.
 */
import type { Instant, RowId, ShardId } from '#shared/units.ts';
import type { Attributes, Entity, NewValues, RowOf } from './entity.ts';
import type { Emitted, Message, Reply } from './message.ts';
import type { ChangeSet } from './change-set.ts';
import type { TableReader } from './table.ts';
import type { LedgerDraft } from './ledger.ts';

/** What a turn is told of other shards. The caller of the turn provides it, as it does the time. */
export interface Neighbours {
  /** Whether a shard is known not to load, because its file is damaged. False where nothing is known. */
  isUnloadable(shard: ShardId): boolean;
  /**
   * A shard that could take part in this turn: it is of this node, in memory, and has nothing to do.
   */
  partner(shard: ShardId): Partner | undefined;
}

/** A shard at rest. */
export interface Partner {
  /** Begins its part in a turn of another shard; `undefined` if it must not be touched. */
  join(now: Instant): JoinedTurn | undefined;
}

/** The part that a shard takes in a turn of another one. It ends with `keep` or `takeBack`, and takes no other turn before. */
export interface JoinedTurn {
  readonly turn: Turn;
  /** Ends it; what it changed is appended in one with the turn that it is a part of. */
  keep(): JoinedEffect;
  /** Ends it as if it had never begun. */
  takeBack(): void;
}

/** What a part has done; `changes` is `undefined` if it changed nothing. */
export interface JoinedEffect {
  readonly changes: ChangeSet | undefined;
  readonly emitted: readonly Emitted[];
}

/** Lives for one turn. */
export interface Turn {
  readonly shard: ShardId;
  /** The shard's time: never earlier than in any turn before. */
  readonly now: Instant;
  /** What is known of other shards. */
  readonly neighbours: Neighbours;
  /**
   * The turn of another shard as a part of this one: both are kept, in one write, or neither is.
   * `undefined` if that shard is not at hand: then only messages reach it. A turn joins one shard at
   * most; throws `Error` for another.
   */
  join(shard: ShardId): Turn | undefined;
  /** The row of the operation under way, if the message is a command with an `op`. */
  readonly operation: RowId | undefined;
  /** Rows of an entity, this turn's own changes included. */
  table<A extends Attributes>(entity: Entity<A>): TableReader<RowOf<A>>;
  /** Whether an entity has no row: the quickest question about it. */
  isEmpty(entity: Pick<Entity, 'ordinal'>): boolean;
  /** An id for a row that this turn may put. */
  reserveId(): RowId;
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
