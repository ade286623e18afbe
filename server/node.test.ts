/** A whole node over a disk in memory: what only the composition can get wrong. */
import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { AssertionFault } from '#shared/assert.ts';
import { createPrng } from '#shared/prng.ts';
import { listingId, marketOf, shardId, marketName } from '#shared/address.ts';
import { cellOf, epoch, FIRST_EPOCH } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { FIRST_ROW_ID, gold, instant, itemId, nodeName, operationId, position, type ShardId } from '#shared/units.ts';
import type { CommandAnswer } from '#shared/protocol.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { InlineBackend } from '#server/journal/persister/backend-inline.ts';
import { sealed } from '#server/journal/disk/checksums.ts';
import { openFilePersister } from '#server/journal/persister/open-file-persister.ts';
import { openPersister } from '#server/journal/persister/open-persister.ts';
import { ShardFault, type Persister, type PersisterDefinition } from '#server/journal/persister/persister.ts';
import { StoreLockedError } from '#server/journal/disk/storage.ts';
import { directoryName, fileName } from '#server/journal/disk/image-files.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import { ListingIndex } from '#server/listing-index/listing-index.ts';
import { localListingIndex } from '#server/listing-index/local.ts';
import { completed } from '#server/market/completed/completed.ts';
import { listing } from '#server/market/listing/listing.ts';
import { marketFeatures } from '#server/market/market.ts';
import { marketNetwork, opening, player } from '#server/market/testing/market-bench.ts';
import { PLACES } from '#server/market/places.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Machine, ReportedEvent } from '#server/platform/platform.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { command, rowsByEntity } from '#server/shard/testing/shard-driver.ts';

import { hold } from '#server/trade/entities.ts';
import { ALARM_SCAN_MS, ALARM_SCAN_SHARDS } from '#server/cell/alarms/scan.ts';
import { override } from '#server/sim/override.ts';
import { Scheduler } from '#server/sim/scheduler.ts';
import { clockTime, virtualMachine } from '#server/sim/virtual-platform.ts';
import { IndexAwayError, type ListingIndexService } from '#server/listing-index/service.ts';
import { openNode, type GavelNode, type NodeOptions } from './node.ts';

const rules = RULES_PROFILES.dev;
const regions = ['asia', 'europe'];
const MINUTE_MS = 60_000;
const ONE = nodeName('one');
const FILE_STEP_MS = 100;
const NOBODY = shardId('nobody', 'europe', 'softcore');

/** What differs in one life. */
interface Life {
  readonly wallOffsetMs?: number;
  readonly isClockTrusted?: boolean;
  readonly ownerOf?: NodeOptions['ownerOf'];
  readonly epochs?: PersisterDefinition['epochs'];
  readonly changes?: (real: Persister) => Partial<Persister>;
  readonly index?: ListingIndexService;
  /** How long a start may take. */
  readonly startMs?: number;
}

class NodeBench {
  readonly scheduler = new Scheduler();
  readonly disk = new MemoryDisk(defineShard(marketFeatures({ rules, regions, catalogue: BUILT_IN_CATALOGUE }), { places: PLACES }));

  readonly reported: ReportedEvent[] = [];

  /** A node for some of the regions, on the disk as the last one left it. */
  async open(served: readonly string[], life: Life = {}): Promise<GavelNode> {
    const opening = this.#openNode(served, life, async (machine, definition) => {
      const backend = new InlineBackend(machine.timers, this.disk, { commitMs: () => 1, stepMs: () => 1 });
      const real = await openPersister(machine, { ...definition, epochs: life.epochs ?? [] }, backend);
      return override(real, life.changes?.(real) ?? {});
    });
    opening.catch(() => undefined); // Whoever awaits it hears of it.
    await this.run(life.startMs ?? 1_000);
    return opening;
  }

  #openNode(
    served: readonly string[],
    { wallOffsetMs = 0, isClockTrusted = false, ownerOf = () => ONE, index }: Life,
    open: (machine: Machine, definition: PersisterDefinition) => Promise<Persister>,
  ): Promise<GavelNode> {
    const life = {
      isOver: false,
      wallOffsetMs,
      onThrow: (error: unknown) => {
        throw error;
      },
      onReport: (event: ReportedEvent) => void this.reported.push(event),
    };
    const machine = virtualMachine(this.scheduler, createPrng('world'), life);
    return openNode({
      machine,
      isClockTrusted,
      rules,
      catalogue: BUILT_IN_CATALOGUE,
      regions: served,
      world: 'test',
      node: ONE,
      ownerOf,
      ...(index === undefined ? {} : { index }),
      openPersister: (definition) => open(machine, definition),
      memoryBudgetBytes: 1e9,
      onFault: (fault) => {
        throw fault;
      },
    });
  }

  /** A node over a real data directory, whose threads do real work while time is virtual. */
  async openFiles(directory: string): Promise<GavelNode> {
    const node = this.#openNode(regions, {}, (machine, definition) => openFilePersister({ machine, definition, directory }));
    let isOpen = false;
    void node.then(() => (isOpen = true));
    while (!isOpen) await this.#tick();
    // The threads read for the index in real time, of which a start waits for less than passes here.
    const { index } = await node;
    while (index.lagMs > 0) await this.#tick();
    return node;
  }

  /** Lets virtual time pass in small steps; in each, the thread that loads shards answers what it was asked. */
  async runFiles(node: GavelNode, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += FILE_STEP_MS) {
      await this.#tick();
      await node.persister.load(NOBODY);
    }
  }

  /** Lets time pass until there is a reply. */
  async answered(node: GavelNode, asked: Promise<Reply>): Promise<Reply> {
    let reply: Reply | undefined;
    void asked.then((told) => (reply = told));
    while (reply === undefined) await this.runFiles(node, FILE_STEP_MS);
    return reply;
  }

  /** Virtual time hardly passes meanwhile: what the threads still write takes real time. */
  async closeFiles(node: GavelNode): Promise<void> {
    let isClosed = false;
    const closing = node.close(600_000).finally(() => (isClosed = true));
    while (!isClosed) await this.#tick(0.02);
    await closing;
  }

  async #tick(ms = FILE_STEP_MS): Promise<void> {
    await this.run(ms);
    await new Promise(setImmediate);
  }

  async close(node: GavelNode): Promise<void> {
    const closing = node.close(5_000);
    await this.run(5_000);
    await closing;
  }

  async run(ms: number): Promise<void> {
    await this.scheduler.runUntil(() => false, this.scheduler.nowUs + ms * 1_000);
  }
}

function send(node: GavelNode, to: ShardId, message: Command, creates = false): Promise<Reply> {
  return node.world.accept({ to, message, creates });
}

/** Opens a player with one item, and puts it up for sale for a minute. */
async function openWithListing(node: GavelNode, to: ShardId): Promise<void> {
  const id = itemId(to.replaceAll(/[@.]/g, '-'));
  const item = rollItem(BUILT_IN_CATALOGUE, createPrng(to), { id, level: 10 });
  const start = { gold: gold(1), items: [item], commodities: [] };
  void send(node, to, { kind: 'open', issuer: 'service', body: { name: 'x', start } }, true);
  void send(node, to, {
    kind: 'sell',
    issuer: 'client',
    op: operationId('sell'),
    body: { itemId: id, buyout: gold(5), durationMs: MINUTE_MS },
  });
}

describe('a node', () => {
  it('wakes its own shards although many others, of a region that it does not serve, are due before them', async () => {
    const bench = new NodeBench();
    const both = await bench.open(regions);
    for (let number = 0; number < ALARM_SCAN_SHARDS + 20; number++) await openWithListing(both, shardId(`p${number}`, 'asia', 'softcore'));
    await bench.run(1_000);
    await openWithListing(both, shardId('ada', 'europe', 'softcore'));
    await bench.run(1_000);
    expect((await both.index.stats()).rows).toBe(ALARM_SCAN_SHARDS + 21);
    await bench.close(both);

    // Such a start is refused, unless the sums of its markets say nothing: it is the scan of alarms that is looked at here.
    const europe = await bench.open(['europe'], {
      changes: () => ({ totals: () => Promise.resolve({ position: position(0), totals: [] }) }),
    });
    await bench.run(2 * MINUTE_MS);
    const query = {
      market: marketName('europe', 'softcore'),
      criteria: {},
      sort: { by: 'buyout' },
      limit: 10,
      now: clockTime(0, 0),
    } as const;
    expect(await europe.index.search(query, { atLeast: europe.durable })).toMatchObject({ kind: 'found', rows: [] });
  });

  it('does not start without a region that players have been in', async () => {
    const bench = new NodeBench();
    const both = await bench.open(regions);
    await openWithListing(both, shardId('ada', 'asia', 'hardcore'));
    await bench.run(1_000);
    await bench.close(both);
    await expect(bench.open(['europe', 'asian'])).rejects.toThrow(
      'the data have gold and goods of players in asia, and --regions leaves that out: name every region that has ever been served',
    );
    await bench.close(await bench.open(['asia']));
  });

  it('wakes as many with each scan as it says, although those that it woke before are due for the index of alarms still', async () => {
    const bench = new NodeBench();
    const node = await bench.open(['europe']);
    const due = ALARM_SCAN_SHARDS * 2 + 50;
    for (let number = 0; number < due; number++) await openWithListing(node, shardId(`p${number}`, 'europe', 'softcore'));
    await bench.run(1_000);
    const closing = node.close(5_000);
    await bench.run(2 * MINUTE_MS);
    await closing;

    // Opening it takes a second: two scans.
    const again = await bench.open(['europe']);
    await bench.run(ALARM_SCAN_MS + 200);
    expect(again.usage.shards).toBe(due);
  });
});

describe('a node that closes a cell and opens it again', () => {
  it('refuses what is for it meanwhile, and ends a trade that was under way when it is back: one holds, both agree', async () => {
    const [ada, bob] = [player('ada'), player('bob')];
    const bench = new NodeBench();
    const node = await bench.open(regions);
    for (const shard of [ada, bob])
      void send(node, shard, { kind: 'open', issuer: 'service', body: opening(nameOfShard(shard), {}) }, true);
    const sold = send(node, ada, command('sell', { itemId: 'ada-0', buyout: 500, durationMs: rules.durationMaxMs }, 'sell'));
    await bench.run(1_000);
    const reply = await sold;
    const id = reply.kind === 'answer' ? (reply.value as CommandAnswer<'sell'>).listingId : '';
    const cell = cellOf(ada, limits.cellsPerRegion);

    const closing = node.closeCell(marketOf(ada), cell);
    await bench.run(1_000);
    await closing;
    expect([node.owns(ada), node.owns(bob)]).toEqual([false, true]);
    expect(await node.index.stats()).toMatchObject({ rows: 1, feeds: [{ cells: 4 * limits.cellsPerRegion }] });
    expect(await send(node, ada, command('claim', { all: true }, 'claim'))).toEqual(refusal('unavailable'));
    expect(await node.subscribe(ada, () => undefined)).toEqual(refusal('unavailable'));
    const bought = send(node, bob, command('buyout', { listingId: id, price: 500 }, 'buy'));
    await bench.run(limits.outcomeWaitMs + 1_000);
    expect(await bought).toEqual(refusal('outcome-unknown'));

    node.openCell({ market: marketOf(ada), cell, epoch: epoch(1) });
    await bench.run(limits.retryMaxMs);
    const again = send(node, bob, command('buyout', { listingId: id, price: 500 }, 'buy'));
    await bench.run(1_000);
    expect([node.owns(ada), (await again).kind]).toEqual([true, 'answer']);
    expect(await node.index.stats()).toMatchObject({ rows: 0 });
    await bench.close(node);
  });
});

describe('a node that opens a cell in another epoch than its persister was opened with', () => {
  it('stops at an assertion: images would not be taken for those of the cell', async () => {
    const bench = new NodeBench();
    const node = await bench.open(regions);
    const [market, cell] = [marketName('europe', 'softcore'), 0];
    const closing = node.closeCell(market, cell);
    await bench.run(1_000);
    await closing;
    expect(() => node.openCell({ market, cell, epoch: epoch(2) })).toThrow('is opened in epoch 2, which its persister does not know');
    node.openCell({ market, cell, epoch: FIRST_EPOCH });
    await bench.close(node);
  });

  it('is stopped at its start, if the persister knows of a later one', async () => {
    const bench = new NodeBench();
    const epochs = [{ market: marketName('europe', 'softcore'), cell: 0, epoch: epoch(2) }];
    await expect(bench.open(regions, { epochs })).rejects.toThrow('cell 0 of europe.softcore is opened in epoch 1');
  });
});

describe('a cell that is opened again in the moment in which it is closed', () => {
  it('is fed to the index', async () => {
    const bench = new NodeBench();
    const node = await bench.open(regions);
    const cell = { market: marketName('europe', 'softcore'), cell: cellOf(player('ada'), limits.cellsPerRegion), epoch: FIRST_EPOCH };
    const closing = node.closeCell(cell.market, cell.cell);
    let isOpen = false;
    for (let turn = 0; turn < 50 && !isOpen; turn++) {
      await Promise.resolve();
      try {
        node.openCell(cell);
        isOpen = true;
      } catch (error) {
        if (!(error instanceof AssertionFault)) throw error;
      }
    }
    await closing;
    const opened = send(node, player('ada'), { kind: 'open', issuer: 'service', body: opening('ada', {}) }, true);
    await bench.run(1_000);
    await opened;
    const sold = send(node, player('ada'), command('sell', { itemId: 'ada-0', buyout: 500, durationMs: rules.durationMaxMs }, 'sell'));
    await bench.run(1_000);
    await sold;
    expect([isOpen, (await node.index.stats()).rows]).toEqual([true, 1]);
    await bench.close(node);
  });
});

describe('a seller whose file is damaged', () => {
  const [ADA, BOB] = [player('ada'), player('bob')];
  const definition = defineShard(marketFeatures({ rules, regions, catalogue: BUILT_IN_CATALOGUE }), { places: PLACES });

  /** A disk on which Bob holds gold towards Ada's listing, as a crash left it: his offer was decided and he has not heard of it, or not. */
  async function crashed(isDecided: boolean): Promise<NodeBench> {
    const net = marketNetwork(createPrng('damaged'), [ADA, BOB], rules);
    for (const shard of [ADA, BOB]) net.command(shard, 'open', opening(nameOfShard(shard), {}), undefined, 'service');
    net.command(ADA, 'sell', { itemId: 'ada-0', buyout: 500, durationMs: rules.durationMaxMs }, 'sell');
    const [listed] = net.driver(ADA).rows(listing);
    net.wait(1);
    net.command(BOB, 'buyout', { listingId: listingId(listed?.id ?? FIRST_ROW_ID, ADA), price: 500 }, 'buy');
    if (isDecided) net.deliverOne();
    const bench = new NodeBench();
    const { journal, images } = bench.disk;
    const records = [ADA, BOB].flatMap((shard) => net.driver(shard).records);
    const writer = new RecordWriter(definition);
    for (const record of records) writer.raw(record);
    journal.commit(sealed({ first: position(1), last: position(records.length), now: net.now, records: writer.take() }));
    const ada = net.driver(ADA).image();
    images.draft(ADA).stage(ada);
    await images.sync([ADA]);
    images.publish([ADA]);
    journal.storeImageVersions([{ shard: ADA, version: ada.version, now: ada.now, epoch: FIRST_EPOCH }], []);
    return bench;
  }

  /** The durable rows of a shard, as far as it can be loaded. */
  async function rowsOf(bench: NodeBench, node: GavelNode, shard: ShardId, entity: string): Promise<readonly object[]> {
    const loading = node.persister.load(shard);
    await bench.run(10);
    const loaded = await loading;
    return loaded.kind === 'absent' ? [] : (rowsByEntity(loaded.shard, definition.schemas).get(entity) ?? []);
  }

  it.each<[string, boolean, number]>([
    ['ends the hold, long over, if the last turn in its journal was before it', false, 0],
    ['keeps the hold if it may have decided', true, 1],
  ])('%s; nothing commits twice when the file is whole again', async (_name, isDecided, holds) => {
    const bench = await crashed(isDecided);
    bench.disk.images.damage(ADA, 'garble');
    for (const isWhole of [false, false, true]) {
      if (isWhole) bench.disk.images.repair(ADA);
      const node = await bench.open(regions, { isClockTrusted: true });
      await bench.run(2 * MINUTE_MS);
      expect(await rowsOf(bench, node, BOB, hold.name)).toHaveLength(isWhole ? 0 : holds);
      if (isWhole) expect(await rowsOf(bench, node, ADA, completed.name)).toMatchObject([{ entry: isDecided ? 'sold' : 'expired' }]);
      await bench.close(node);
    }
  });

  it('is refused or over in ten seconds, is not found, and is for sale again when the file is put back: over real files', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gavel-world-'));
    const bench = new NodeBench();
    let node = await bench.openFiles(directory);
    try {
      for (const shard of [ADA, BOB])
        void send(node, shard, { kind: 'open', issuer: 'service', body: opening(nameOfShard(shard), {}) }, true);
      const sell = { itemId: 'ada-0', buyout: 500, durationMs: rules.durationMaxMs };
      const sold = await bench.answered(node, send(node, ADA, command('sell', sell, 'sell')));
      const id = sold.kind === 'answer' ? (sold.value as CommandAnswer<'sell'>).listingId : '';
      await bench.closeFiles(node);

      const file = join(directory, 'images', directoryName(ADA), fileName(ADA));
      const whole = readFileSync(file);
      writeFileSync(file, whole.subarray(0, 1_000));
      node = await bench.openFiles(directory);
      const buy = (op: string): Promise<Reply> =>
        bench.answered(node, send(node, BOB, command('buyout', { listingId: id, price: 500 }, op)));
      expect((await node.index.stats()).rows).toBe(1);
      let first = await buy('first');
      while (first.kind === 'refusal' && first.name === 'outcome-unknown') first = await buy('first');
      expect(first).toMatchObject({ name: 'offer-expired' });
      expect((await node.index.stats()).rows).toBe(0);
      expect(await buy('second')).toMatchObject({ name: 'unavailable', details: { reason: "the seller's account is being repaired" } });

      writeFileSync(file, whole);
      // It is tried again a minute after the last time, and while the threads load it, virtual time passes.
      await bench.runFiles(node, 2 * MINUTE_MS);
      expect((await node.index.stats()).rows).toBe(1);
      expect(await buy('third')).toMatchObject({ kind: 'answer', value: { paid: 500 } });
    } finally {
      await bench.closeFiles(node);
      rmSync(directory, { recursive: true });
    }
  });
});

const nameOfShard = (shard: ShardId): string => shard.split('@')[0] ?? '';

describe('the history of a player', () => {
  it.each<[string, Error, object]>([
    ['is busy while somebody locks its database', new StoreLockedError('node.db is locked by another program'), { name: 'busy' }],
    ['is unavailable if its ledger is damaged', new ShardFault('the ledger of ada is damaged'), { name: 'unavailable' }],
    ['is a failure if there is no reason for it', new Error('a bug'), { message: 'a bug' }],
  ])('%s', async (_name, fault, expected) => {
    const bench = new NodeBench();
    const node = await bench.open(regions, { changes: () => ({ history: () => Promise.reject(fault) }) });
    const told: unknown = await node.history(player('ada'), 10, 10).catch((error: unknown) => error);
    expect(told).toMatchObject(expected);
    await bench.close(node);
  });
});

describe('a start', () => {
  const HOUR_MS = 60 * MINUTE_MS;
  const WEEK_MS = 7 * 24 * HOUR_MS;

  it.each([
    ['behind', -2 * HOUR_MS],
    ['ahead', WEEK_MS + HOUR_MS],
  ])('with a clock far %s of the last life is refused with one sentence, and changes nothing', async (direction, wallOffsetMs) => {
    const bench = new NodeBench();
    await bench.close(await bench.open(regions));
    const { state } = bench.disk.journal;
    await expect(bench.open(regions, { wallOffsetMs })).rejects.toThrow(
      new RegExp(
        `^the clock of this machine shows .* ${direction} .*; set it right, or, if it is right, start once with --clock-is-right: .*$`,
      ),
    );
    expect(bench.disk.journal.state).toEqual(state);
    await bench.close(await bench.open(regions));
  });

  it('with a clock that is behind by less than a minute, or ahead by less than a week, is not', async () => {
    const bench = new NodeBench();
    await bench.close(await bench.open(regions));
    await bench.close(await bench.open(regions, { wallOffsetMs: WEEK_MS - MINUTE_MS }));
    await bench.close(await bench.open(regions, { wallOffsetMs: WEEK_MS - 90_000 }));
    expect(bench.reported.map(({ level }) => level)).toEqual(['warning']);
  });

  it('after a clock was a year ahead for a minute holds its time still, if somebody says that the clock is right, and serves', async () => {
    const bench = new NodeBench();
    const ada = shardId('ada', 'europe', 'softcore');
    await bench.close(await bench.open(regions, { wallOffsetMs: 365 * 24 * HOUR_MS }));
    const node = await bench.open(regions, { isClockTrusted: true });
    expect(bench.reported.map(({ level, message }) => [level, message.replaceAll(/\d{4}-\S+Z/g, 'T')])).toEqual([
      [
        'warning',
        'the clock of this machine shows T, 365.0 days behind the last time that this node knows, T: the time of the market stands still until the clock shows T',
      ],
    ]);
    const before = node.platform.clock.now();
    await openWithListing(node, ada);
    await bench.run(2 * MINUTE_MS);
    expect(node.platform.clock.now()).toBe(before);
    // Sold or bought it may be; it does not end.
    expect((await node.index.stats()).rows).toBe(1);
    await bench.close(node);
  });

  it('that fails leaves nothing behind that runs', async () => {
    const bench = new NodeBench();
    let leases = 0;
    const changes = (real: Persister): Partial<Persister> => ({
      extendLease: (until) => {
        leases++;
        return real.extendLease(until);
      },
    });
    await expect(bench.open(regions, { ownerOf: () => nodeName('two'), changes })).rejects.toThrow('to which there is no bus');
    await bench.run(10 * MINUTE_MS);
    expect(leases).toBe(1);
  });

  it('tells how many listings it cannot read, and serves the others', async () => {
    const bench = new NodeBench();
    const first = await bench.open(regions);
    await openWithListing(first, player('ada'));
    await bench.run(1_000);
    await bench.close(first);
    const changes = (real: Persister): Partial<Persister> => ({
      projection: async (entity, scope) => {
        const { position, rows } = await real.projection(entity, scope);
        return { position, rows: [...rows, ...Array.from(rows, (row) => ({ ...row, table: 'listing_v9' }))] };
      },
    });
    const node = await bench.open(regions, { changes });
    expect((await node.index.stats()).rows).toBe(1);
    expect(bench.reported).toMatchObject([
      { level: 'error', message: '1 of 2 listings cannot be read, and are not found until they can be' },
    ]);
    await bench.close(node);
  });

  it('does not wait for an index that is away: it serves, keeps nothing for it, and feeds it when it is there', async () => {
    const core = new ListingIndex(BUILT_IN_CATALOGUE.itemClasses);
    const { promise: arrival, resolve: arrive } = Promise.withResolvers<ListingIndexService>();
    let real: ListingIndexService | undefined;
    void arrival.then((index) => (real = index));
    const away = new IndexAwayError('away');
    const index: ListingIndexService = {
      reachable: () => arrival.then(() => undefined),
      lost: () => Promise.withResolvers<void>().promise,
      apply: (batch) => real?.apply(batch) ?? Promise.reject(away),
      search: (...asked) => real?.search(...asked) ?? Promise.resolve({ kind: 'unavailable' }),
      stats: () => real?.stats() ?? Promise.reject(away),
    };
    const bench = new NodeBench();
    const node = await bench.open(regions, { index, startMs: 4_000 });
    expect(bench.reported).toMatchObject([{ level: 'info', message: 'the node serves; the listing index is not complete yet' }]);
    await openWithListing(node, player('ada'));
    await bench.run(1_000);
    const query = { market: marketName('europe', 'softcore'), criteria: {}, sort: { by: 'buyout' }, limit: 9, now: instant(0) } as const;
    expect(await node.index.search(query, { atLeast: node.durable })).toEqual({ kind: 'unavailable' });
    expect(node.index.lagMs).toBeGreaterThan(4_000);
    arrive(localListingIndex(core, nodeMachine().timers));
    await bench.run(1_000);
    expect(await node.index.search(query, { atLeast: node.durable })).toMatchObject({ kind: 'found', total: 1, lagMs: 0 });
    expect(bench.reported).toHaveLength(1);
    await bench.close(node);
  });

  it('does not serve before its first word about time is durable', async () => {
    const bench = new NodeBench();
    bench.disk.inject((operation) => (operation === 'lease' ? 'fail' : 'work'));
    await expect(bench.open(regions)).rejects.toThrow(/^the journal cannot be written: the disk failed before: lease$/);
  });
});
