/**
 * The composition root: one node of a world, put together from its parts. Only this file knows all of them.
 *
 * A message flows: edge, world, region, cell, shard, journal; and back through the output gate.
 */
import { marketOf, MODES } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Rules } from '#shared/rules.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import { ALARM_SCAN_MS, AlarmScan } from '#server/cell/alarm-scan.ts';
import { CellHost } from '#server/cell/cell-host.ts';
import { Cell } from '#server/cell/cell.ts';
import type { Envelope, Part } from '#server/routing/part.ts';
import type { ShardListener } from '#server/cell/resident.ts';
import type { Backend } from '#server/edge/backend.ts';
import { ShardFault, type Persister, type PersisterDefinition } from '#server/journal/persister/persister.ts';
import { StoreLockedError } from '#server/journal/disk/storage.ts';
import { createListingIndex, type FeedChange, type ListingIndex } from '#server/listing-index/listing-index.ts';
import { ListingFeed, type FeedSnapshot } from '#server/listing-index/listing-feed.ts';
import type { ListingRow } from '#server/market/entities.ts';
import { INDEXED_ENTITY, indexedListing, listingsOf, listingsOfMirrored, tellListings } from '#server/market/listing-projection.ts';
import { marketPowerups } from '#server/market/market.ts';
import { NodeClock } from '#server/platform/node-clock.ts';
import type { Cancel, Machine, Platform } from '#server/platform/platform.ts';
import { doubtAbout } from '#server/platform/start-check.ts';
import { cellOf } from '#shared/cell.ts';
import { Link, type Bus, type NodeName } from '#server/routing/link.ts';
import { Region } from '#server/routing/region.ts';
import { World } from '#server/routing/world.ts';
import type { LedgerEntry } from '#server/shard/change-set.ts';
import { defineShard, type ShardDefinition } from '#server/shard/definition.ts';
import type { Absence, Emitted, Reply } from '#server/shard/message.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { outcomeInPlaceOf } from '#server/trade/decider.ts';
import { holderOf } from '#server/trade/transaction.ts';
import { decodeMessage, isOffer } from '#server/trade/messages.ts';

/** What a node is made from. */
export interface NodeOptions {
  readonly machine: Machine;
  /** Whether somebody stands up for the clock of the machine, so that a start only warns of one that is far off; otherwise it refuses. */
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
  readonly ownerOf?: (market: string, cell: number) => NodeName;
  /** The listing index that the node feeds and searches: one of its own, in this process, unless given. */
  readonly index?: ListingIndex;
  /** The way to the other nodes, if there are any. */
  readonly bus?: Bus;
  readonly openPersister: (definition: PersisterDefinition) => Promise<Persister>;
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
    schemas: [...definition.schemas.values()],
    projected: definition.projected,
    world: { name: world, node, cellsPerRegion: limits.cellsPerRegion },
  };
}

/** Recovers what is durable and starts a node. Rejects with one clear sentence if it must not start. */
export async function openNode(options: NodeOptions): Promise<GavelNode> {
  const definition = defineShard(options.powerups ?? marketPowerups(options), options.build);
  const persister = await options.openPersister(persisterDefinition(definition, options.world, options.node));
  let clock: NodeClock | undefined;
  try {
    clock = await startClock(options, persister);
    const node = new GavelNode(options, clock, definition, persister);
    await node.start();
    return node;
  } catch (error) {
    clock?.stop();
    await persister.close(0);
    throw error;
  }
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

/** Shards that could not be loaded and are tried again by one scan, at most: 1,920 in a minute. Of more, each is tried when its turn comes. */
const UNLOADABLE_TRIED = 16;

/** A running node. */
export class GavelNode implements Backend {
  readonly rules: Rules;
  readonly regions: readonly string[];
  readonly world: Part;
  readonly index: ListingIndex;
  readonly persister: Persister;
  /** What the node runs on, with its own time. */
  readonly platform: Platform;
  readonly #options: NodeOptions;
  readonly #clock: NodeClock;
  readonly #host: CellHost;
  readonly #alarms: AlarmScan;
  readonly #feed: ListingFeed<ListingRow>;
  readonly #cellsByMarket: ReadonlyMap<string, readonly (Cell | undefined)[]>;
  #isOpen = false;
  #isFaulty = false;
  #cancelScan: Cancel | undefined;

  constructor(options: NodeOptions, clock: NodeClock, definition: ShardDefinition, persister: Persister) {
    this.#options = options;
    this.#clock = clock;
    this.platform = { ...options.machine, clock };
    this.rules = options.rules;
    this.regions = options.regions;
    this.persister = persister;
    const world = new World();
    this.world = { accept: (envelope) => this.#accept(world, envelope) };
    this.#host = new CellHost({
      platform: this.platform,
      persister,
      definition,
      world,
      replyInPlaceOf: (envelope, now, absence) => this.#replyInPlaceOf(envelope, now, absence),
      memoryBudgetBytes: options.memoryBudgetBytes,
      onFault: (fault) => this.#fail(fault),
      onChanges: (position, changes) => tellListings(position, changes, this.#feed),
      onUnloadable: (shard) => this.#feed.hide(shard),
      onLoadable: (shard, version, rows) => this.#feed.show(shard, version, listingsOf(rows)),
    });
    this.#cellsByMarket = this.#buildRegions(world);
    this.#alarms = new AlarmScan(
      async (...range) => (this.#isOpen ? persister.due(...range) : []),
      (shard) => this.#wake(shard),
    );
    this.#feed = this.#newFeed(definition);
    this.index = this.#feed.index;
    persister.onFault((fault) => this.#fail(fault));
  }

  /** Feeds the index and starts the alarms; from then on the node takes messages. */
  async start(): Promise<void> {
    await this.#feed.start();
    this.#isOpen = true;
    this.#scheduleScan();
  }

  owns(shard: ShardId): boolean {
    return this.#ownCell(shard) !== undefined;
  }

  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply> {
    const cell = this.#ownCell(shard);
    return cell === undefined || !this.#isOpen ? Promise.resolve(refusal('unavailable')) : cell.subscribe(shard, listener);
  }

  unsubscribe(shard: ShardId, listener: ShardListener): void {
    this.#ownCell(shard)?.unsubscribe(shard, listener);
  }

  indexLagMs(): number {
    return this.#feed.lagMs;
  }

  async history(shard: ShardId, before: number, limit: number): Promise<readonly LedgerEntry[] | Refusal> {
    try {
      return await this.persister.history(shard, before, limit);
    } catch (error) {
      // Both pass without anybody's having lost anything, and are no bug: whoever locks the database lets go; a damaged ledger is put back.
      if (error instanceof StoreLockedError) return refusal('busy');
      if (!(error instanceof ShardFault)) throw error;
      this.platform.report({ level: 'error', message: `the ledger of ${shard} could not be read`, error });
      return refusal('unavailable');
    }
  }

  /** Shards in memory, and the bytes that they take, about. */
  get usage(): { readonly shards: number; readonly bytes: number } {
    return this.#host.usage;
  }

  /** Takes no more commands, lets out what was done, and closes the journal. Resolves within about the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#isOpen = false;
    this.#cancelScan?.();
    await this.#drained(deadlineMs / 2);
    this.#halt();
    await this.persister.close(deadlineMs / 2);
  }

  #accept(world: World, envelope: Envelope): Promise<Reply> {
    return this.#isOpen ? world.accept(envelope) : Promise.resolve(refusal('unavailable', { reason: 'the server is stopping' }));
  }

  #buildRegions(world: World): ReadonlyMap<string, readonly (Cell | undefined)[]> {
    const { bus, node, regions, ownerOf = () => node } = this.#options;
    const { platform } = this;
    const link = bus === undefined ? undefined : new Link({ bus, gate: this.#host.gate, platform, world, decodeMessage });
    const cellsByMarket = new Map<string, readonly (Cell | undefined)[]>();
    for (const market of regions.flatMap((region) => MODES.map((mode) => `${region}.${mode}`))) {
      const own: (Cell | undefined)[] = [];
      const parts: Part[] = [];
      for (let index = 0; index < limits.cellsPerRegion; index++) {
        const owner = ownerOf(market, index);
        const cell = owner === node ? new Cell(index, this.#host) : undefined;
        const part = cell ?? link?.remoteCell(owner);
        if (part === undefined) throw new Error(`cell ${index} of ${market} belongs to ${owner}, to which there is no bus`);
        own.push(cell);
        parts.push(part);
      }
      cellsByMarket.set(market, own);
      world.add(market, new Region(parts));
    }
    return cellsByMarket;
  }

  #newFeed(definition: ShardDefinition): ListingFeed<ListingRow> {
    const { platform } = this;
    const { node, catalogue, index = createListingIndex(catalogue.itemClasses) } = this.#options;
    const snapshot = async (): Promise<FeedSnapshot> => {
      const { position, rows } = await this.persister.projection(INDEXED_ENTITY);
      const { listings, faults } = listingsOfMirrored(definition, rows);
      if (faults.length > 0) {
        const message = `${faults.length} of ${rows.length} listings cannot be read, and are not found until they can be`;
        platform.report({ level: 'error', message, error: faults[0] });
      }
      const changes = listings.map((row): FeedChange => ({ kind: 'put', row }));
      return { position, changes };
    };
    const rowsOf = async (shard: ShardId): Promise<readonly number[]> => {
      const { rows } = await this.persister.projection(INDEXED_ENTITY, { shard });
      return rows.map(({ id }) => id);
    };
    return new ListingFeed({ index, node, incarnation: platform.random.id(), platform, snapshot, rowsOf, indexed: indexedListing });
  }

  /** For a shard that cannot take an offer, it may be told that nothing was decided; nothing else has an answer. */
  #replyInPlaceOf({ to, message }: Envelope, now: Instant, absence: Absence): Emitted | undefined {
    if (!isOffer(message)) return undefined;
    const holder = holderOf(message.tx);
    // Times of turns can be compared only within a node: clocks of others may differ.
    const known: Absence = this.owns(holder) || absence.kind === 'never-created' ? absence : { ...absence, lastTurnAt: undefined };
    const outcome = outcomeInPlaceOf(message, to, now, known);
    return outcome === undefined ? undefined : { to: holder, message: outcome };
  }

  #ownCell(shard: ShardId): Cell | undefined {
    const cells = this.#cellsByMarket.get(marketOf(shard));
    return cells?.[cellOf(shard, cells.length)];
  }

  #scheduleScan(): void {
    this.#cancelScan = this.platform.timers.after(ALARM_SCAN_MS, () => void this.#scan());
  }

  async #scan(): Promise<void> {
    try {
      await this.#alarms.run(this.#host.now());
      // Nobody asks for a shard whose listings are hidden and towards which nothing is held: whether its file is whole again, the node asks.
      for (const shard of this.#host.unloadableToTry(UNLOADABLE_TRIED)) this.#wake(shard);
    } catch (error) {
      this.platform.report({ level: 'error', message: 'alarms could not be looked up', error });
    }
    if (this.#isOpen) this.#scheduleScan();
  }

  /** Has a shard loaded for its alarm; not one that is in memory, of a region that is no longer configured, or not worth a try yet. */
  #wake(shard: ShardId): boolean {
    const cell = this.#ownCell(shard);
    if (!this.#isOpen || cell === undefined || cell.isHere(shard) || !this.#host.isWakeable(shard)) return false;
    cell.wakeShard(shard);
    return true;
  }

  #fail(fault: Error): void {
    if (this.#isFaulty) return;
    this.#isFaulty = true;
    this.#halt();
    this.#options.onFault(fault);
  }

  #drained(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.platform.timers.after(deadlineMs, resolve);
      this.#host.gate.release(() => {
        cancel();
        resolve();
      });
    });
  }

  #halt(): void {
    this.#isOpen = false;
    this.#cancelScan?.();
    this.#feed.stop();
    this.#host.stop();
    this.#clock.stop();
  }
}
