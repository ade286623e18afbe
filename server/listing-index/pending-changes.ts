/**
 * The changes that the index does not know yet: of each listing the last one.
 *
 * Kept by shard, and within a shard as a list: the id of a listing is a text that would have to be made for each change.
 */
import type { Position, RowId, ShardId, ShardVersion } from '#shared/units.ts';

/** What became of a listing in a turn. Without a row it was removed. */
export interface ListingChange<Row> {
  /** Of the turn, in the node's journal. */
  readonly position: Position;
  readonly shard: ShardId;
  /** Of the shard, after the turn. */
  readonly version: ShardVersion;
  readonly id: RowId;
  readonly row: Row | undefined;
}

/** The last change of one listing. */
interface Pending<Row> {
  readonly id: RowId;
  change: ListingChange<Row>;
  /** Another listing of the same shard. */
  readonly next: Pending<Row> | undefined;
}

/** Changes of one node that wait. */
export class PendingChanges<Row> {
  #newestByShard = new Map<ShardId, Pending<Row>>();
  #count = 0;

  /** How many there are, or a few more. */
  get count(): number {
    return this.#count;
  }

  /** Adds a change, in the place of an earlier one of the same listing. */
  add(change: ListingChange<Row>): void {
    const newest = this.#newestByShard.get(change.shard);
    let known = newest;
    while (known !== undefined && known.id !== change.id) known = known.next;
    if (known !== undefined) {
      known.change = change;
      return;
    }
    this.#newestByShard.set(change.shard, { id: change.id, change, next: newest });
    this.#count += 1;
  }

  /** Gives the changes to `give`, shard by shard, and forgets them, but for those of shards that it answers `keep`. */
  drain(give: (shard: ShardId, changes: Iterable<ListingChange<Row>>) => 'given' | 'keep'): void {
    // A new map each time: one that is cleared keeps what was in it reachable from where it was.
    const drained = this.#newestByShard;
    this.clear();
    for (const [shard, newest] of drained) {
      if (give(shard, each(newest)) === 'given') continue;
      this.#newestByShard.set(shard, newest);
      for (const _ of each(newest)) this.#count += 1;
    }
  }

  /** Forgets what is not later than a position, of the shards named. */
  dropThrough(position: Position, isOfShard: (shard: ShardId) => boolean): void {
    for (const [shard, newest] of this.#newestByShard) {
      if (!isOfShard(shard)) continue;
      let later: Pending<Row> | undefined;
      for (const change of each(newest)) if (change.position > position) later = { id: change.id, change, next: later };
      if (later === undefined) this.#newestByShard.delete(shard);
      else this.#newestByShard.set(shard, later);
    }
  }

  clear(): void {
    this.#newestByShard = new Map();
    this.#count = 0;
  }
}

function* each<Row>(newest: Pending<Row>): Iterable<ListingChange<Row>> {
  for (let pending: Pending<Row> | undefined = newest; pending !== undefined; pending = pending.next) yield pending.change;
}
