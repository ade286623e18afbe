/**
 * The listing index: what is for sale, everywhere. Derived from the nodes' feeds, rebuilt from their snapshots, never
 * the truth: a row may be stale, and buying it then gets a clear refusal.
 *
 * Feed: each node sends batches in order. `from` must be the `to` of the batch before, of the same incarnation (random
 * per start of the node); anything else is answered by `snapshot-needed`. A snapshot replaces all rows of its node.
 * A large one may be cut: its first part has `snapshot`, the others follow with `from` and `to` at its position.
 *
 * Invariants: I1 of one listing the row of the highest version stays. I2 after a snapshot a node has no row that is
 * not in it or in a later batch. I3 an answer's rows have not ended, and `total` counts all that match.
 */
import type { Criteria, Sort } from '#shared/criteria.ts';
import { decodeCursor, encodeCursor, placeOf, type IndexedListing, type SearchedClass } from '#shared/search.ts';
import type { Instant, ListingId, PlayerId } from '#shared/units.ts';
import { RowStore } from './row-store.ts';
import { Selector } from './selection.ts';
import { TopListings } from './top-listings.ts';

/** One change of what is for sale; `version` is the shard's when it was made. */
export type FeedChange =
  { readonly kind: 'put'; readonly row: IndexedListing } | { readonly kind: 'remove'; readonly id: ListingId; readonly version: number };

/** Changes of one node from one of its journal positions to another. */
export interface FeedBatch {
  readonly node: string;
  readonly incarnation: string;
  readonly from: number;
  readonly to: number;
  /** The changes are all rows of the node, and replace what was known of it. */
  readonly snapshot?: true;
  readonly changes: readonly FeedChange[];
}

/** What a feed is told: how far its node's rows are known, or that only a snapshot helps. Nothing changed in that case. */
export type FeedAnswer = { readonly kind: 'applied'; readonly to: number } | { readonly kind: 'snapshot-needed' };

/** A search of one market; `limit` is at least 1, `self` is who asks. */
export interface SearchQuery {
  readonly market: string;
  readonly criteria: Criteria;
  readonly sort: Sort;
  readonly limit: number;
  readonly cursor?: string;
  readonly now: Instant;
  readonly self?: PlayerId;
}

/** Rows in order, how many match in all, and a cursor if more follow; or that the cursor is none of this order. */
export type SearchResult =
  | { readonly kind: 'found'; readonly rows: readonly IndexedListing[]; readonly total: number; readonly cursor?: string }
  | { readonly kind: 'bad-cursor' };

/** How far one node's feed is known. */
export interface FeedState {
  readonly node: string;
  readonly incarnation: string;
  readonly position: number;
  readonly rows: number;
}

/** Sizes, for metrics. */
export interface IndexStats {
  readonly rows: number;
  readonly tables: number;
  readonly distinctNames: number;
  readonly feeds: readonly FeedState[];
}

/** What nodes and edges need of the index, wherever it runs. */
export interface ListingIndex {
  /** Takes a batch in, whole, or asks for a snapshot. */
  apply(batch: FeedBatch): FeedAnswer;
  /** Finds rows that have not ended at `now`. */
  search(query: SearchQuery): SearchResult;
  /** One row as it was last fed, ended or not. */
  get(id: ListingId): IndexedListing | undefined;
  stats(): IndexStats;
}

interface Feed {
  readonly number: number;
  incarnation: string;
  position: number;
}

/** An empty index in this process; slots and hero classes come from the catalogue's item classes. */
export function createListingIndex(itemClasses: readonly SearchedClass[]): ListingIndex {
  const rows = new RowStore();
  const selector = new Selector();
  const feeds = new Map<string, Feed>();

  const feedOf = (batch: FeedBatch): Feed | undefined => {
    const feed = feeds.get(batch.node);
    if (batch.snapshot !== true) {
      return feed !== undefined && feed.incarnation === batch.incarnation && feed.position === batch.from ? feed : undefined;
    }
    const fresh = { number: feed?.number ?? feeds.size, incarnation: batch.incarnation, position: batch.to };
    feeds.set(batch.node, fresh);
    rows.removeAllOf(fresh.number);
    return fresh;
  };

  const apply = (batch: FeedBatch): FeedAnswer => {
    const feed = feedOf(batch);
    if (feed === undefined) return { kind: 'snapshot-needed' };
    for (const change of batch.changes) {
      if (change.kind === 'put') rows.put(change.row, feed.number);
      else rows.remove(change.id, change.version);
    }
    feed.position = batch.to;
    return { kind: 'applied', to: batch.to };
  };

  const search = ({ market, criteria, sort, limit, cursor, now, self }: SearchQuery): SearchResult => {
    const after = cursor === undefined ? undefined : decodeCursor(sort, cursor);
    if (cursor !== undefined && after === undefined) return { kind: 'bad-cursor' };
    const context = { rows, itemClasses, now, ...(self === undefined ? {} : { self }) };
    const top = new TopListings(sort, limit + 1, rows, after);
    let total = 0;
    for (const table of rows.tablesOf(market)) {
      const selection = selector.select(criteria, table, context);
      total += selection.count;
      top.offer(table, selection);
    }
    const found = top.take().map((handle) => rows.rowAt(handle));
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const isMore = found.length > limit && last !== undefined;
    return { kind: 'found', rows: shown, total, ...(isMore ? { cursor: encodeCursor(sort, placeOf(sort, last)) } : {}) };
  };

  const stats = (): IndexStats => ({
    rows: rows.size,
    tables: rows.tableCount,
    distinctNames: rows.names.size,
    feeds: [...feeds].map(([node, { number, incarnation, position }]) => ({ node, incarnation, position, rows: rows.rowsOf(number) })),
  });

  return { apply, search, get: (id) => rows.get(id), stats };
}
