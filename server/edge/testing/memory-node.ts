/**
 * A node for the tests of the edge: real cells, shards, trades, powerups and index, over a journal
 * that is kept in memory and is durable one turn of the event loop after an append. Nothing
 * outlives it, and no shard ever leaves it.
 */
import { marketName, MODES } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { RULES_PROFILES, type Rules } from '#shared/rules.ts';
import { nextPosition, NO_POSITION, nodeName, type Position, type ShardId } from '#shared/units.ts';
import { createCellParts, type CellJournal } from '#server/cell/cell-parts.ts';
import { OwnCells } from '#server/cell/own-cells.ts';
import { ListingFeed } from '#server/listing-index/listing-feed.ts';
import { ListingIndex } from '#server/listing-index/listing-index.ts';
import { localListingIndex } from '#server/listing-index/local.ts';
import { indexedRowsOf, tellIndexedRows } from '#server/market/indexed-rows.ts';
import { marketFeatures } from '#server/market/market.ts';
import { PLACES } from '#server/market/places.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Platform, ReportedEvent } from '#server/platform/platform.ts';
import { UNAVAILABLE } from '#server/routing/part.ts';
import { Region } from '#server/routing/region.ts';
import { World } from '#server/routing/world.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { ServingNode } from '../services.ts';

/** A node that runs, and what it has reported. */
export interface MemoryNode {
  readonly backend: ServingNode;
  readonly platform: Platform;
  readonly reported: readonly ReportedEvent[];
  /** Ends it, its alarms included. */
  stop(): void;
}

const CELLS = 2;
const NODE = 'test';

/** Starts a node of the regions given, under development rules unless others are given. */
export function startMemoryNode(regions: readonly string[] = ['europe', 'asia'], rules: Rules = RULES_PROFILES.dev): MemoryNode {
  const reported: ReportedEvent[] = [];
  const machine = nodeMachine((event) => void reported.push(event));
  const platform: Platform = { ...machine, clock: { now: () => machine.readings.wall() } };
  const features = marketFeatures({ rules, regions, catalogue: BUILT_IN_CATALOGUE });
  const journal = new InstantJournal(platform);
  const world = new World();
  const index = localListingIndex(new ListingIndex(BUILT_IN_CATALOGUE.itemClasses), platform.timers);
  const rows = indexedRowsOf(features);
  const feed = new ListingFeed({
    index,
    node: nodeName(NODE),
    incarnation: 'memory',
    cellsPerMarket: CELLS,
    platform,
    snapshot: () => Promise.resolve({ position: NO_POSITION, rows: [] }),
    rowsOf: () => Promise.resolve([]),
    indexed: rows.indexed,
  });
  const parts = createCellParts({
    platform,
    journal,
    definition: defineShard(features, { places: PLACES }),
    cellsPerMarket: CELLS,
    world,
    replyInPlaceOf: () => undefined,
    resting: (shard) => cells.of(shard)?.resting(shard),
    memoryBudgetBytes: Number.MAX_SAFE_INTEGER,
    onFault: (fault) => {
      throw fault;
    },
    onChanges: (position, changes) => tellIndexedRows(rows, position, changes, (change) => feed.take(change)),
    onUnloadable: () => undefined,
    onLoadable: () => undefined,
  });
  const cells = new OwnCells(parts);
  for (const market of regions.flatMap((region) => MODES.map((mode) => marketName(region, mode)))) {
    world.add(market, new Region(CELLS));
    for (let cell = 0; cell < CELLS; cell++) {
      const cellEpoch = { market, cell, epoch: FIRST_EPOCH };
      world.replace(market, cell, cells.open(cellEpoch));
      void feed.openCells([cellEpoch]);
    }
  }
  world.open();
  const backend: ServingNode = {
    rules,
    regions,
    features,
    world,
    owns: (shard) => cells.of(shard) !== undefined,
    subscribe: (shard, listener) => cells.of(shard)?.subscribe(shard, listener) ?? UNAVAILABLE,
    unsubscribe: (shard, listener) => cells.unsubscribe(shard, listener),
    index: feed,
    get durable() {
      return journal.durable;
    },
    history: (shard, before, limit) => Promise.resolve(journal.history(shard, before, limit)),
  };
  const stop = (): void => {
    feed.stop();
    parts.stop();
  };
  return { backend, platform, reported, stop };
}

/** The least of a journal that cells can run on. */
class InstantJournal implements CellJournal {
  readonly #platform: Platform;
  readonly #ledgerByShard = new Map<ShardId, LedgerEntry[]>();
  readonly #listeners: ((durable: Position) => void)[] = [];
  readonly isFull = false;
  appended = NO_POSITION;
  durable = NO_POSITION;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  onDurable(listener: (durable: Position) => void): void {
    this.#listeners.push(listener);
  }

  whenReady(): Promise<void> {
    return Promise.resolve();
  }

  load(): ReturnType<CellJournal['load']> {
    return Promise.resolve({ kind: 'absent' });
  }

  /** Lines of a shard's ledger below `before`, newest first. */
  history(shard: ShardId, before: number, limit: number): readonly LedgerEntry[] {
    const lines = this.#ledgerByShard.get(shard) ?? [];
    return lines
      .filter(({ seq }) => seq < before)
      .slice(-limit)
      .toReversed();
  }

  append({ shard, ledger }: ChangeSet, partner?: ChangeSet): Position {
    if (partner !== undefined) this.append(partner);
    const position = (this.appended = nextPosition(this.appended));
    const known = this.#ledgerByShard.get(shard) ?? [];
    this.#ledgerByShard.set(shard, [...known, ...ledger]);
    if (this.durable === position - 1) {
      this.#platform.timers.defer(() => {
        this.durable = this.appended;
        for (const listener of this.#listeners) listener(this.durable);
      });
    }
    return position;
  }
}
