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
import { decodeCursor, encodeCursor, placeOf, type IndexedListing, type SearchedClass } from '#shared/search.ts';
import type { ListingId, NodeName, Position } from '#shared/units.ts';
import { KnownCells } from './known-cells.ts';
import { RowStore } from './row-store.ts';
import { Selector } from './selection.ts';
import type { BadCursor, FeedAnswer, FeedBatch, FoundListings, IndexStats, SearchQuery } from './service.ts';
import { TopListings } from './top-listings.ts';

/** The index itself: its calls do what `ListingIndexService` says, at once. */
export class ListingIndex {
  readonly #itemClasses: readonly SearchedClass[];
  readonly #rows = new RowStore();
  readonly #selector = new Selector();
  readonly #known = new KnownCells();

  /** An empty index; slots and hero classes come from the catalogue's item classes. */
  constructor(itemClasses: readonly SearchedClass[]) {
    this.#itemClasses = itemClasses;
  }

  apply(batch: FeedBatch): FeedAnswer {
    const taken = batch.kind === 'open' ? this.#known.open(batch) : this.#known.take(batch);
    if (taken === undefined) return { kind: 'snapshot-needed' };
    const { to, outdated, cells } = taken;
    if (batch.kind === 'open') this.#rows.removeCells(new Set(cells.map(({ number }) => number)));
    for (const { number, changes } of cells) {
      for (const change of changes) {
        if (change.kind === 'put') this.#rows.put(change.row, number);
        else this.#rows.remove(change.id, change.version);
      }
    }
    return { kind: 'applied', to, outdated };
  }

  search({ market, criteria, sort, limit, cursor, now, self }: SearchQuery): FoundListings | BadCursor {
    const after = cursor === undefined ? undefined : decodeCursor(sort, cursor);
    if (cursor !== undefined && after === undefined) return { kind: 'bad-cursor' };
    const rows = this.#rows;
    const context = { rows, itemClasses: this.#itemClasses, now, ...(self === undefined ? {} : { self }) };
    const top = new TopListings(sort, limit + 1, rows, after);
    let total = 0;
    for (const table of rows.tablesOf(market)) {
      const selection = this.#selector.select(criteria, table, context);
      total += selection.count;
      top.offer(table, selection);
    }
    const found = top.handles.map((handle) => rows.rowAt(handle));
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const isMore = found.length > limit && last !== undefined;
    return { kind: 'found', rows: shown, total, ...(isMore ? { cursor: encodeCursor(sort, placeOf(sort, last)) } : {}) };
  }

  stats(): IndexStats {
    const rows = this.#rows;
    const feeds = this.#known.states((number) => rows.rowsOf(number));
    return { rows: rows.size, tables: rows.tableCount, distinctNames: rows.names.size, feeds };
  }

  /** One row as it was last fed, ended or not. */
  get(id: ListingId): IndexedListing | undefined {
    return this.#rows.get(id);
  }

  /** Up to where the journal of a node is known; 0 for a node that is not. */
  positionOf(node: NodeName): Position {
    return this.#known.positionOf(node);
  }
}
