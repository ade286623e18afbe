/** A feed over an index that notes what it is given; its timers ring when the test says so. */
import { listingId, marketName, shardId } from '#shared/address.ts';
import { cellOf, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, instant, itemId, nodeName, playerId, position, rowId, type RowId, type ShardId, shardVersion } from '#shared/units.ts';
import { promisesSettled } from '#server/sim/scheduler.ts';
import { ListingFeed, type FeedSnapshot } from '../listing-feed.ts';
import { ListingIndex } from '../listing-index.ts';
import { localListingIndex } from '../local.ts';
import type { FeedBatch, ListingIndexService, SearchAnswer } from '../service.ts';

/** Two shards of one market, of different cells. */
export const ADA = shardId('ada', 'europe', 'softcore');
/** The other one. */
export const BOB = shardId('bob', 'europe', 'softcore');

interface Row {
  readonly id: RowId;
  readonly price: number;
}

/** A row as the index has it. */
export function indexed(shard: ShardId, version: number, { id, price }: Row): IndexedListing {
  return {
    id: listingId(id, shard),
    shard,
    seller: playerId(shard.slice(0, shard.indexOf('@'))),
    market: marketName('europe', 'softcore'),
    item: { id: itemId(`i${id}`), baseId: 'b', itemClass: 'sword', name: 'Sword', rarity: 'rare', level: 1, affixes: [] },
    buyout: gold(price),
    startsAt: instant(0),
    endsAt: instant(1_000_000),
    version: shardVersion(version),
  };
}

/** A listing of a shard. */
export const row = (id: number, price = id): Row => ({ id: rowId(id), price });
/** A row of Ada's. */
export const listed = (id: number, version: number): IndexedListing => indexed(ADA, version, row(id));
/** Rows of Ada's, with ids and versions from 1. */
export const rowsUpTo = (count: number): readonly IndexedListing[] =>
  Array.from({ length: count }, (_, place) => listed(place + 1, place + 1));
/** A snapshot without rows. */
export const EMPTY: FeedSnapshot = { position: position(0), rows: [] };

/** The cell of a shard, in an epoch. */
export function cellOfShard(shard: ShardId, inEpoch = FIRST_EPOCH): CellEpoch {
  return { market: marketName('europe', 'softcore'), cell: cellOf(shard, limits.cellsPerRegion), epoch: inEpoch };
}

/** A search for everything. */
export const QUERY = { market: marketName('europe', 'softcore'), criteria: {}, sort: { by: 'buyout' }, limit: 9, now: instant(0) } as const;
/** The cells of both shards. */
export const CELLS = [cellOfShard(ADA), cellOfShard(BOB)];

/** What differs from a feed into an index in the same process. */
export interface BenchOptions {
  readonly pendingMax?: number;
  readonly node?: string;
  /** In place of an index of its own. */
  readonly core?: ListingIndex;
  /** In place of the snapshots one after the other. */
  readonly snapshot?: (cells: readonly CellEpoch[]) => FeedSnapshot | Promise<FeedSnapshot>;
  /** In place of how the index takes a batch. */
  readonly apply?: (real: ListingIndexService, batch: FeedBatch) => ReturnType<ListingIndexService['apply']>;
  /** Resolves when the index is away for once. */
  readonly lost?: Promise<void>;
  /** In place of how the index searches. */
  readonly search?: () => Promise<SearchAnswer>;
}

/** Readings of snapshots that end when the test says so. */
export class SlowReadings {
  readonly #underWay: ((snapshot: FeedSnapshot) => void)[] = [];
  readonly snapshot = (): Promise<FeedSnapshot> => new Promise((resolve) => this.#underWay.push(resolve));

  async end(at: number, rows: readonly IndexedListing[]): Promise<void> {
    this.#underWay.shift()?.({ position: position(at), rows });
    await promisesSettled();
  }
}

/** A feed whose timers ring when the test says so, into an index that notes what it is given. */
export class Bench {
  readonly timers = new Set<() => void>();
  readonly applied: FeedBatch[] = [];
  readonly reported: string[] = [];
  readonly read: (readonly CellEpoch[])[] = [];
  readonly core: ListingIndex;
  readonly index: ListingIndexService;
  readonly feed: ListingFeed<Row>;
  lookupsToFail = 0;
  #nowMs = 0;

  constructor(
    snapshots: readonly (FeedSnapshot | Error)[] = [EMPTY],
    {
      apply,
      lost,
      search,
      pendingMax = 1_000_000,
      node = 'one',
      core = new ListingIndex([{ id: 'sword', slot: 'hand' }]),
      snapshot,
    }: BenchOptions = {},
  ) {
    this.core = core;
    const later = (run: () => void): (() => void) => {
      this.timers.add(run);
      return () => void this.timers.delete(run);
    };
    const timers = { after: (_ms: number, run: () => void) => later(run), defer: (run: () => void) => void later(run) };
    const real = localListingIndex(this.core, timers);
    let losses = lost === undefined ? 0 : 1;
    this.index = {
      ...real,
      lost: () => (lost !== undefined && losses-- > 0 ? lost : real.lost()),
      apply: (batch) => {
        this.applied.push(batch);
        return apply === undefined ? real.apply(batch) : apply(real, batch);
      },
      search: (query, options) => search?.() ?? real.search(query, options),
    };
    const left = [...snapshots];
    this.feed = new ListingFeed<Row>({
      index: this.index,
      node: nodeName(node),
      incarnation: 'life',
      cellsPerMarket: limits.cellsPerRegion,
      platform: {
        readings: { wall: () => instant(this.#nowMs), monotonicMs: () => this.#nowMs },
        timers,
        report: ({ message }) => void this.reported.push(message),
      },
      snapshot: (cells) => {
        this.read.push(cells);
        if (snapshot !== undefined) return Promise.resolve(snapshot(cells));
        const next = left.shift();
        return next === undefined || next instanceof Error ? Promise.reject(next ?? new Error('none left')) : Promise.resolve(next);
      },
      // A shard that takes no turns: the index has what the node's database has.
      rowsOf: async (shard) => {
        if (this.lookupsToFail-- > 0) throw new Error('the disk is busy');
        return [1, 2, 3, 4].map(rowId).filter((id) => this.core.get(listingId(id, shard)) !== undefined);
      },
      pendingMax,
      indexed,
    });
  }

  /** With cells of both shards live. */
  static async open(snapshots?: readonly (FeedSnapshot | Error)[], options?: BenchOptions): Promise<Bench> {
    const bench = new Bench(snapshots, options);
    await bench.feed.openCells(CELLS);
    await promisesSettled();
    return bench;
  }

  put(at: number, shard: ShardId, version: number, listing: Row): void {
    this.feed.take({ position: position(at), shard, version: shardVersion(version), id: rowId(listing.id), row: listing });
  }

  remove(at: number, shard: ShardId, version: number, id: number): void {
    this.feed.take({ position: position(at), shard, version: shardVersion(version), id: rowId(id), row: undefined });
  }

  async ring(): Promise<void> {
    const ringing = [...this.timers];
    this.timers.clear();
    for (const run of ringing) run();
    await promisesSettled();
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Somebody else feeds the index in the name of the node: it loses its place. */
  disturb(): void {
    this.core.apply({ node: nodeName('one'), incarnation: 'another', kind: 'open', cells: [] });
  }

  async flushed(): Promise<void> {
    this.feed.flush(position(Number.MAX_SAFE_INTEGER));
    await promisesSettled();
  }

  /** What the index has once everything was sent. */
  async known(): Promise<{ readonly rows: number; readonly position: number }> {
    await this.flushed();
    return { rows: this.core.stats().rows, position: this.core.positionOf(nodeName('one')) };
  }

  async has(shard: ShardId, id: number): Promise<IndexedListing | undefined> {
    await this.flushed();
    return this.core.get(listingId(rowId(id), shard));
  }

  /** From where to where each batch of changes went. */
  get spans(): readonly (readonly [from: number, to: number])[] {
    return this.applied.flatMap((batch) => (batch.kind === 'changes' ? [[batch.from, batch.to] as const] : []));
  }
}
