/**
 * The feed of one node into the listing index: live changes, in batches, each starting where the one before ended; and a snapshot
 * whenever the index asks for one.
 *
 * 1. Changes come in the order of the journal, and only durable ones.
 * 2. A batch has the last change of each listing, and no other: what a listing was in between is never worked out.
 * 3. Whoever asks through `index` finds every durable change in it, unless a snapshot is under way; `lagMs` tells that.
 * 4. After a snapshot at some position only later changes follow: none is lost between the two, and none counts twice.
 * 5. Listings of a shard that cannot be loaded, which nobody could buy, are not in the index: neither from before nor through a snapshot.
 */
import { listingId } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import type { ShardId } from '#shared/units.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import type { FeedBatch, FeedChange, ListingIndex } from './listing-index.ts';

/** All rows of the node as of one durable position. */
export interface FeedSnapshot {
  readonly position: number;
  readonly changes: readonly FeedChange[];
}

/** What a feed needs. `Row` is a listing as its shard has it. */
export interface ListingFeedOptions<Row> {
  readonly index: ListingIndex;
  readonly node: string;
  /** Random per start of the node. */
  readonly incarnation: string;
  readonly platform: Pick<Platform, 'readings' | 'timers' | 'report'>;
  readonly snapshot: () => Promise<FeedSnapshot>;
  /** The rows of all listings of a shard that takes no turns meanwhile. */
  readonly rowsOf: (shard: ShardId) => Promise<readonly number[]>;
  /** Changes that wait at most, for instance for the end of a snapshot; a million by default. */
  readonly pendingMax?: number;
  /** What the index is to know of a row that a shard of that version has. */
  readonly indexed: (shard: ShardId, version: number, row: Row) => IndexedListing;
}

/** The last change of one listing since the last batch. Without a row it was removed. */
interface Pending<Row> {
  readonly id: number;
  position: number;
  version: number;
  row: Row | undefined;
  /** Another listing of the same shard. */
  readonly next: Pending<Row> | undefined;
}

/**
 * The position of what is not in the journal: that a shard cannot be loaded, and that it can again. It follows every snapshot, as the
 * snapshot may have been taken, or applied in part, before it. A change of the journal that comes later takes its place.
 */
const NOT_IN_JOURNAL = Number.POSITIVE_INFINITY;
/** Removes a row whatever version it was fed with. */
const ANY_VERSION = Number.MAX_SAFE_INTEGER;
/** Rows of a snapshot that are applied at once: each part holds up the node for a few milliseconds. */
const SNAPSHOT_PART_ROWS = 500;
/** Changes wait so long for others to go with them. Listings that come and go meanwhile cost the index nearly nothing. */
const BATCH_MS = 20;
/** Changes that wait for the end of a snapshot at most: as many as a snapshot of a large node has rows. */
const PENDING_MAX = 1_000_000;
/** How long a failed snapshot waits before it is tried again. */
const SNAPSHOT_RETRY_MS = 1_000;

/** See the head of this file. */
export class ListingFeed<Row extends { readonly id: number }> {
  /** The index, for whoever is to find in it what was acknowledged. */
  readonly index: ListingIndex;
  readonly #options: ListingFeedOptions<Row>;
  /** By shard and not by listing: the id of a listing is a text that would have to be made for each change. */
  #pendingByShard = new Map<ShardId, Pending<Row>>();
  readonly #hidden = new Set<ShardId>();
  /** How many changes have come since the last batch, or more. */
  #pendingCount = 0;
  /** Whether changes were forgotten that only a later snapshot has for certain. */
  #hasLost = false;
  #pendingSinceMs: number | undefined;
  #pendingTo = 0;
  #fed = 0;
  #phase: 'snapshot' | 'live' | 'stopped' = 'snapshot';
  #cancelBatch: Cancel | undefined;

  constructor(options: ListingFeedOptions<Row>) {
    this.#options = options;
    this.index = this.#caughtUp(options.index);
  }

  /** How long the oldest change has waited that the index does not know yet, in milliseconds. */
  get lagMs(): number {
    return this.#pendingSinceMs === undefined ? 0 : Math.max(0, this.#options.platform.readings.monotonicMs() - this.#pendingSinceMs);
  }

  /** Gives the index everything that there is; resolves when it has it. */
  async start(): Promise<void> {
    await this.#snapshot();
    this.#flush();
  }

  /** Takes a listing that a durable turn has put. */
  put(position: number, shard: ShardId, version: number, row: Row): void {
    this.#note(position, shard, version, row.id, row);
  }

  /** Takes that a durable turn has removed a listing. */
  remove(position: number, shard: ShardId, version: number, id: number): void {
    this.#note(position, shard, version, id, undefined);
  }

  /**
   * Takes that a shard cannot be loaded: its listings leave the index, and stay out of it until `show`. To be told again while it lasts: if
   * its listings could not be looked up, they are still shown.
   */
  hide(shard: ShardId): void {
    this.#hidden.add(shard);
    this.#options.rowsOf(shard).then(
      (ids) => {
        if (this.#hidden.has(shard)) for (const id of ids) this.#note(NOT_IN_JOURNAL, shard, ANY_VERSION, id, undefined);
      },
      (error: unknown) => this.#options.platform.report({ level: 'error', message: `listings of ${shard} are still shown`, error }),
    );
  }

  /** Takes that a shard that was hidden is there again, as of that durable version, with these listings. */
  show(shard: ShardId, version: number, rows: readonly Row[]): void {
    if (!this.#hidden.delete(shard)) return;
    for (const row of rows) this.#note(NOT_IN_JOURNAL, shard, version, row.id, row);
  }

  /** Feeds no more. */
  stop(): void {
    this.#phase = 'stopped';
    this.#cancelBatch?.();
    this.#forget();
  }

  #note(position: number, shard: ShardId, version: number, id: number, row: Row | undefined): void {
    if (this.#phase === 'stopped') return;
    const newest = this.#pendingByShard.get(shard);
    let known = newest;
    while (known !== undefined && known.id !== id) known = known.next;
    if (known === undefined) {
      this.#pendingByShard.set(shard, { id, position, version, row, next: newest });
      if (++this.#pendingCount > (this.#options.pendingMax ?? PENDING_MAX)) this.#lose();
    } else {
      known.position = position;
      known.version = version;
      known.row = row;
    }
    if (position !== NOT_IN_JOURNAL) this.#pendingTo = position;
    this.#pendingSinceMs ??= this.#options.platform.readings.monotonicMs();
    this.#cancelBatch ??= this.#options.platform.timers.after(BATCH_MS, () => {
      this.#cancelBatch = undefined;
      this.#flush();
    });
  }

  /** Gives the index what waits for the next batch. During a snapshot it goes on waiting: what follows a snapshot must be later than it. */
  #flush(): void {
    if (this.#phase !== 'live' || (this.#pendingByShard.size === 0 && !this.#hasLost)) return;
    if (!this.#hasLost && this.#apply({ from: this.#fed, to: Math.max(this.#fed, this.#pendingTo), changes: this.#changes() })) {
      this.#forget();
      this.#pendingSinceMs = undefined;
      return;
    }
    this.#phase = 'snapshot';
    void this.#snapshot().then(() => this.#flush());
  }

  /** A new map each time: one that is cleared keeps what was in it reachable from where it was. */
  #forget(): void {
    this.#pendingByShard = new Map();
    this.#pendingCount = 0;
  }

  /** Too much waits: it is forgotten, and a snapshot is taken, or another one, which has it. */
  #lose(): void {
    this.#forget();
    this.#hasLost = true;
  }

  #changes(): readonly FeedChange[] {
    const changes: FeedChange[] = [];
    for (const [shard, newest] of this.#pendingByShard) {
      for (let each: Pending<Row> | undefined = newest; each !== undefined; each = each.next) {
        const { id, version, row } = each;
        if (row === undefined) changes.push({ kind: 'remove', id: listingId(id, shard), version });
        else changes.push({ kind: 'put', row: this.#options.indexed(shard, version, row) });
      }
    }
    return changes;
  }

  async #snapshot(): Promise<void> {
    while (this.#phase === 'snapshot') {
      try {
        this.#hasLost = false;
        const { position, changes } = await this.#options.snapshot();
        if ((await this.#applySnapshot(position, changes)) && !this.#hasLost) return this.#goLive(position);
      } catch (error) {
        this.#options.platform.report({ level: 'error', message: 'the listing index could not be given a snapshot', error });
      }
      await this.#pause(SNAPSHOT_RETRY_MS);
    }
  }

  async #applySnapshot(position: number, changes: readonly FeedChange[]): Promise<boolean> {
    const part = (start: number): readonly FeedChange[] => this.#shown(changes.slice(start, start + SNAPSHOT_PART_ROWS));
    if (!this.#apply({ from: position, to: position, snapshot: true, changes: part(0) })) return false;
    for (let start = SNAPSHOT_PART_ROWS; start < changes.length; start += SNAPSHOT_PART_ROWS) {
      await this.#pause(0);
      if (!this.#apply({ from: position, to: position, changes: part(start) })) return false;
    }
    return true;
  }

  #shown(changes: readonly FeedChange[]): readonly FeedChange[] {
    return this.#hidden.size === 0 ? changes : changes.filter((change) => change.kind === 'remove' || !this.#hidden.has(change.row.shard));
  }

  /** The index has everything up to a position: what waits and is not later has gone with it. */
  #goLive(position: number): void {
    if (this.#phase === 'stopped') return;
    for (const [shard, newest] of this.#pendingByShard) {
      const left = laterThan(position, newest);
      if (left === undefined) this.#pendingByShard.delete(shard);
      else this.#pendingByShard.set(shard, left);
    }
    if (this.#pendingByShard.size === 0) this.#pendingSinceMs = undefined;
    this.#phase = 'live';
  }

  #apply(batch: Omit<FeedBatch, 'node' | 'incarnation'>): boolean {
    const { index, node, incarnation } = this.#options;
    const answer = index.apply({ node, incarnation, ...batch });
    if (answer.kind === 'snapshot-needed') return false;
    this.#fed = answer.to;
    return true;
  }

  #pause(ms: number): Promise<void> {
    const { timers } = this.#options.platform;
    return new Promise((resolve) => {
      if (ms === 0) timers.defer(resolve);
      else timers.after(ms, resolve);
    });
  }

  #caughtUp(index: ListingIndex): ListingIndex {
    const ask = <T>(question: () => T): T => {
      this.#flush();
      return question();
    };
    return {
      apply: (batch) => index.apply(batch),
      search: (query) => ask(() => index.search(query)),
      get: (id) => ask(() => index.get(id)),
      stats: () => ask(() => index.stats()),
    };
  }
}

function laterThan<Row>(position: number, newest: Pending<Row>): Pending<Row> | undefined {
  let later: Pending<Row> | undefined;
  for (let each: Pending<Row> | undefined = newest; each !== undefined; each = each.next) {
    if (each.position > position) later = { ...each, next: later };
  }
  return later;
}
