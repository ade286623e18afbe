/**
 * The changes that the index does not know yet: of each listing the last one.
 *
 * Kept by shard, and within a shard as a list: the id of a listing is a text that would have to be
 * made for each change.
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

/** Changes of one node that wait. */
export class PendingChanges<Row> {
  #byShard = new Map<ShardId, ListingChange<Row>[]>();
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Adds a change, in the place of an earlier one of the same listing. */
  add(change: ListingChange<Row>): void {
    const known = this.#byShard.get(change.shard);
    const place = known?.findLastIndex(({ id }) => id === change.id) ?? -1;
    if (known !== undefined && place >= 0) {
      known[place] = change;
      return;
    }
    if (known === undefined) this.#byShard.set(change.shard, [change]);
    else known.push(change);
    this.#count += 1;
  }

  /** Takes out all changes, shard by shard. */
  drain(): ReadonlyMap<ShardId, ListingChange<Row>[]> {
    // A new map each time: one that is cleared keeps what was in it reachable from where it was.
    const drained = this.#byShard;
    this.#byShard = new Map();
    this.#count = 0;
    return drained;
  }

  /** Puts back changes of a shard that `drain` gave, before others of it are added. */
  putBack(shard: ShardId, changes: ListingChange<Row>[]): void {
    if (changes.length > 0) this.#byShard.set(shard, changes);
    this.#count += changes.length;
  }
}
