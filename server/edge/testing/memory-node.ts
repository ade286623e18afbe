/**
 * A node for the tests of the edge: real cells, shards, trades, powerups and index, over a journal that is kept in memory and is
 * durable one turn of the event loop after an append. Nothing outlives it, and no shard ever leaves it.
 */
import { listingId, marketOf, parseShardId, type Mode } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES, type Rules } from '#shared/rules.ts';
import { instant, type ShardId } from '#shared/units.ts';
import { CellHost, type CellHostOptions } from '#server/cell/cell-host.ts';
import { Cell } from '#server/cell/cell.ts';
import type { Persister } from '#server/journal/persister/persister.ts';
import { createListingIndex, type FeedChange, type ListingIndex } from '#server/listing-index/listing-index.ts';
import { listing } from '#server/market/entities.ts';
import { marketPowerups } from '#server/market/market.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Platform, ReportedEvent } from '#server/platform/platform.ts';
import { cellOf } from '#shared/cell.ts';
import { Region } from '#server/routing/region.ts';
import { World } from '#server/routing/world.ts';
import type { ChangeSet, LedgerEntry } from '#server/shard/change-set.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Backend } from '../backend.ts';
import { rowOf } from '../views.ts';

/** A node that runs, and what it has reported. */
export interface MemoryNode {
  readonly backend: Backend;
  readonly platform: Platform;
  readonly reported: readonly ReportedEvent[];
  /** Ends it, its alarms included. */
  stop(): void;
}

const CELLS = 2;
const NODE = 'test';
const INCARNATION = 'memory';

/** Starts a node of the regions given, under development rules unless others are given. */
export function startMemoryNode(regions: readonly string[] = ['europe', 'asia'], rules: Rules = RULES_PROFILES.dev): MemoryNode {
  const reported: ReportedEvent[] = [];
  const machine = nodeMachine((event) => void reported.push(event));
  const platform: Platform = { ...machine, clock: { now: () => machine.readings.wall() } };
  const journal = new MemoryJournal(platform);
  const world = new World();
  const index = createListingIndex(BUILT_IN_CATALOGUE.itemClasses);
  const host = new CellHost({
    platform,
    persister: journal.persister(),
    definition: defineShard(marketPowerups({ rules, regions, catalogue: BUILT_IN_CATALOGUE })),
    world,
    replyInPlaceOf: () => undefined,
    memoryBudgetBytes: Number.MAX_SAFE_INTEGER,
    onFault: (fault) => {
      throw fault;
    },
    onChanges: feedTo(index),
    onUnloadable: () => undefined,
    onLoadable: () => undefined,
  });
  const cellsByMarket = new Map<string, readonly Cell[]>();
  for (const region of regions) {
    for (const mode of ['softcore', 'hardcore'] satisfies Mode[]) {
      const cells = Array.from({ length: CELLS }, (_, number) => new Cell(number, host));
      cellsByMarket.set(`${region}.${mode}`, cells);
      world.add(`${region}.${mode}`, new Region(cells));
    }
  }
  const ownCell = (shard: ShardId): Cell => {
    const cell = cellsByMarket.get(marketOf(shard))?.[cellOf(shard, CELLS)];
    if (cell === undefined) throw new Error(`${shard} is of no region of this node`);
    return cell;
  };
  const backend: Backend = {
    rules,
    regions,
    world,
    owns: (shard) => cellsByMarket.has(marketOf(shard)),
    subscribe: (shard, listener) => ownCell(shard).subscribe(shard, listener),
    unsubscribe: (shard, listener) => ownCell(shard).unsubscribe(shard, listener),
    index,
    indexLagMs: () => 0,
    history: (shard, before, limit) => Promise.resolve(journal.history(shard, before, limit)),
  };
  return { backend, platform, reported, stop: () => host.stop() };
}

/** The least of a journal that cells can run on. */
class MemoryJournal {
  readonly #platform: Platform;
  readonly #ledgerByShard = new Map<ShardId, LedgerEntry[]>();
  readonly #listeners: ((durable: number) => void)[] = [];
  #appended = 0;
  #durable = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** The journal as cells see it. */
  persister(): Persister {
    const counters = { appended: () => this.#appended, durable: () => this.#durable };
    const absent = (): never => {
      throw new Error('a journal in memory has no such thing');
    };
    return {
      recovered: { position: 0, lease: 0, pendingRecords: 0, durationMs: 0, remarks: [] },
      get appended() {
        return counters.appended();
      },
      get durable() {
        return counters.durable();
      },
      isFull: false,
      append: (changes) => this.#append(changes),
      extendLease: () => Promise.resolve(),
      onDurable: (listener) => void this.#listeners.push(listener),
      onFault: () => undefined,
      whenReady: () => Promise.resolve(),
      load: () => Promise.resolve({ kind: 'absent' }),
      due: () => Promise.resolve([]),
      history: (shard, before, limit) => Promise.resolve(this.history(shard, before, limit)),
      transaction: absent,
      projection: absent,
      totals: absent,
      stats: absent,
      close: () => Promise.resolve(),
    };
  }

  /** Lines of a shard's ledger below `before`, newest first. */
  history(shard: ShardId, before: number, limit: number): readonly LedgerEntry[] {
    const lines = this.#ledgerByShard.get(shard) ?? [];
    return lines
      .filter(({ seq }) => seq < before)
      .slice(-limit)
      .toReversed();
  }

  #append({ shard, ledger }: ChangeSet): number {
    const position = ++this.#appended;
    const known = this.#ledgerByShard.get(shard) ?? [];
    this.#ledgerByShard.set(shard, [...known, ...ledger]);
    if (this.#durable === position - 1) {
      this.#platform.timers.defer(() => {
        this.#durable = this.#appended;
        for (const listener of this.#listeners) listener(this.#durable);
      });
    }
    return position;
  }
}

/** The listings of every change set, as the index takes them. */
function feedTo(index: ListingIndex): CellHostOptions['onChanges'] {
  let to = 0;
  index.apply({ node: NODE, incarnation: INCARNATION, from: 0, to: 0, snapshot: true, changes: [] });
  return (_position, { shard, version, puts, removes }) => {
    const seller = parseShardId(shard)?.player;
    if (seller === undefined) return;
    const changes: FeedChange[] = [];
    for (const { table, id } of removes) {
      if (table === listing.schema.table) changes.push({ kind: 'remove', id: listingId(id, shard), version });
    }
    for (const { entity, row } of puts) {
      if (entity.name !== listing.name) continue;
      const { id, item, buyout, startsAt, endsAt } = rowOf(listing, row);
      changes.push({
        kind: 'put',
        row: {
          id: listingId(id, shard),
          shard,
          seller,
          market: marketOf(shard),
          item: item.value,
          buyout,
          startsAt,
          endsAt: instant(endsAt),
          version,
        },
      });
    }
    index.apply({ node: NODE, incarnation: INCARNATION, from: to, to: ++to, changes });
  };
}
