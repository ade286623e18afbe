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

  /** The changes, shard by shard; those of a shard may be taken out on the way. */
  [Symbol.iterator](): IterableIterator<[ShardId, ListingChange<Row>[]]> {
    return this.#byShard[Symbol.iterator]();
  }

  /** Takes out the changes of a shard. */
  take(shard: ShardId): void {
    const known = this.#byShard.get(shard);
    if (known === undefined) return;
    this.#byShard.delete(shard);
    this.#count -= known.length;
    // A map that has emptied keeps what was in it reachable from where it was.
    if (this.#count === 0) this.#byShard = new Map();
  }

  /** Keeps of the changes of a shard those that follow a position. */
  keepAfter(shard: ShardId, position: Position): void {
    const known = this.#byShard.get(shard) ?? [];
    const later = known.filter((change) => change.position > position);
    if (later.length === 0) return this.take(shard);
    // In its place: an iteration under way does not come to it again.
    this.#byShard.set(shard, later);
    this.#count -= known.length - later.length;
  }

  /** Takes out everything. */
  clear(): void {
    this.#byShard = new Map();
    this.#count = 0;
  }
}
