/**
 * The composition root: one node of a world, put together from its parts. Only this file knows all
 * of them.
 *
 * A message flows: edge, world, region, then a cell of this node or the link to another one; shard;
 * journal; and back through the output gate. The constructor makes the parts in that order.
 *
 * 1. The world is open from the end of a start to the begin of a stop, or to a fault.
 * 2. Each cell of each market has a part: an own cell, opened at the start, or the link to its
 *    owner.
 */
import { assert } from '#shared/assert.ts';
import { marketName, MODES } from '#shared/address.ts';
import { FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Rules } from '#shared/rules.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { Market, NodeName, Position, ShardId } from '#shared/units.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import { AlarmScan } from '#server/cell/alarms/scan.ts';
import { createCellParts, type CellParts } from '#server/cell/cell-parts.ts';
import { OwnCells } from '#server/cell/own-cells.ts';
import type { ServingNode } from '#server/edge/services.ts';
import { ShardFault, type Persister, type PersisterDefinition } from '#server/journal/persister/persister.ts';
import { StoreLockedError } from '#server/journal/disk/storage.ts';
import { ListingFeed } from '#server/listing-index/listing-feed.ts';
import { ListingIndex } from '#server/listing-index/listing-index.ts';
import { localListingIndex } from '#server/listing-index/local.ts';
import type { ListingIndexService } from '#server/listing-index/service.ts';
import type { Feature, IndexedRows } from '#server/market/feature.ts';
import { indexedRowsOf, listingsOfMirrored, tellIndexedRows } from '#server/market/indexed-rows.ts';
import { marketFeatures } from '#server/market/market.ts';
import { PLACES } from '#server/market/places.ts';
import { NodeClock } from '#server/platform/node-clock.ts';
import type { Machine, Platform } from '#server/platform/platform.ts';
import { doubtAbout } from '#server/platform/start-check.ts';
import { within } from '#server/platform/within.ts';
import { Link, type Bus } from '#server/routing/link.ts';
import { UNAVAILABLE } from '#server/routing/part.ts';
import { Region } from '#server/routing/region.ts';
import { World } from '#server/routing/world.ts';
import { defineShard, type ShardDefinition } from '#server/shard/definition.ts';
import type { Reply } from '#server/shard/message.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { marketOfTotal, type LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import { decodeTradeMessage } from '#server/trade/messages.ts';
import { replyInPlaceOf } from '#server/trade/decider.ts';

/** What a node is made from. */
export interface NodeOptions {
  readonly machine: Machine;
  /**
   * Whether somebody stands up for the clock of the machine, so that a start only warns of one that
   * is far off; otherwise it refuses.
   */
  readonly isClockTrusted: boolean;
  readonly rules: Rules;
  /** What every shard is made of: the powerups of the market unless given. */
  readonly powerups?: readonly Powerup[];
  readonly catalogue: Catalogue;
  /** The version number of this program: see `ShardDefinition.build`. */
  readonly build?: string;
  readonly regions: readonly string[];
  /** The name of the world and of this node in it. */
  readonly world: string;
  readonly node: NodeName;
  /** The node that owns a cell; this node alone unless given. */
  readonly ownerOf?: (market: Market, cell: number) => NodeName;
  /**
   * The listing index that the node feeds and searches: one of its own, in this process, unless
   * given.
   */
  readonly index?: ListingIndexService;
  /** The way to the other nodes, if there are any. */
  readonly bus?: Bus;
  readonly openPersister: (definition: PersisterDefinition) => Promise<Persister>;
  /**
   * Whether a trade between two shards of this node that are at rest is one turn of both, which is
   * the default, or goes by messages as between nodes: simulator and tests run both.
   */
  readonly tradesBy?: 'units' | 'messages';
  /** Shards in memory may take this much, about. */
  readonly memoryBudgetBytes: number;
  /** Called once if the node cannot go on: the process must end, and the next start recovers. */
  readonly onFault: (fault: Error) => void;
}

/** That a node must not start; one clear sentence. */
export class NodeStartError extends Error {
  override readonly name = 'NodeStartError';
}

/** What a persister has to know of a world with these rules. */
export function persisterDefinition(definition: ShardDefinition, world: string, node: NodeName): PersisterDefinition {
  return {
    schemas: definition.schemas,
    places: definition.places,
    projected: definition.projected,
    world: { name: world, node, cellsPerRegion: limits.cellsPerRegion },
  };
}

/**
 * Recovers what is durable and starts a node. Rejects with one clear sentence if it must not start.
 */
export async function openNode(options: NodeOptions): Promise<GavelNode> {
  const features = marketFeatures(options);
  const definition = defineShard(options.powerups ?? features, { places: PLACES, build: options.build });
  const persister = await options.openPersister(persisterDefinition(definition, options.world, options.node));
  let clock: NodeClock | undefined;
  try {
    await refuseLeftOut(options, persister);
    clock = await startClock(options, persister);
    const node = new GavelNode(options, features, clock, definition, persister);
    await node.start();
    return node;
  } catch (error) {
    clock?.stop();
    await persister.close(0);
    throw error;
  }
}

/**
 * A start that leaves out a region with players is refused: they could not come in, and nothing of
 * theirs would end. Most likely its name was forgotten or mistyped.
 */
async function refuseLeftOut({ regions }: NodeOptions, persister: Persister): Promise<void> {
  const { totals } = await persister.totals();
  const known = new Set(totals.map(({ key }) => marketOfTotal(key).split('.')[0] ?? ''));
  const leftOut = [...known].filter((region) => !regions.includes(region)).sort();
  if (leftOut.length === 0) return;
  throw new NodeStartError(
    `the data have gold and goods of players in ${leftOut.join(', ')}, and --regions leaves that out: name every region that has ever been served`,
  );
}

/** The time of the node, once what this life may say of it is durable. */
async function startClock({ machine, isClockTrusted }: NodeOptions, persister: Persister): Promise<NodeClock> {
  const { lease } = persister.recovered;
  const doubt = doubtAbout(machine.readings.wall(), lease);
  if (doubt !== undefined) {
    const { finding, consequence, isGrave } = doubt;
    if (isGrave && !isClockTrusted) {
      throw new NodeStartError(`${finding}; set it right, or, if it is right, start once with --clock-is-right: ${consequence}`);
    }
    machine.report({ level: 'warning', message: `${finding}: ${consequence}` });
  }
  try {
    return await NodeClock.start(machine, lease, (until) => persister.extendLease(until));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NodeStartError(`the journal cannot be written: ${reason}`, { cause: error });
  }
}

/** A running node. */
export class GavelNode implements ServingNode {
  readonly rules: Rules;
  readonly regions: readonly string[];
  readonly features: readonly Feature[];
  readonly world = new World();
  /** This node's end of the listing index. */
  readonly index: ListingFeed<AnyRow>;
  readonly persister: Persister;
  /** What the node runs on, with its own time. */
  readonly platform: Platform;
  readonly #options: NodeOptions;
  readonly #clock: NodeClock;
  readonly #parts: CellParts;
  readonly #cells: OwnCells;
  readonly #link: Link | undefined;
  readonly #alarms: AlarmScan;
  readonly #indexed: IndexedRows;
  #isFaulty = false;

  constructor(options: NodeOptions, features: readonly Feature[], clock: NodeClock, definition: ShardDefinition, persister: Persister) {
    const platform: Platform = { ...options.machine, clock };
    this.#options = options;
    this.#clock = clock;
    this.platform = platform;
    this.rules = options.rules;
    this.regions = options.regions;
    this.persister = persister;
    this.features = features;
    this.#indexed = indexedRowsOf(this.features);
    this.#parts = createCellParts({
      platform,
      journal: persister,
      definition,
      cellsPerMarket: limits.cellsPerRegion,
      world: this.world,
      memoryBudgetBytes: options.memoryBudgetBytes,
      replyInPlaceOf: (envelope, now, absence) => replyInPlaceOf(envelope, now, absence, (shard) => this.owns(shard)),
      resting: (shard) => (options.tradesBy === 'messages' ? undefined : this.#cells.of(shard)?.resting(shard)),
      onFault: (fault) => this.#fail(fault),
      onChanges: (position, changes) => tellIndexedRows(this.#indexed, position, changes, (change) => this.index.take(change)),
      onUnloadable: (shard) => this.index.hide(shard),
      onLoadable: (shard, version, rows) => this.index.show(shard, version, rows(this.#indexed.entity.name)),
    });
    this.#cells = new OwnCells(this.#parts);
    const { bus } = options;
    const { gate } = this.#parts;
    if (bus !== undefined) this.#link = new Link({ bus, gate, platform, world: this.world, decodeMessage: decodeTradeMessage });
    this.#alarms = new AlarmScan({
      platform,
      due: (...range) => persister.due(...range),
      backoff: this.#parts.backoff,
      cellOf: (shard) => this.#cells.of(shard),
    });
    const index = options.index ?? localListingIndex(new ListingIndex(options.catalogue.itemClasses), platform.timers);
    this.index = this.#newFeed(definition, index);
    persister.onFault((fault) => this.#fail(fault));
  }

  /**
   * Places all cells, feeds the index and starts the alarms; from then on the node takes messages.
   */
  async start(): Promise<void> {
    const { node, regions, ownerOf = () => node } = this.#options;
    for (const market of regions.flatMap((region) => MODES.map((mode) => marketName(region, mode)))) {
      this.world.add(market, new Region(limits.cellsPerRegion));
      for (let cell = 0; cell < limits.cellsPerRegion; cell++) {
        const owner = ownerOf(market, cell);
        if (owner === node) this.openCell({ market, cell, epoch: FIRST_EPOCH });
        else if (this.#link !== undefined) this.world.replace(market, cell, this.#link.remoteCell(owner));
        else throw new Error(`cell ${cell} of ${market} belongs to ${owner}, to which there is no bus`);
      }
    }
    await this.index.allLive();
    this.world.open();
    this.#alarms.start();
  }

  /**
   * Takes the cell over: its shards are served from disk. It must be closed here. Only the epoch
   * that the persister was opened with is possible: a persister takes images of any other epoch for
   * those of a former owner, and would lock the players out. Telling a running persister of a new
   * epoch comes with moves of cells between nodes.
   */
  openCell(cellEpoch: CellEpoch): void {
    const { market, cell, epoch } = cellEpoch;
    assert(
      this.persister.isPresent(cellEpoch),
      () => `cell ${cell} of ${market} is opened in epoch ${epoch}, which its persister does not know`,
    );
    this.world.replace(cellEpoch.market, cellEpoch.cell, this.#cells.open(cellEpoch));
    void this.index.openCells([cellEpoch]);
  }

  /**
   * Gives the cell up: its messages are answered `unavailable` from now on. Resolves when all that
   * its shards did is durable and out, and none is in memory; never, if the node stops before. Who
   * subscribes to its shards must be ended first.
   */
  async closeCell(market: Market, cell: number): Promise<void> {
    const cellEpoch = await this.#cells.close(market, cell);
    // Opened again at once, perhaps in the same epoch, it is fed on.
    if (this.#cells.isClosed(cellEpoch)) this.index.closeCell(cellEpoch);
  }

  owns(shard: ShardId): boolean {
    return this.#cells.of(shard) !== undefined;
  }

  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply> {
    const cell = this.world.isOpen ? this.#cells.of(shard) : undefined;
    return cell === undefined ? UNAVAILABLE : cell.subscribe(shard, listener);
  }

  unsubscribe(shard: ShardId, listener: ShardListener): void {
    this.#cells.unsubscribe(shard, listener);
  }

  get durable(): Position {
    return this.persister.durable;
  }

  async history(shard: ShardId, before: number, limit: number): Promise<readonly LedgerEntry[] | Refusal> {
    try {
      return await this.persister.history(shard, before, limit);
    } catch (error) {
      // Both pass without a loss and are no bug: a lock of the database is released, a damaged
      // ledger is put back.
      if (error instanceof StoreLockedError) return refusal('busy');
      if (!(error instanceof ShardFault)) throw error;
      this.platform.report({ level: 'error', message: `the ledger of ${shard} could not be read`, error });
      return refusal('unavailable');
    }
  }

  /** Shards in memory, and the bytes that they take, about. */
  get usage(): { readonly shards: number; readonly bytes: number } {
    return this.#parts.memory.usage;
  }

  /**
   * Takes no more commands, lets out what was done, and closes the journal. Resolves within about
   * the deadline.
   */
  async close(deadlineMs: number): Promise<void> {
    this.world.close();
    this.#alarms.stop();
    await within(this.platform.timers, deadlineMs / 2, this.#cells.closeAll());
    this.#halt();
    await this.persister.close(deadlineMs / 2);
  }

  #newFeed(definition: ShardDefinition, index: ListingIndexService): ListingFeed<AnyRow> {
    const { platform, persister } = this;
    const { entity, indexed } = this.#indexed;
    return new ListingFeed({
      index,
      node: this.#options.node,
      incarnation: platform.random.id(),
      cellsPerMarket: limits.cellsPerRegion,
      platform,
      indexed,
      snapshot: async ([cell, ...others]) => {
        // One reading of all rows is the faster way to those of many cells.
        const { position, rows } = await persister.projection(entity.name, cell === undefined || others.length > 0 ? {} : { cell });
        const { listings, faults } = listingsOfMirrored(this.#indexed, definition, rows);
        if (faults.length > 0) {
          const message = `${faults.length} of ${rows.length} listings cannot be read, and are not found until they can be`;
          platform.report({ level: 'error', message, error: faults[0] });
        }
        return { position, rows: listings };
      },
      rowsOf: async (shard) => (await persister.projection(entity.name, { shard })).rows.map(({ id }) => id),
    });
  }

  #fail(fault: Error): void {
    if (this.#isFaulty) return;
    this.#isFaulty = true;
    this.#halt();
    this.#options.onFault(fault);
  }

  #halt(): void {
    this.world.close();
    this.#alarms.stop();
    this.index.stop();
    this.#parts.stop();
    this.#clock.stop();
  }
}
