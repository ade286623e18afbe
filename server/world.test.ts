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
  readonly disk = new MemoryDisk(defineShard(marketPowerups(rules, regions)).schemas);

  /** A node for some of the regions, on the disk as the last one left it. */
  async open(served: readonly string[]): Promise<GavelNode> {
    const life = {
      isOver: false,
      wallOffsetMs: 0,
      onThrow: (error: unknown) => {
        throw error;
      },
      onReport: () => undefined,
    };
    const machine = virtualMachine(this.scheduler, createPrng('world'), life);
    const opening = openNode({
      machine,
      isClockTrusted: false,
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
    await this.run(1_000);
    return opening;
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
    const closing = both.close(5_000);
    await bench.run(5_000);
    await closing;

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
