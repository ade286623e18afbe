/**
 * The listing index: what is for sale, everywhere, in columns in memory. Derived from the nodes' feeds, rebuilt from
 * their snapshots, never the truth: a row may be stale, and buying it then gets a clear refusal.
 *
 * Synchronous, and in one process; nodes reach it through `service.ts`.
 *
 * Invariants, each with its test (docs/internals/listing-index.md):
 * I1. Of one listing the row of the highest version stays.
 * I2. After a cell was opened, it has no row but those that its owner has given since.
 * I3. An answer's rows have not ended, and `total` counts all that match.
 * I4. The epoch of a cell never falls: what was read of it in an older one changes nothing.
 * I5. A batch of changes that does not start where that life's last one ended changes nothing.
 */
import type { CellEpoch } from '#shared/cell.ts';
import { decodeCursor, encodeCursor, placeOf, type IndexedListing, type SearchedClass } from '#shared/search.ts';
import type { ListingId } from '#shared/units.ts';
import { RowStore } from './row-store.ts';
import { Selector } from './selection.ts';
import type { BadCursor, CellChanges, FeedAnswer, FeedBatch, FoundListings, IndexStats, SearchQuery } from './service.ts';
import { TopListings } from './top-listings.ts';

/** The index itself. Its calls do what `ListingIndexService` says, at once. */
export interface ListingIndex {
  apply(batch: FeedBatch): FeedAnswer;
  search(query: SearchQuery): FoundListings | BadCursor;
  stats(): IndexStats;
  /** One row as it was last fed, ended or not. */
  get(id: ListingId): IndexedListing | undefined;
  /** Up to where the journal of a node is known; 0 for a node that is not. */
  positionOf(node: string): number;
}

/** A life of a node. */
interface Feed {
  readonly node: string;
  readonly incarnation: string;
  position: number;
}

/** A cell, and whose it is. Its number is that of its rows in the store. */
interface Cell {
  readonly number: number;
  feed: Feed;
  epoch: number;
}

/** How a cell that is written to is known: as the writer says, in a later epoch, or otherwise. */
type Standing = 'same' | 'later' | 'unknown';

/** An empty index; slots and hero classes come from the catalogue's item classes. */
export function createListingIndex(itemClasses: readonly SearchedClass[]): ListingIndex {
  const rows = new RowStore();
  const selector = new Selector();
  const feeds = new Map<string, Feed>();
  const cells = new Map<string, Cell>();

  const open = (feed: Feed, opened: readonly CellEpoch[]): FeedAnswer => {
    const outdated = opened.filter((each) => (cells.get(keyOf(each))?.epoch ?? 0) > each.epoch);
    const numbers = new Set<number>();
    for (const each of opened) {
      if (outdated.includes(each)) continue;
      const known = cells.get(keyOf(each));
      const { number } = known ?? { number: cells.size };
      cells.set(keyOf(each), { number, feed, epoch: each.epoch });
      if (known !== undefined) numbers.add(number);
    }
    rows.removeCells(numbers);
    return { kind: 'applied', to: feed.position, outdated };
  };

  /** Takes the changes of all cells in, or of none if one is not known as the feed says. */
  const change = (feed: Feed, to: number, changed: readonly CellChanges[]): FeedAnswer => {
    const standings = changed.map(({ cell }) => standingOf(cells.get(keyOf(cell)), feed, cell));
    if (standings.includes('unknown')) return { kind: 'snapshot-needed' };
    for (const [place, { cell, changes }] of changed.entries()) {
      const known = cells.get(keyOf(cell));
      if (known === undefined || standings[place] === 'later') continue;
      for (const each of changes) {
        if (each.kind === 'put') rows.put(each.row, known.number);
        else rows.remove(each.id, each.version);
      }
    }
    feed.position = to;
    return { kind: 'applied', to, outdated: changed.flatMap(({ cell }, place) => (standings[place] === 'later' ? [cell] : [])) };
  };

  const apply = (batch: FeedBatch): FeedAnswer => {
    const { node, incarnation } = batch;
    const known = feeds.get(node);
    const feed = known?.incarnation === incarnation ? known : undefined;
    if (batch.kind === 'open') {
      const own = feed ?? { node, incarnation, position: 0 };
      feeds.set(node, own);
      return open(own, batch.cells);
    }
    if (feed === undefined || (batch.kind === 'changes' && batch.from !== feed.position)) return { kind: 'snapshot-needed' };
    return change(feed, batch.kind === 'changes' ? batch.to : feed.position, batch.cells);
  };

  const search = ({ market, criteria, sort, limit, cursor, now, self }: SearchQuery): FoundListings | BadCursor => {
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
    feeds: [...feeds.values()].map((feed) => {
      const own = [...cells.values()].filter((cell) => cell.feed === feed);
      return { ...feed, cells: own.length, rows: own.reduce((sum, { number }) => sum + rows.rowsOf(number), 0) };
    }),
  });

  return { apply, search, stats, get: (id) => rows.get(id), positionOf: (node) => feeds.get(node)?.position ?? 0 };
}

function keyOf({ market, cell }: CellEpoch): string {
  return `${market}/${cell}`;
}

function standingOf(known: Cell | undefined, feed: Feed, { epoch }: CellEpoch): Standing {
  if (known !== undefined && known.epoch > epoch) return 'later';
  return known?.epoch === epoch && known.feed === feed ? 'same' : 'unknown';
}
