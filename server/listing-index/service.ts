/**
 * The seam between nodes and the listing index. Every call is a promise, since the index may be in another process:
 * a search may be answered `unavailable`, and `apply` and `stats` may reject.
 *
 * The feed (`listing-feed.ts`) is the writer, one call at a time. A life of a node has an incarnation, random per start.
 * It opens the cells that it owns, each in an epoch, gives their rows, and then their changes, in batches of which each
 * starts at the position where the one before ended.
 */
import type { CellEpoch } from '#shared/cell.ts';
import type { Criteria, Sort } from '#shared/criteria.ts';
import type { IndexedListing } from '#shared/search.ts';
import type { Instant, ListingId, Market, NodeName, PlayerId, Position, ShardVersion } from '#shared/units.ts';
import type { FoundListing } from './row-packing.ts';

/** One change of what is for sale; `version` is the shard's when it was made. */
export type FeedChange =
  | { readonly kind: 'put'; readonly row: IndexedListing }
  | { readonly kind: 'remove'; readonly id: ListingId; readonly version: ShardVersion };

/** What changes in one cell, in the epoch in which it was read there. */
export interface CellChanges {
  readonly cell: CellEpoch;
  readonly changes: readonly FeedChange[];
}

/**
 * What a life of a node tells the index.
 *
 * - `open`: these cells are this life's from now on, and empty; their rows follow. What was known of them goes.
 * - `rows`: a part of the rows of opened cells, as of one durable position.
 * - `changes`: what changed from one position of the node's journal to another. Everything up to `to` is then known.
 */
export type FeedMessage =
  | { readonly kind: 'open'; readonly cells: readonly CellEpoch[] }
  | { readonly kind: 'rows'; readonly cells: readonly CellChanges[] }
  | { readonly kind: 'changes'; readonly from: Position; readonly to: Position; readonly cells: readonly CellChanges[] };

/** A message, and from whom it is. */
export type FeedBatch = FeedMessage & { readonly node: NodeName; readonly incarnation: string };

/**
 * What a feed is told. `applied`: up to which position the node is known, and which of the cells were left out because
 * the index knows them in a later epoch: they have another owner. `snapshot-needed`: the index has lost its place, and
 * nothing was changed; the node opens all of its cells again.
 */
export type FeedAnswer =
  { readonly kind: 'applied'; readonly to: Position; readonly outdated: readonly CellEpoch[] } | { readonly kind: 'snapshot-needed' };

/** A search of one market; `limit` is at least 1, `self` is who asks. */
export interface SearchQuery {
  readonly market: Market;
  readonly criteria: Criteria;
  readonly sort: Sort;
  readonly limit: number;
  readonly cursor?: string;
  readonly now: Instant;
  readonly self?: PlayerId;
}

/** Rows in order, how many match in all, and a cursor if more follow. */
export interface FoundListings {
  readonly kind: 'found';
  readonly rows: readonly FoundListing[];
  readonly total: number;
  readonly cursor?: string;
  /** What it has cost the index; the unit is one row looked at by one condition. */
  readonly cost: number;
}

/** That a search was not run, since it could cost more than any may. */
export interface TooBroad {
  readonly kind: 'too-broad';
  /** What it could cost at most. */
  readonly cost: number;
  readonly costMax: number;
}

/** That a cursor is none of this order. */
export interface BadCursor {
  readonly kind: 'bad-cursor';
}

/** A position of one node's journal. */
export interface NodePosition {
  readonly node: NodeName;
  readonly position: Position;
}

/**
 * What a search found. One that `isBehind` lacks some of what `atLeast` asked for: it did not come
 * in time. `unavailable`: the index does not answer.
 */
export type SearchAnswer = (FoundListings & { readonly isBehind: boolean }) | BadCursor | TooBroad | { readonly kind: 'unavailable' };

/** How far one node's feed is known. */
export interface FeedState {
  readonly node: NodeName;
  readonly incarnation: string;
  readonly position: Position;
  readonly cells: number;
  readonly rows: number;
}

/** Sizes, for metrics. */
export interface IndexStats {
  readonly rows: number;
  readonly tables: number;
  readonly distinctNames: number;
  readonly feeds: readonly FeedState[];
}

/** How long a search waits for what it asks for with `atLeast` before it is answered as things stand. */
export const AT_LEAST_WAIT_MS = 100;

/** The index as a service. */
export interface ListingIndexService {
  /** Takes a batch in, whole but for outdated cells, or asks for snapshots. Rejects if it may or may not have been taken. */
  apply(batch: FeedBatch): Promise<FeedAnswer>;
  /**
   * Finds rows that have not ended at `now`. The answer includes everything that the node named in `atLeast` had made
   * durable up to that position; if the index does not come to know that within `AT_LEAST_WAIT_MS`, it says so.
   */
  search(query: SearchQuery, options: { readonly atLeast: NodePosition }): Promise<SearchAnswer>;
  /** Rejects if the index does not answer. */
  stats(): Promise<IndexStats>;
}
