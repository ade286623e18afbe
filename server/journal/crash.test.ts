import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ShardId } from '#shared/units.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { InlineBackend } from './persister/backend-inline.ts';
import { openPersister } from './persister/open-persister.ts';
import type { Persister } from './persister/persister.ts';
import { MemoryDisk } from './disk/memory.ts';
import type { MemoryOperation, WriteOutcome } from './disk/memory-writes.ts';
import { DEFINITION, offer, picker, replay, sampleShard, SampleShard } from './testing/sample.ts';
import { slowFold, sortedRows } from './testing/slow-fold.ts';
import { VirtualTime } from './testing/virtual-time.ts';

const SHARDS = 5;

interface Node {
  readonly time: VirtualTime;
  readonly backend: InlineBackend;
  readonly persister: Persister;
  readonly faults: Error[];
}

/** A disk, what was ever appended to it in the order of positions, and who uses it at the moment. */
class World {
  readonly disk = new MemoryDisk(DEFINITION);
  readonly pick: (below: number) => number;
  turns: ChangeSet[] = [];
  acknowledged = 0;
  crashes = 0;
  #shards: SampleShard[] = [];

  constructor(seed: number) {
    this.pick = picker(seed);
  }

  async start(): Promise<Node> {
    const time = new VirtualTime();
    const delays = { commitMs: () => this.pick(4), stepMs: () => (this.pick(25) === 0 ? 200_000 : this.pick(3)) };
    const backend = new InlineBackend(time.timers, this.disk, delays);
    const persister = await time.until(openPersister(time, DEFINITION, backend));
    const faults: Error[] = [];
    persister.onFault((fault) => faults.push(fault));
    this.#recover(persister);
    persister.onDurable((durable) => (this.acknowledged = durable));
    return { time, backend, persister, faults };
  }

  append(persister: Persister): void {
    const shard = this.#shards[this.pick(SHARDS)];
    if (shard === undefined) throw new Error('there is no such shard');
    const changes = shard.turn(1_700_000_000_000 + this.turns.length);
    this.turns.push(changes);
    expect(persister.append(changes)).toBe(this.turns.length);
  }

  of(shard: ShardId, through = this.turns.length): readonly ChangeSet[] {
    return this.turns.slice(0, through).filter((changes) => changes.shard === shard);
  }

  crash({ time, backend }: Node): void {
    backend.kill();
    time.clear();
    this.disk.inject(() => 'work');
    // A killed process loses nothing that it wrote, but what it did not sync may still go with the power, later.
    if (this.pick(2) === 0) this.disk.cutPower(() => this.pick(2) === 0);
    this.crashes++;
  }

  /** What is durable is a prefix of what was appended, and nothing that was acknowledged is missing. */
  #recover({ recovered, appended, durable }: Persister): void {
    expect(recovered.position).toBeGreaterThanOrEqual(this.acknowledged);
    expect(recovered.position).toBeLessThanOrEqual(this.turns.length);
    expect([appended, durable]).toEqual([recovered.position, recovered.position]);
    this.turns = this.turns.slice(0, recovered.position);
    this.acknowledged = recovered.position;
    this.#shards = Array.from({ length: SHARDS }, (_, index) => new SampleShard(index, this.pick, this.of(sampleShard(index)).at(-1)));
  }
}

async function checkLoads(world: World, { time, persister }: Node): Promise<void> {
  for (let index = 0; index < SHARDS; index++) {
    const shard = sampleShard(index);
    const expected = replay(world.of(shard, persister.durable));
    const loaded = await time.until(persister.load(shard));
    expect(loaded.kind === 'found' ? loaded.shard : undefined).toEqual(expected);
  }
}

async function checkProjections(world: World, { time, persister }: Node): Promise<void> {
  const turns = world.turns.slice(0, persister.durable);
  const expected = slowFold(turns, offer.schema.table);
  const { position, rows } = await time.until(persister.projection(offer.name));
  expect(position).toBe(turns.length);
  expect(sortedRows(rows)).toEqual(expected.rows);
  const { totals } = await time.until(persister.totals());
  const amounts = totals.filter(({ amount }) => amount !== 0n).map(({ key, amount }) => [key, amount] as const);
  expect(new Map(amounts)).toEqual(new Map(expected.totals.map(({ key, amount }) => [key, amount])));
  for (let index = 0; index < SHARDS; index++) {
    const lines = await time.until(persister.history(sampleShard(index), Number.MAX_SAFE_INTEGER, 1_000));
    expect(lines).toEqual(expected.lines(sampleShard(index)).toReversed());
  }
}

/** Appends, runs, loads, at random, until it has been enough or the disk has failed. */
async function live(world: World, node: Node): Promise<void> {
  const { pick } = world;
  for (let act = 10 + pick(60); act > 0 && node.faults.length === 0; act--) {
    if (pick(3) === 0) for (let count = pick(6); count > 0; count--) world.append(node.persister);
    for (let count = pick(12); count > 0; count--) await node.time.step();
    if (pick(12) === 0 && node.faults.length === 0) {
      const shard = sampleShard(pick(SHARDS));
      const loading = node.persister.load(shard);
      const { durable } = node.persister;
      const loaded = await node.time.until(loading);
      const version = loaded.kind === 'found' ? loaded.shard.version : 0;
      expect(version).toBeGreaterThanOrEqual(world.of(shard, durable).length);
      expect(loaded.kind === 'found' ? loaded.shard : undefined).toEqual(replay(world.of(shard).slice(0, version)));
    }
  }
}

describe('a node that crashes between any two steps', () => {
  it('loses nothing that was acknowledged, and makes nothing up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const world = new World(seed);
        for (let life = 0; life < 5; life++) {
          const node = await world.start();
          await checkLoads(world, node);
          await live(world, node);
          world.crash(node);
        }
        const last = await world.start();
        await checkLoads(world, last);
        await checkProjections(world, last);
        await last.time.until(last.persister.close(1e9));
        const { position, dropped } = world.disk.journal.state;
        expect([position, dropped]).toEqual([world.turns.length, world.turns.length]);
        await checkLoads(world, await world.start());
      }),
      { numRuns: 12 },
    );
  });

  it.each(['commit', 'image-versions', 'drop', 'stage', 'sync', 'mark', 'publish', 'sync-directories', 'apply'] as const)(
    'ends at a failing %s, and loses nothing either',
    async (operation: MemoryOperation) => {
      for (const outcome of ['fail', 'write-then-fail', 'write-unsynced'] as const) {
        await fc.assert(
          fc.asyncProperty(fc.integer(), (seed) => failsAt(operation, outcome, seed)),
          { numRuns: 4 },
        );
      }
    },
  );
});

async function failsAt(operation: MemoryOperation, outcome: WriteOutcome, seed: number): Promise<void> {
  const world = new World(seed);
  const healthy = await world.start();
  await live(world, healthy);
  world.crash(healthy);
  const node = await world.start();
  let left = world.pick(4);
  world.disk.inject((called) => (called === operation && left-- <= 0 ? outcome : 'work'));
  const told: number[] = [];
  node.persister.onDurable((durable) => told.push(durable));
  for (let count = 0; count < 2_000 && node.faults.length === 0; count++) {
    if (world.pick(4) === 0) world.append(node.persister);
    await node.time.step();
  }
  expect(node.faults.map(({ name }) => name)).toEqual(['InjectedFailure']);
  // Nothing is confirmed after a fault, whatever is still on its way.
  const { durable } = node.persister;
  const heard = told.length;
  world.append(node.persister);
  for (let count = 0; count < 50; count++) await node.time.step();
  expect([node.persister.durable, told.length]).toEqual([durable, heard]);
  world.crash(node);
  const next = await world.start();
  await checkLoads(world, next);
  await checkProjections(world, next);
}
