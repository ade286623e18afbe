/**
 * One node's end of the listing index: it feeds the index, and asks it for what is at least as new
 * as the node's own journal. It owns the open cells, and what waits to be sent.
 *
 * A cell is opened by a snapshot of its rows, and is live after that: its changes go in batches,
 * each of which starts where the one before ended. Cells that wait for a snapshot at the same time
 * are read together, one reading at a time.
 *
 * F1. Changes are sent in the order of the journal, and only durable ones.
 * F2. A batch has the last change of each listing, and no other: what a listing was in between is not worked out.
 * F3. After `flush` every durable change of live cells is on its way, or follows as soon as the index takes it. Those
 *     that come during the snapshot of a cell wait for its end; those from before are in it, and are lost. The position
 *     that the index is told passes neither. A cell that is closed is forgotten when all of its changes were taken.
 * F4. After a snapshot at some position only later changes of the cell follow: none is lost between the two, and none
 *     counts twice.
 * F5. Listings of a shard that cannot be loaded, which could not be bought, are not in the index: neither from before
 *     nor through a snapshot.
 * F6. One batch of changes is on its way at a time, and two of a snapshot. If one is not known to have been taken, or the
 *     index was away, all cells are opened again: their snapshots are read after it was sent, and so have what was in it.
 *     While the index is away nothing is read or kept.
 * F7. A batch is bounded, and so is the time that it takes to make it; the node has turns in between.
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
import { FedCells, type FedCell } from './fed-cells.ts';
import { PendingChanges, type ListingChange } from './pending-changes.ts';
import {
  IndexAwayError,
  type CellChanges,
  type FeedChange,
  type FeedMessage,
  type FoundListings,
  type IndexStats,
  type ListingIndexService,
  type SearchAnswer,
  type SearchQuery,
} from './service.ts';

/** All rows of some cells as of one durable position. */
export interface FeedSnapshot {
  readonly position: Position;
  /** Gone through once, and slowly: a row is best made when its turn comes. */
  readonly rows: Iterable<IndexedListing>;
}

/**
 * What a search of a node found. `lagMs` is 0 if that includes all that was asked for; otherwise it is for how long the
 * index has lacked a change, or whole cells of this node, at least 1.
 */
export type FoundAtNode = (FoundListings & { readonly lagMs: number }) | Exclude<SearchAnswer, FoundListings>;

/** What a feed needs. `Row` is a listing as its shard has it. */
export interface ListingFeedOptions<Row> {
  readonly index: ListingIndexService;
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
  /** Changes wait since then: for the timer or, without one, for the end of a snapshot. */
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
/** Rows of a snapshot, or changes, that are sent at once: each part holds up the node for a few milliseconds. */
const PART_ROWS = 500;
/** Changes wait this long for others to go with them. Listings that come and go meanwhile cost the index nearly nothing. */
const BATCH_MS = 20;
/** Changes that wait for the end of a snapshot at most: as many as a snapshot of a large node has rows. */
const PENDING_MAX = 1_000_000;
/** How long a failed snapshot waits before it is tried again. */
const SNAPSHOT_RETRY_MS = 1_000;

const newChanges = (): FeedChange[] => [];
const byCellList = (byCell: ReadonlyMap<FedCell, readonly FeedChange[]>): readonly CellChanges[] =>
  Array.from(byCell, ([{ cell }, changes]) => ({ cell, changes }));

/** The feed; `Row` is a listing as its shard has it. */
export class ListingFeed<Row extends { readonly id: RowId }> {
  readonly #options: ListingFeedOptions<Row>;
  readonly #cells: FedCells;
  readonly #pending = new PendingChanges<Row>();
  readonly #hidden = new Set<ShardId>();
  #state: State = { kind: 'current' };
  /** The last position of which a change was heard, or of a snapshot. */
  #heardTo = NO_POSITION;
  /** Up to where the index knows the journal; `undefined` if it does not know this life, or no longer. */
  #fedTo: Position | undefined;
  /** How often the index has lost this life: what was said before the last time counts no more. */
  #losses = 0;
  /** Snapshots under way, as long as an open cell is not live, and since when. */
  #snapshots: Promise<void> | undefined;
  #snapshotsSinceMs = 0;

  constructor(options: ListingFeedOptions<Row>) {
    this.#options = options;
    this.#cells = new FedCells(options.cellsPerMarket);
    void this.#watchLosses();
  }

  /** For how long the index has lacked a change, or cells, in milliseconds; 0 if it lacks nothing. */
  get lagMs(): number {
    const state = this.#state;
    const changeMs = state.kind === 'behind' || state.kind === 'sending' ? this.#nowMs - state.sinceMs : 0;
    return Math.max(0, changeMs, this.#lacksCells ? this.#nowMs - this.#snapshotsSinceMs : 0);
  }

  /**
   * Searches the index. The answer includes everything up to `atLeast`, a durable position of this
   * node's journal, unless it says otherwise.
   */
  async search(query: SearchQuery, { atLeast }: { readonly atLeast: Position }): Promise<FoundAtNode> {
    const { index, node } = this.#options;
    const lackedCells = this.#lacksCells;
    const answer = await index.search(query, { atLeast: { node, position: this.flush(atLeast) } });
    if (answer.kind !== 'found') return answer;
    const { isBehind, ...found } = answer;
    // A cell that is opened lacks rows, also those of positions that the index has come to.
    return { ...found, lagMs: isBehind || lackedCells || this.#lacksCells ? Math.max(1, this.lagMs) : 0 };
  }

  /** Sizes of the index; what waits is sent first. Rejects if the index does not answer. */
  stats(): Promise<IndexStats> {
    this.#send();
    return this.#options.index.stats();
  }

  /** Feeds these cells from now on, too, in the place of what they were. Resolves as `allLive` does. */
  openCells(cells: readonly CellEpoch[]): Promise<void> {
    for (const cell of cells) this.#cells.open(cell);
    return this.allLive();
  }

  /** Resolves when the index has the rows of every open cell, also of those that are opened meanwhile. */
  allLive(): Promise<void> {
    if (this.#snapshots === undefined) this.#snapshotsSinceMs = this.#nowMs;
    this.#snapshots ??= this.#snapshotsTaken();
    return this.#snapshots;
  }

  /**
   * Feeds this cell no more once the index has taken its changes, of which none may follow; nothing
   * happens if it is open in another epoch. Its rows stay in the index until its next owner opens it.
   */
  closeCell(cell: CellEpoch): void {
    if (this.#cells.close(cell)) this.#send();
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
    if (this.#state.kind === 'behind') this.#state.cancelTimer?.();
    this.#state = { kind: 'stopped' };
    this.#pending.clear();
  }

  get #nowMs(): number {
    return this.#options.platform.readings.monotonicMs();
  }

  get #isStopped(): boolean {
    return this.#state.kind === 'stopped';
  }

  /** Whether there are open cells that the index does not know as a whole. */
  get #lacksCells(): boolean {
    return this.#snapshots !== undefined && !this.#cells.areAllLive;
  }

  /** Whether the index lacks changes that wait no more, until the snapshots of their cells. */
  get #hasLost(): boolean {
    return this.#snapshots !== undefined && this.#cells.hasLost;
  }

  #add(change: ListingChange<Row>): void {
    const state = this.#state;
    if (state.kind === 'stopped') return;
    const open = this.#snapshots === undefined ? undefined : this.#cells.of(change.shard);
    if (open?.phase === 'waiting') this.#cells.lose(open);
    else this.#pending.add(change);
    if (state.kind === 'sending') state.laterSinceMs ??= this.#nowMs;
    else if (state.kind === 'current') this.#startTimer(this.#nowMs);
    else if (state.cancelTimer === undefined) this.#startTimer(state.sinceMs);
    if (this.#pending.count <= (this.#options.pendingMax ?? PENDING_MAX)) return;
    // Too much waits: other snapshots are taken than those under way, which have it.
    this.#openAgain();
  }

  /** The next batch goes when the timer rings, unless it is sent before. */
  #startTimer(sinceMs: number): void {
    const cancelTimer = this.#options.platform.timers.after(BATCH_MS, () => this.#send());
    this.#state = { kind: 'behind', sinceMs, cancelTimer };
  }

  /** Sends what waits of live cells, and up to where everything is known with it. */
  #send(): void {
    const state = this.#state;
    if (state.kind === 'sending') state.isUrgent = true;
    if (state.kind === 'sending' || state.kind === 'stopped' || this.#fedTo === undefined) return;
    const { cells, isMore } = this.#takenOut();
    const isHeld = this.#pending.count > 0 || this.#hasLost;
    const leaving = isMore ? [] : this.#cells.leaving;
    const from = this.#fedTo;
    const to = isHeld || this.#heardTo < from ? from : this.#heardTo;
    if (state.kind === 'behind') state.cancelTimer?.();
    const sinceMs = state.kind === 'behind' ? state.sinceMs : this.#nowMs;
    if (cells.length === 0 && from === to) {
      this.#state = isHeld ? { kind: 'behind', sinceMs, cancelTimer: undefined } : { kind: 'current' };
      this.#cells.forget(leaving);
      return;
    }
    this.#state = { kind: 'sending', sinceMs, laterSinceMs: isHeld ? sinceMs : undefined, isUrgent: isMore };
    void this.#deliver({ kind: 'changes', from, to, cells }, leaving);
  }

  /** Sends a batch, which has the last changes of the cells that are leaving. */
  async #deliver(batch: FeedMessage, leaving: readonly FedCell[]): Promise<void> {
    const isTaken = await this.#isApplied(batch).catch((error: unknown) => {
      this.#reportUnlessAway('the listing index does not take changes', error);
      this.#lose();
      return false;
    });
    if (isTaken) this.#cells.forget(leaving);
    if (this.#state.kind !== 'sending') return;
    const { laterSinceMs, isUrgent } = this.#state;
    const sinceMs = isTaken ? laterSinceMs : this.#state.sinceMs;
    this.#state = sinceMs === undefined ? { kind: 'current' } : { kind: 'behind', sinceMs, cancelTimer: undefined };
    if (isTaken && isUrgent) this.#send();
    else if (isTaken && sinceMs !== undefined) this.#startTimer(sinceMs);
  }

  /** Takes out changes of live cells, as many as are sent at once; those of cells that are not known go. */
  #takenOut(): { readonly cells: readonly CellChanges[]; readonly isMore: boolean } {
    const byCell = new Map<FedCell, FeedChange[]>();
    // If all cells wait for snapshots nothing can be sent, and what waits may be much.
    const isNoneLive = this.#snapshots !== undefined && this.#cells.isNoneLive;
    if (this.#pending.count === 0 || isNoneLive) return { cells: [], isMore: false };
    let count = 0;
    for (const [shard, pending] of this.#pending) {
      const open = this.#cells.of(shard);
      if (open !== undefined && open.phase !== 'live') continue;
      if (count >= PART_ROWS) return { cells: byCellList(byCell), isMore: true };
      this.#pending.take(shard);
      if (open === undefined) continue;
      count += pending.length;
      const changes = byCell.getOrInsertComputed(open, newChanges);
      for (const { id, version, row } of pending) {
        if (row === undefined) changes.push({ kind: 'remove', id: listingId(id, shard), version });
        else changes.push({ kind: 'put', row: this.#options.indexed(shard, version, row) });
      }
    }
    return { cells: byCellList(byCell), isMore: false };
  }

  /** Changes are lost, so that every open cell needs a snapshot: one that is under way does not count. */
  #openAgain(): void {
    this.#pending.clear();
    this.#cells.loseAll();
    void this.allLive();
  }

  /** It is not known what the index knows of this life. */
  #lose(): void {
    this.#losses++;
    this.#fedTo = undefined;
    this.#openAgain();
  }

  /** Gives the index everything again whenever it was away, also if nothing was on its way, and nobody asks. */
  async #watchLosses(): Promise<void> {
    for (;;) {
      await this.#options.index.lost();
      if (this.#isStopped) return;
      this.#lose();
    }
  }

  async #snapshotsTaken(): Promise<void> {
    await Promise.resolve(); // What is opened in the same go is read together.
    for (;;) {
      if (this.#isStopped || !this.#cells.isOneWaiting) {
        // In the same go: what is opened from now on begins anew.
        this.#snapshots = undefined;
        return;
      }
      await this.#options.index.reachable();
      if (await this.#isSnapshotTaken()) continue;
      await new Promise<void>((resolve) => this.#options.platform.timers.after(SNAPSHOT_RETRY_MS, resolve));
    }
  }

  /** Whether the cells that waited are live now, but for those that were forgotten or opened again meanwhile. */
  async #isSnapshotTaken(): Promise<boolean> {
    let begun: readonly FedCell[] = [];
    try {
      // An index that does not answer is found out before all rows are read for it.
      if (this.#fedTo === undefined && !(await this.#isApplied({ kind: 'open', cells: [] }))) return false;
      begun = this.#cells.beginSnapshot();
      const position = await this.#snapshotPosition(begun);
      if (position !== undefined && !this.#isStopped) this.#goLive(begun, position);
      return position !== undefined;
    } catch (error) {
      this.#reportUnlessAway('the listing index could not be given a snapshot', error);
      return false;
    } finally {
      this.#cells.giveUpSnapshot(begun);
    }
  }

  /** Gives the index the rows of these cells as of the position returned; `undefined` if it has lost its place. */
  async #snapshotPosition(begun: readonly FedCell[]): Promise<Position | undefined> {
    const { position, rows } = await this.#options.snapshot(begun.map(({ cell }) => cell));
    const cells = begun.filter((open) => open.phase === 'snapshot' && this.#cells.isOpen(open)).map(({ cell }) => cell);
    if (cells.length === 0) return position;
    if (!(await this.#isApplied({ kind: 'open', cells }))) return undefined;
    let isTaken = true;
    let underWay = Promise.resolve(true);
    for (const part of partsOf(rows)) {
      if (part.isLater) await new Promise<void>((resolve) => this.#options.platform.timers.defer(resolve));
      // While the index takes a part, the next one is made.
      const sent = this.#isGiven(part.rows);
      isTaken = await underWay;
      underWay = sent;
      if (!isTaken) break;
    }
    // Nothing is left on its way, also if a part was not taken.
    return (await underWay) && isTaken ? position : undefined;
  }

  /** Whether the index took a part of a snapshot. Never rejects. */
  #isGiven(rows: readonly IndexedListing[]): Promise<boolean> {
    return this.#isApplied({ kind: 'rows', cells: this.#partOf(rows) }).catch((error: unknown) => {
      this.#reportUnlessAway('the listing index does not take rows', error);
      return false;
    });
  }

  /** Rows of a snapshot by cell, without those of hidden shards, and of cells that are open no more. */
  #partOf(rows: readonly IndexedListing[]): readonly CellChanges[] {
    const byCell = Map.groupBy(rows, ({ shard }) => (this.#hidden.has(shard) ? undefined : this.#cells.of(shard)));
    return Array.from(byCell).flatMap(([open, ofCell]) =>
      open?.phase === 'snapshot' ? { cell: open.cell, changes: ofCell.map((row) => ({ kind: 'put', row })) } : [],
    );
  }

  /** The index has everything of these cells up to a position: what waits and is not later has gone with it. */
  #goLive(cells: readonly FedCell[], position: Position): void {
    for (const [shard] of this.#pending) {
      if (this.#cells.of(shard)?.phase === 'snapshot') this.#pending.keepAfter(shard, position);
    }
    this.#cells.endSnapshot(cells);
    if (position > this.#heardTo) this.#heardTo = position;
    this.#send();
  }

  /** Whether the index took the batch, and the feed goes on; after the first that it does, it knows this life. */
  async #isApplied(batch: FeedMessage): Promise<boolean> {
    const { index, node, incarnation, platform } = this.#options;
    const losses = this.#losses;
    const answer = await index.apply({ node, incarnation, ...batch });
    // It was told to an index that has been away since.
    if (losses !== this.#losses) return false;
    if (answer.kind === 'snapshot-needed') {
      this.#lose();
      return false;
    }
    this.#fedTo = batch.kind === 'changes' ? answer.to : (this.#fedTo ?? answer.to);
    for (const cell of answer.outdated) {
      if (this.#cells.giveUp(cell)) continue; // Its next owner was faster.
      const message = `the index knows another owner of cell ${cell.cell} of ${cell.market}, which is fed no more`;
      platform.report({ level: 'error', message });
    }
    return !this.#isStopped;
  }

  /** Who serves the index reports that it is away. */
  #reportUnlessAway(message: string, error: unknown): void {
    if (!(error instanceof IndexAwayError)) this.#options.platform.report({ level: 'error', message, error });
  }
}

/** Rows in parts, of which no more is made than is asked for. */
function* partsOf(rows: Iterable<IndexedListing>): Generator<{ readonly rows: readonly IndexedListing[]; readonly isLater: boolean }> {
  let part: IndexedListing[] = [];
  let isLater = false;
  for (const row of rows) {
    part.push(row);
    if (part.length < PART_ROWS) continue;
    yield { rows: part, isLater };
    part = [];
    isLater = true;
  }
  if (part.length > 0) yield { rows: part, isLater };
}
