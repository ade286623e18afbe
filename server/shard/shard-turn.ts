/** The turn as the shard makes it: the one implementation of `Turn`, over the shard's state. */
import type { Instant, RowId, ShardId } from '#shared/units.ts';
import type { Attributes, Entity, NewValues, RowOf } from './entity.ts';
import type { Emitted, Message, Reply } from './message.ts';
import { finish } from './operations.ts';
import type { Counters, ShardState } from './shard-state.ts';
import type { TableReader } from './table.ts';
import type { JoinedTurn, Neighbours, Turn } from './turn.ts';
import { unbalancedAsset, type LedgerDraft, type LedgerEntry } from './ledger.ts';

/** An operation that a turn completed, for the cell to answer with. */
export interface Completed {
  readonly operation: RowId;
  readonly reply: Reply;
}

/** Most turns emit, complete and post one thing of each, if any: an array of exactly that many is made then. */
const NOTHING: never[] = [];

function added<T>(list: T[], one: T): T[] {
  if (list === NOTHING) return [one];
  list.push(one);
  return list;
}

/** Nothing is known of any other shard. */
const NO_NEIGHBOURS: Neighbours = { isUnloadable: () => false, partner: () => undefined };

/** The one implementation of `Turn`. */
export class ShardTurn implements Turn {
  readonly shard: ShardId;
  readonly now: Instant;
  readonly neighbours: Neighbours;
  operation: RowId | undefined;
  emitted: Emitted[] = NOTHING;
  completed: Completed[] = NOTHING;
  ledger: LedgerEntry[] = NOTHING;
  /** The part of another shard, if it has one. */
  joined: JoinedTurn | undefined;
  /** What a refusal goes back to. */
  readonly start: Counters;
  readonly #state: ShardState;

  constructor(state: ShardState, now: Instant, neighbours: Neighbours = NO_NEIGHBOURS) {
    this.#state = state;
    this.start = state.counters;
    this.neighbours = neighbours;
    this.shard = state.shard;
    this.now = now;
  }

  table<A extends Attributes>(entity: Entity<A>): TableReader<RowOf<A>> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `put` and `restore` let in rows of the table's entity only.
    return this.#state.table(entity) as unknown as TableReader<RowOf<A>>;
  }

  isEmpty(entity: Pick<Entity, 'ordinal'>): boolean {
    return this.#state.isEmpty(entity);
  }

  join(shard: ShardId): Turn | undefined {
    if (this.joined !== undefined) throw new Error(`${this.shard} takes one turn with two other shards, of which one is ${shard}`);
    this.joined = this.neighbours.partner(shard)?.join(this.now);
    return this.joined?.turn;
  }

  reserveId(): RowId {
    const id = this.#state.nextId;
    this.#state.nextId++;
    return id;
  }

  insert<A extends Attributes>(entity: Entity<A>, values: NewValues<A>): RowOf<A> {
    const row = entity.newRow(values, this.reserveId());
    this.#state.table(entity).put(row);
    return row;
  }

  put<A extends Attributes>(entity: Entity<A>, row: RowOf<A>): void {
    if (row.id >= this.#state.nextId) throw new Error(`the id ${row.id} of a row of ${entity.name} was never given`);
    this.#state.table(entity).put(row);
  }

  remove(entity: Pick<Entity, 'name' | 'ordinal'>, id: RowId): void {
    this.#state.table(entity).remove(id);
  }

  emit(to: ShardId, message: Message): void {
    this.emitted = added(this.emitted, { to, message });
  }

  post(draft: LedgerDraft): void {
    const asset = unbalancedAsset(draft.postings);
    if (asset !== undefined) throw new Error(`the postings of ${draft.cause} do not sum to zero in ${asset}`);
    const { cause, tx, balance, postings } = draft;
    this.ledger = added(this.ledger, { seq: ++this.#state.ledgerSeq, at: this.now, cause, tx, balance, postings });
  }

  get minted(): { readonly generation: number; readonly seq: number } {
    return { generation: this.#state.generation, seq: this.#state.seq };
  }

  mintSequence(): number {
    return ++this.#state.seq;
  }

  complete(operation: RowId, reply: Reply): void {
    finish(this, operation, reply);
    this.completed = added(this.completed, { operation, reply });
  }
}
