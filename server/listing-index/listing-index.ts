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
 * I6. A search costs no more than was reckoned before it ran, and one for which that is more than any may cost is not run.
 */
import { limits } from '#shared/limits.ts';
import { decodeCursor, encodeCursor, type IndexedListing, type SearchedClass } from '#shared/search.ts';
import type { ListingId, NodeName, Position } from '#shared/units.ts';
import { KnownCells } from './known-cells.ts';
import { RowStore } from './row-store.ts';
import { searchCostAtMost } from './search-cost.ts';
import { Selector } from './selection.ts';
import type { BadCursor, FeedAnswer, FeedBatch, FoundListings, IndexStats, SearchQuery, TooBroad } from './service.ts';
import { TopListings } from './top-listings.ts';

/** The index itself: its calls do what `ListingIndexService` says, at once. */
export class ListingIndex {
  readonly #classById: ReadonlyMap<string, SearchedClass>;
  readonly #costMax: number;
  readonly #rows = new RowStore();
  readonly #selector = new Selector();
  readonly #known = new KnownCells();

  /** An empty index; slots and hero classes come from the catalogue's item classes. No search may cost more than `costMax`. */
  constructor(itemClasses: readonly SearchedClass[], costMax: number = limits.searchCostMax) {
    this.#costMax = costMax;
    this.#classById = new Map(itemClasses.map((each) => [each.id, each]));
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

  search({ market, criteria, sort, limit, cursor, now, self }: SearchQuery): FoundListings | BadCursor | TooBroad {
    const after = cursor === undefined ? undefined : decodeCursor(sort, cursor);
    if (cursor !== undefined && after === undefined) return { kind: 'bad-cursor' };
    const rows = this.#rows;
    const tables = rows.tablesOf(market);
    const classOf = (itemClass: string): SearchedClass | undefined => this.#classById.get(itemClass);
    const costMax = this.#costMax;
    const costAtMost = searchCostAtMost(criteria, { tables, names: rows.names.capacity, classOf });
    if (costAtMost > costMax) return { kind: 'too-broad', cost: costAtMost, costMax };
    const idAt = (handle: number): ListingId => rows.idAt(handle);
    const known = { now, classOf, idAt, ...(self === undefined ? {} : { self }) };
    const context = this.#selector.begin(known, (fragment) => rows.names.containing(fragment));
    const top = new TopListings(sort, limit + 1, idAt, after);
    let total = 0;
    for (const table of tables) {
      total += this.#selector.select(criteria, table, context, (base, slots, count) => top.offer(table, base, slots, count));
    }
    const found = top.kept();
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const next = found.length > limit && last !== undefined ? { cursor: encodeCursor(sort, last) } : {};
    return { kind: 'found', rows: shown.map(({ handle }) => rows.foundAt(handle)), total, cost: this.#selector.cost, ...next };
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
