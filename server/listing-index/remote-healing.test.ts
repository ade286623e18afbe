/** A feed, an index and what can happen to the way between them. */
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { until } from '#client/wait.ts';
import { limits } from '#shared/limits.ts';
import type { IndexedListing, ListingFacts } from '#shared/search.ts';
import { nodeName, position, rowId, shardVersion, type ShardId } from '#shared/units.ts';
import { ListingFeed } from './listing-feed.ts';
import { openListing } from './row-packing.ts';
import type { IndexServer } from './server.ts';
import { ADA, BOB, CELLS, indexed, QUERY, row } from './testing/feed-bench.ts';
import { RemoteBench, type Interceptor } from './testing/remote-bench.ts';

/** All waits are a tenth, so that a connection that was cut is soon there again. */
const HASTE = 10;
const PLAIN: Interceptor['tamper'] = (frame) => [frame];

let bench = new RemoteBench(HASTE);
afterEach(async () => {
  await bench.close();
  bench = new RemoteBench(HASTE);
});

/** A node with two shards, whose feed reaches its index through somebody who tampers. */
class World {
  readonly interceptor: Interceptor;
  readonly feed: ListingFeed<{ readonly id: ReturnType<typeof rowId>; readonly price: number }>;
  readonly #truth = new Map<string, IndexedListing>();
  #server: IndexServer;
  #position = 0;

  private constructor(server: IndexServer, interceptor: Interceptor) {
    this.#server = server;
    this.interceptor = interceptor;
    this.feed = new ListingFeed({
      index: bench.node('one', () => interceptor.url),
      node: nodeName('one'),
      incarnation: 'life',
      cellsPerMarket: limits.cellsPerRegion,
      platform: bench.machine,
      snapshot: async () => ({ position: position(this.#position), rows: [...this.#truth.values()] }),
      rowsOf: async () => [],
      indexed,
    });
  }

  static async open(): Promise<World> {
    const server = await bench.server();
    const world = new World(server, await bench.interceptor(server.url));
    await world.feed.openCells(CELLS);
    return world;
  }

  put(shard: ShardId, id: number): void {
    const at = ++this.#position;
    const listing = row(id, at);
    this.#truth.set(`${id}.${shard}`, indexed(shard, at, listing));
    this.feed.take({ position: position(at), shard, version: shardVersion(at), id: rowId(id), row: listing });
  }

  remove(shard: ShardId, id: number): void {
    const at = ++this.#position;
    this.#truth.delete(`${id}.${shard}`);
    this.feed.take({ position: position(at), shard, version: shardVersion(at), id: rowId(id), row: undefined });
  }

  /** What a search finds; one that says that it lacks nothing must lack nothing. Returns whether it does. */
  async isWhole(): Promise<boolean> {
    const found = await this.feed.search(QUERY, { atLeast: position(this.#position) });
    if (found.kind !== 'found' || found.lagMs > 0) return false;
    const prices = (rows: Iterable<ListingFacts>): readonly string[] =>
      Array.from(rows, ({ id, buyout }) => `${id} for ${buyout}`).toSorted();
    expect(prices(found.rows.map(openListing))).toEqual(prices(this.#truth.values()));
    return true;
  }

  /** The index dies, and another one, which knows nothing, takes its place. */
  async restart(): Promise<void> {
    this.interceptor.target = undefined;
    await this.#server.close();
    this.#server = await bench.server();
    this.interceptor.target = this.#server.url;
  }
}

/** Ways to spoil the next frame after the handshake. */
const spoilers = {
  drop: () => [],
  double: (frame) => [frame, frame],
  truncate: (frame) => [frame.subarray(0, frame.length - 1)],
  empty: () => [new Uint8Array()],
} as const satisfies Record<string, (frame: Buffer) => readonly Uint8Array[]>;

function spoilNext(world: World, how: keyof typeof spoilers, side: 'node' | 'index'): void {
  let isDone = false;
  world.interceptor.tamper = (frame, from, before) => {
    if (isDone || from !== side || before < 2) return [frame];
    isDone = true;
    return spoilers[how](frame);
  };
}

describe('an index over a network that fails', () => {
  const event = fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'remove', 'search', 'cut', 'restart', 'spoil'),
    shard: fc.constantFrom(ADA, BOB),
    id: fc.integer({ min: 1, max: 4 }),
    how: fc.constantFrom(...(Object.keys(spoilers) as (keyof typeof spoilers)[])),
    side: fc.constantFrom('node' as const, 'index' as const),
  });

  it('comes to what is true, and never says that it lacks nothing when it does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        const world = await World.open();
        for (const { kind, shard, id, how, side } of events) {
          if (kind === 'put') world.put(shard, id);
          else if (kind === 'remove') world.remove(shard, id);
          else if (kind === 'search') await world.isWhole();
          else if (kind === 'cut') world.interceptor.cut();
          else if (kind === 'restart') await world.restart();
          else spoilNext(world, how, side);
        }
        world.interceptor.tamper = PLAIN;
        await until(() => world.isWhole(), 15_000);
        world.feed.stop();
        await bench.close();
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it('says that it is unavailable at once while the index is away, keeps nothing meanwhile, and is told once of each', async () => {
    const world = await World.open();
    world.interceptor.target = undefined;
    world.interceptor.cut();
    await until(async () => (await world.feed.search(QUERY, { atLeast: position(0) })).kind === 'unavailable');
    for (let id = 1; id <= 4; id++) world.put(ADA, id);
    expect(await world.isWhole()).toBe(false);
    await world.restart();
    await until(() => world.isWhole());
    expect(bench.machine.reported).toEqual([
      'the listing index is away: the connection was cut; searches are unavailable until it is back, trades go on',
      'the listing index is back',
    ]);
    world.feed.stop();
  });

  it('is given everything again after a restart, although nothing changes and nobody searches', async () => {
    const world = await World.open();
    world.put(ADA, 1);
    await until(() => world.isWhole());
    await world.restart();
    const other = bench.node('two', () => world.interceptor.target);
    await other.reachable();
    await until(async () => (await other.stats()).rows === 1);
    world.feed.stop();
  });

  it('gives up a connection on which nothing comes any more, and comes back', async () => {
    const world = await World.open();
    const { interceptor } = world;
    world.put(ADA, 1);
    await until(() => world.isWhole());
    const target = interceptor.target ?? '';
    interceptor.freeze();
    await until(() => bench.machine.reported.some((message) => message.includes('is away')));
    interceptor.thaw(target);
    await until(() => world.isWhole());
    world.feed.stop();
  });
});
