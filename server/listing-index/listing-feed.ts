/**
 * The feed of one node into the listing index. It owns what waits to be sent, and how the index knows each open cell.
 *
 * A cell is opened by a snapshot of its rows, and is live after that: its changes go in batches, each of which starts
 * where the one before ended. Cells that wait for a snapshot at the same time are read together, one reading at a time.
 *
 * F1. Changes are sent in the order of the journal, and only durable ones.
 * F2. A batch has the last change of each listing, and no other: what a listing was in between is not worked out.
 * F3. After `flush` every durable change of live cells is on its way. Those of a cell that is not live wait for its
 *     snapshot, and the position that the index is told does not pass them.
 * F4. After a snapshot at some position only later changes of the cell follow: none is lost between the two, and none
 *     counts twice.
 * F5. Listings of a shard that cannot be loaded, which could not be bought, are not in the index: neither from before
 *     nor through a snapshot.
 * F6. One batch is on its way at a time. If it is not known to have been taken, all cells are opened again: their
 *     snapshots are read after it was sent, and so have what was in it.
 */
import { listingId } from '#shared/address.ts';
import type { CellEpoch } from '#shared/cell.ts';
import type { IndexedListing } from '#shared/search.ts';
import {
  NO_POSITION,
  type NodeName,
  type Position,
  position,
  type RowId,
  type ShardId,
  type ShardVersion,
  shardVersion,
} from '#shared/units.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import { ChangesByCell, OpenCells, type OpenCell } from './open-cells.ts';
import { PendingChanges, type ListingChange } from './pending-changes.ts';
import type { CellChanges, FeedAnswer, FeedMessage, ListingIndexService } from './service.ts';

/** All rows of some cells as of one durable position. */
export interface FeedSnapshot {
  readonly position: Position;
  readonly rows: readonly IndexedListing[];
}

/** What a feed needs. `Row` is a listing as its shard has it. */
export interface ListingFeedOptions<Row> {
  readonly index: Pick<ListingIndexService, 'apply'>;
  readonly node: NodeName;
  /** Random per start of the node. */
  readonly incarnation: string;
  readonly cellsPerMarket: number;
  readonly platform: Pick<Platform, 'readings' | 'timers' | 'report'>;
  /** Reads the rows of these cells; it may give others, too. */
  readonly snapshot: (cells: readonly CellEpoch[]) => Promise<FeedSnapshot>;
  /** The rows of all listings of a shard that takes no turns meanwhile. */
  readonly rowsOf: (shard: ShardId) => Promise<readonly RowId[]>;
  /** Changes that wait at most, for instance for the end of a snapshot; a million by default. */
  readonly pendingMax?: number;
  /** What the index is to know of a row that a shard of that version has. */
  readonly indexed: (shard: ShardId, version: ShardVersion, row: Row) => IndexedListing;
}

/** How the index stands towards what the feed has heard. */
type State =
  /** The index knows everything. */
  | { readonly kind: 'current' }
  /** Changes wait since then; without a timer, for the end of a snapshot. */
  | { readonly kind: 'behind'; readonly sinceMs: number; readonly cancelTimer: Cancel | undefined }
  /** A batch is on its way, and since `laterSinceMs` more waits, which goes as soon as the batch is taken if that `isUrgent`. */
  | { readonly kind: 'sending'; readonly sinceMs: number; laterSinceMs: number | undefined; isUrgent: boolean }
  | { readonly kind: 'stopped' };

/**
 * The position of what is not in the journal: that a shard cannot be loaded, and that it can again. It follows every
 * snapshot, as that may have been read, or sent in part, before it. A later change of the journal takes its place.
 */
const NOT_IN_JOURNAL = position(Number.MAX_SAFE_INTEGER);
/** Removes a row whatever version it was fed with. */
const ANY_VERSION = shardVersion(Number.MAX_SAFE_INTEGER);
/** Rows of a snapshot that are sent at once: each part holds up the node for a few milliseconds. */
const PART_ROWS = 500;
/** Changes wait this long for others to go with them. Listings that come and go meanwhile cost the index nearly nothing. */
const BATCH_MS = 20;
/** Changes that wait for the end of a snapshot at most: as many as a snapshot of a large node has rows. */
const PENDING_MAX = 1_000_000;
/** How long a failed snapshot waits before it is tried again. */
const SNAPSHOT_RETRY_MS = 1_000;

/** The feed; `Row` is a listing as its shard has it. */
export class ListingFeed<Row extends { readonly id: RowId }> {
  readonly #options: ListingFeedOptions<Row>;
  readonly #cells: OpenCells;
  readonly #pending = new PendingChanges<Row>();
  readonly #hidden = new Set<ShardId>();
  #state: State = { kind: 'current' };
  /** The last position of which a change was heard, or of a snapshot. */
  #heardTo = NO_POSITION;
  /** Up to where the index knows the journal; `undefined` if it does not know this life, or no longer. */
  #fedTo: Position | undefined;
  /** Snapshots under way, until every open cell is live. */
  #snapshots: Promise<void> | undefined;

  constructor(options: ListingFeedOptions<Row>) {
    this.#options = options;
    this.#cells = new OpenCells(options.cellsPerMarket);
  }

  /** How long the oldest change has waited that the index does not know yet, in milliseconds. */
  get lagMs(): number {
    const state = this.#state;
    return state.kind === 'behind' || state.kind === 'sending' ? Math.max(0, this.#nowMs - state.sinceMs) : 0;
  }

  /** Feeds these cells from now on, too. Resolves as `allLive` does. */
  openCells(cells: readonly CellEpoch[]): Promise<void> {
    for (const cell of cells) this.#cells.open(cell);
    return this.allLive();
  }

  /** Resolves when the index has the rows of every open cell. */
  allLive(): Promise<void> {
    return this.#takeSnapshots();
  }

  /** Feeds this cell no more. Its rows stay in the index until its next owner opens it. */
  closeCell(cell: CellEpoch): void {
    this.#cells.close(cell);
  }

  /** Takes what a durable turn has made of a listing. */
  take(change: ListingChange<Row>): void {
    this.#add(change);
    this.#heardTo = change.position;
  }

  /**
   * Takes that a shard cannot be loaded: its listings leave the index, and stay out of it until `show`. To be told again
   * while it lasts: if its listings could not be looked up, they are still shown.
   */
  hide(shard: ShardId): void {
    this.#hidden.add(shard);
    this.#options.rowsOf(shard).then(
      (ids) => {
        if (!this.#hidden.has(shard)) return;
        for (const id of ids) this.#add({ position: NOT_IN_JOURNAL, shard, version: ANY_VERSION, id, row: undefined });
      },
      (error: unknown) => this.#options.platform.report({ level: 'error', message: `listings of ${shard} are still shown`, error }),
    );
  }

  /** Takes that a shard that was hidden is there again, as of that durable version, with these listings. */
  show(shard: ShardId, version: ShardVersion, rows: readonly Row[]): void {
    if (!this.#hidden.delete(shard)) return;
    for (const row of rows) this.#add({ position: NOT_IN_JOURNAL, shard, version, id: row.id, row });
  }

  /** Sends what waits now; returns the position that the index has to reach to know all that `atLeast` asks for. */
  flush(atLeast: Position): Position {
    this.#send();
    return atLeast < this.#heardTo ? atLeast : this.#heardTo;
  }

  /** Feeds no more. */
  stop(): void {
    this.#cancelTimer();
    this.#state = { kind: 'stopped' };
    this.#pending.clear();
  }

  get #nowMs(): number {
    return this.#options.platform.readings.monotonicMs();
  }

  get #isStopped(): boolean {
    return this.#state.kind === 'stopped';
  }

  #add(change: ListingChange<Row>): void {
    const state = this.#state;
    if (state.kind === 'stopped') return;
    this.#pending.add(change);
    if (state.kind === 'sending') state.laterSinceMs ??= this.#nowMs;
    else this.#startTimer(state.kind === 'behind' ? state : undefined);
    if (this.#pending.count > (this.#options.pendingMax ?? PENDING_MAX)) this.#forget();
  }

  /** The next batch goes when the timer rings; one that is set already stays. */
  #startTimer(behind?: { readonly sinceMs: number; readonly cancelTimer: Cancel | undefined }): void {
    if (behind?.cancelTimer !== undefined) return;
    const sinceMs = behind?.sinceMs ?? this.#nowMs;
    const cancelTimer = this.#options.platform.timers.after(BATCH_MS, () => {
      this.#state = { kind: 'behind', sinceMs, cancelTimer: undefined };
      this.#send();
    });
    this.#state = { kind: 'behind', sinceMs, cancelTimer };
  }

  #cancelTimer(): void {
    if (this.#state.kind === 'behind') this.#state.cancelTimer?.();
  }

  /** Sends what waits of live cells, and up to where everything is known with it. */
  #send(): void {
    const state = this.#state;
    if (state.kind === 'sending') state.isUrgent = true;
    if (state.kind === 'sending' || state.kind === 'stopped' || this.#fedTo === undefined) return;
    const { cells, isHeld } = this.#drained();
    const from = this.#fedTo;
    const to = isHeld || this.#heardTo < from ? from : this.#heardTo;
    this.#cancelTimer();
    const sinceMs = state.kind === 'behind' ? state.sinceMs : this.#nowMs;
    if (cells.length === 0 && from === to) {
      this.#state = isHeld ? { kind: 'behind', sinceMs, cancelTimer: undefined } : { kind: 'current' };
      return;
    }
    this.#state = { kind: 'sending', sinceMs, laterSinceMs: isHeld ? sinceMs : undefined, isUrgent: false };
    void this.#deliver({ kind: 'changes', from, to, cells });
  }

  async #deliver(batch: FeedMessage): Promise<void> {
    const answer = await this.#apply(batch).catch((error: unknown): FeedAnswer => {
      this.#options.platform.report({ level: 'error', message: 'the listing index does not take changes', error });
      return { kind: 'snapshot-needed' };
    });
    const state = this.#state;
    if (state.kind !== 'sending') return;
    const { laterSinceMs, isUrgent } = state;
    if (answer.kind === 'snapshot-needed') this.#state = { kind: 'behind', sinceMs: state.sinceMs, cancelTimer: undefined };
    else if (laterSinceMs === undefined) this.#state = { kind: 'current' };
    else if (isUrgent) this.#state = { kind: 'behind', sinceMs: laterSinceMs, cancelTimer: undefined };
    else this.#startTimer({ sinceMs: laterSinceMs, cancelTimer: undefined });
    if (answer.kind === 'snapshot-needed') this.#openAgain();
    else if (isUrgent) this.#send();
  }

  /** The changes of live cells, by cell. Those of cells that wait for a snapshot go on waiting; those of closed ones go. */
  #drained(): { readonly cells: readonly CellChanges[]; readonly isHeld: boolean } {
    // Without a live cell nothing can be sent, and what waits may be much.
    if (!this.#cells.isAnyLive) return { cells: [], isHeld: this.#pending.count > 0 };
    const changes = new ChangesByCell();
    let isHeld = false;
    this.#pending.drain((shard, pending) => {
      const open = this.#cells.of(shard);
      if (open === undefined) return 'given';
      if (open.phase !== 'live') {
        isHeld = true;
        return 'keep';
      }
      const ofCell = changes.of(open);
      for (const { id, version, row } of pending) {
        if (row === undefined) ofCell.push({ kind: 'remove', id: listingId(id, shard), version });
        else ofCell.push({ kind: 'put', row: this.#options.indexed(shard, version, row) });
      }
      return 'given';
    });
    return { cells: changes.all, isHeld };
  }

  /** Too much waits: it is forgotten, and snapshots are taken, or others than those under way, which have it. */
  #forget(): void {
    this.#pending.clear();
    this.#cells.awaitSnapshots();
    void this.#takeSnapshots();
  }

  /** The index has lost its place. */
  #openAgain(): void {
    this.#fedTo = undefined;
    this.#cells.awaitSnapshots();
    void this.#takeSnapshots();
  }

  /** Brings all open cells to life; what is opened meanwhile, too. */
  #takeSnapshots(): Promise<void> {
    this.#snapshots ??= this.#snapshotsTaken().finally(() => (this.#snapshots = undefined));
    return this.#snapshots;
  }

  async #snapshotsTaken(): Promise<void> {
    await Promise.resolve(); // What is opened in the same go is read together.
    for (;;) {
      const { waiting } = this.#cells;
      if (waiting.length === 0 || this.#isStopped) return;
      if (!(await this.#isSnapshotTaken(waiting))) await this.#pause(SNAPSHOT_RETRY_MS);
    }
  }

  /** Whether all of these cells that are still open are live now. */
  async #isSnapshotTaken(waiting: readonly OpenCell[]): Promise<boolean> {
    for (const open of waiting) open.phase = 'snapshot';
    try {
      const position = await this.#snapshotPosition(waiting.map(({ cell }) => cell));
      const taken = new Set(waiting.filter(({ phase }) => phase === 'snapshot'));
      if (position !== undefined && !this.#isStopped) this.#goLive(taken, position);
    } catch (error) {
      this.#options.platform.report({ level: 'error', message: 'the listing index could not be given a snapshot', error });
    }
    for (const open of waiting) if (open.phase === 'snapshot') open.phase = 'waiting';
    return waiting.every((open) => open.phase === 'live' || !this.#cells.has(open));
  }

  /** Gives the index the rows of these cells as of the position returned; `undefined` if it has lost its place. */
  async #snapshotPosition(cells: readonly CellEpoch[]): Promise<Position | undefined> {
    // An index that does not answer is found out before all rows are read for it.
    if (this.#fedTo === undefined && !(await this.#isApplied({ kind: 'open', cells: [] }))) return undefined;
    const { position, rows } = await this.#options.snapshot(cells);
    if (!(await this.#isApplied({ kind: 'open', cells }))) return undefined;
    for (let start = 0; start < rows.length; start += PART_ROWS) {
      if (start > 0) await this.#pause(0);
      if (!(await this.#isApplied({ kind: 'rows', cells: this.#partOf(rows.slice(start, start + PART_ROWS)) }))) return undefined;
    }
    return position;
  }

  /** Rows of a snapshot by cell, without those of hidden shards, and of cells that are open no more. */
  #partOf(rows: readonly IndexedListing[]): readonly CellChanges[] {
    const changes = new ChangesByCell();
    for (const row of rows) {
      const open = this.#hidden.has(row.shard) ? undefined : this.#cells.of(row.shard);
      if (open?.phase === 'snapshot') changes.of(open).push({ kind: 'put', row });
    }
    return changes.all;
  }

  /** The index has everything of these cells up to a position: what waits and is not later has gone with it. */
  #goLive(opened: ReadonlySet<OpenCell>, position: Position): void {
    this.#pending.dropThrough(position, (shard) => {
      const open = this.#cells.of(shard);
      return open !== undefined && opened.has(open);
    });
    for (const open of opened) open.phase = 'live';
    if (position > this.#heardTo) this.#heardTo = position;
    this.#send();
  }

  /** Whether the index took the batch; after the first that it does, it knows this life. */
  async #isApplied(batch: FeedMessage): Promise<boolean> {
    const answer = await this.#apply(batch);
    if (this.#isStopped || answer.kind === 'snapshot-needed') {
      this.#fedTo = undefined;
      return false;
    }
    this.#fedTo ??= answer.to;
    return true;
  }

  async #apply(batch: FeedMessage): Promise<FeedAnswer> {
    const { index, node, incarnation } = this.#options;
    const answer = await index.apply({ node, incarnation, ...batch });
    if (answer.kind === 'snapshot-needed') return answer;
    if (batch.kind === 'changes') this.#fedTo = answer.to;
    for (const cell of answer.outdated) {
      const message = `the index knows another owner of cell ${cell.cell} of ${cell.market}, which is fed no more`;
      this.#options.platform.report({ level: 'error', message });
      this.closeCell(cell);
    }
    return answer;
  }

  #pause(ms: number): Promise<void> {
    const { timers } = this.#options.platform;
    return new Promise((resolve) => {
      if (ms === 0) timers.defer(resolve);
      else timers.after(ms, resolve);
    });
  }
}
