/** A whole node over a disk in memory: what only the composition can get wrong. */
import { describe, expect, it } from '@jest/globals';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { createPrng } from '#shared/prng.ts';
import { shardId } from '#shared/address.ts';
import { gold, itemId, operationId, type ShardId } from '#shared/units.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { InlineBackend } from '#server/journal/backend-inline.ts';
import { openPersister } from '#server/journal/open-persister.ts';
import { MemoryDisk } from '#server/journal/storage-memory.ts';
import { marketPowerups } from '#server/market/market.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import { ALARM_SCAN_SHARDS } from '#server/cell/cell-host.ts';
import { Scheduler } from '#server/sim/scheduler.ts';
import { clockTime, virtualMachine } from '#server/sim/virtual-platform.ts';
import { openNode, type GavelNode } from './world.ts';

const rules = RULES_PROFILES.dev;
const regions = ['asia', 'europe'];
const MINUTE_MS = 60_000;

class NodeBench {
  readonly scheduler = new Scheduler();
  readonly disk = new MemoryDisk(defineShard(marketPowerups({ rules, regions, catalogue: BUILT_IN_CATALOGUE })).schemas);

  readonly reported: ReportedEvent[] = [];

  /** A node for some of the regions, on the disk as the last one left it. */
  async open(served: readonly string[], { wallOffsetMs = 0, isClockTrusted = false } = {}): Promise<GavelNode> {
    const life = {
      isOver: false,
      wallOffsetMs,
      onThrow: (error: unknown) => {
        throw error;
      },
      onReport: (event: ReportedEvent) => void this.reported.push(event),
    };
    const machine = virtualMachine(this.scheduler, createPrng('world'), life);
    const opening = openNode({
      machine,
      isClockTrusted,
      rules,
      catalogue: BUILT_IN_CATALOGUE,
      regions: served,
      world: 'test',
      node: 'one',
      openPersister: (definition) =>
        openPersister(machine, definition, new InlineBackend(machine.timers, this.disk, { commitMs: () => 1, stepMs: () => 1 })),
      memoryBudgetBytes: 1e9,
      onFault: (fault) => {
        throw fault;
      },
    });
    opening.catch(() => undefined); // Whoever awaits it hears of it.
    await this.run(1_000);
    return opening;
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
    expect(both.index.stats().rows).toBe(ALARM_SCAN_SHARDS + 21);
    await bench.close(both);

    const europe = await bench.open(['europe']);
    await bench.run(2 * MINUTE_MS);
    const found = europe.index.search({
      market: 'europe.softcore',
      criteria: {},
      sort: { by: 'buyout' },
      limit: 10,
      now: clockTime(0, 0),
    });
    expect(found).toMatchObject({ kind: 'found', rows: [] });
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
    expect(node.index.stats().rows).toBe(1);
    await bench.close(node);
  });

  it('does not serve before its first word about time is durable', async () => {
    const bench = new NodeBench();
    bench.disk.inject((operation) => (operation === 'lease' ? 'fail' : 'work'));
    await expect(bench.open(regions)).rejects.toThrow(/^the journal cannot be written: the disk failed before: lease$/);
  });
});
