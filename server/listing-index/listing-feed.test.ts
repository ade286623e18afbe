import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, shardId } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, instant, itemId, playerId, type ShardId } from '#shared/units.ts';
import { createListingIndex, type FeedBatch, type FeedChange, type ListingIndex } from './listing-index.ts';
import { ListingFeed, type FeedSnapshot } from './listing-feed.ts';

const ADA = shardId('ada', 'europe', 'softcore');
const BOB = shardId('bob', 'europe', 'softcore');

interface Row {
  readonly id: number;
  readonly price: number;
}

function indexed(shard: ShardId, version: number, { id, price }: Row): IndexedListing {
  return {
    id: listingId(id, shard),
    shard,
    seller: playerId(shard.slice(0, shard.indexOf('@'))),
    market: 'europe.softcore',
    item: { id: itemId(`i${id}`), baseId: 'b', itemClass: 'sword', name: 'Sword', rarity: 'rare', level: 1, affixes: [] },
    buyout: gold(price),
    startsAt: instant(0),
    endsAt: instant(1_000_000),
    version,
  };
}

const row = (id: number, price = id): Row => ({ id, price });
const put = (id: number, version: number): FeedChange => ({ kind: 'put', row: indexed(ADA, version, row(id)) });

async function promisesSettled(): Promise<void> {
  for (let round = 0; round < 20; round++) await Promise.resolve();
}

/** A feed whose timers ring when the test says so, into an index that notes what it is given. */
function benchOf(snapshots: readonly (FeedSnapshot | Error)[] = [{ position: 0, changes: [] }], pendingMax = 1_000_000) {
  const timers = new Set<() => void>();
  const later = (run: () => void): (() => void) => {
    timers.add(run);
    return () => void timers.delete(run);
  };
  const applied: FeedBatch[] = [];
  const real = createListingIndex([{ id: 'sword', slot: 'hand' }]);
  const index: ListingIndex = {
    ...real,
    apply: (batch) => {
      applied.push(batch);
      return real.apply(batch);
    },
  };
  const left = [...snapshots];
  const reported: string[] = [];
  const disk = { failuresLeft: 0 };
  let now = 0;
  const feed = new ListingFeed<Row>({
    index,
    node: 'one',
    incarnation: 'life',
    platform: {
      readings: { wall: () => instant(now), monotonicMs: () => now },
      timers: { after: (_ms, run) => later(run), defer: later },
      report: ({ message }) => void reported.push(message),
    },
    snapshot: () => {
      const next = left.shift();
      return next === undefined || next instanceof Error ? Promise.reject(next ?? new Error('none left')) : Promise.resolve(next);
    },
    // A shard that takes no turns: the index has what the node's database has.
    rowsOf: async (shard) => {
      if (disk.failuresLeft-- > 0) throw new Error('the disk is busy');
      return [1, 2, 3, 4].filter((id) => real.get(listingId(id, shard)) !== undefined);
    },
    pendingMax,
    indexed,
  });
  const ring = async (): Promise<void> => {
    const ringing = [...timers];
    timers.clear();
    for (const run of ringing) run();
    await promisesSettled();
  };
  const pass = (ms: number): void => void (now += ms);
  return { feed, disk, index, applied, ring, reported, timers, pass };
}

describe('the feed of the index', () => {
  it('gives the last change of each listing, in one batch that starts where the one before ended', async () => {
    const { feed, index, applied, ring } = benchOf([{ position: 4, changes: [put(1, 1)] }]);
    await feed.start();
    feed.put(5, ADA, 2, row(2));
    feed.put(6, BOB, 1, row(2));
    feed.put(7, ADA, 3, row(3));
    feed.remove(8, ADA, 4, 2);
    feed.remove(9, ADA, 5, 1);
    feed.put(10, ADA, 6, row(3, 30));
    expect(applied).toHaveLength(1);
    await ring();
    expect(applied).toHaveLength(2);
    expect(applied[1]).toMatchObject({ from: 4, to: 10 });
    expect(applied[1]?.changes).toHaveLength(4);
    expect(index.stats().rows).toBe(2);
    expect(index.get(listingId(2, BOB))?.version).toBe(1);
    expect(index.get(listingId(3, ADA))).toMatchObject({ buyout: 30, version: 6 });
    feed.put(12, ADA, 7, row(4));
    await ring();
    expect(applied[2]).toMatchObject({ from: 10, to: 12 });
  });

  it('comes to what every change one by one comes to, whatever the batches', async () => {
    const change = fc.record({
      id: fc.integer({ min: 1, max: 4 }),
      shard: fc.constantFrom(ADA, BOB),
      isPut: fc.boolean(),
      ring: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40 }), async (changes) => {
        const { feed, ring } = benchOf();
        const priceById = new Map<string, number>();
        await feed.start();
        for (const [at, { id, shard, isPut, ring: isRinging }] of changes.entries()) {
          const version = at + 1;
          if (isPut) feed.put(version, shard, version, row(id, version));
          else feed.remove(version, shard, version, id);
          if (isPut) priceById.set(listingId(id, shard), version);
          else priceById.delete(listingId(id, shard));
          if (isRinging) await ring();
        }
        expect(feed.index.stats().rows).toBe(priceById.size);
        for (const shard of [ADA, BOB]) {
          for (let id = 1; id <= 4; id++) {
            const key = listingId(id, shard);
            expect(feed.index.get(key)?.buyout).toBe(priceById.get(key));
          }
        }
      }),
    );
  });

  it('catches up before somebody asks, and has one timer whatever is asked in between', async () => {
    const { feed, index, timers, pass } = benchOf();
    await feed.start();
    for (const version of [1, 2, 3]) {
      const key = listingId(version, ADA);
      feed.put(version, ADA, version, row(version));
      pass(5);
      expect(feed.lagMs).toBe(5);
      expect(index.get(key)).toBeUndefined();
      expect(feed.index.get(key)).toBeDefined();
      expect(feed.lagMs).toBe(0);
      expect(timers.size).toBe(1);
    }
    feed.put(4, ADA, 4, row(4));
    const query = { market: 'europe.softcore', criteria: {}, sort: { by: 'buyout' }, limit: 9, now: instant(0) } as const;
    expect(feed.index.search(query)).toMatchObject({ total: 4 });
    feed.remove(5, ADA, 5, 4);
    expect(feed.index.stats().rows).toBe(3);
  });

  it('gives a snapshot when the index has lost its place, and then only what came later', async () => {
    const { feed, index, applied, ring } = benchOf([
      { position: 0, changes: [] },
      { position: 6, changes: [put(5, 5)] },
    ]);
    await feed.start();
    // Somebody else has fed the index meanwhile: it is at another position.
    index.apply({ node: 'one', incarnation: 'another', from: 9, to: 9, snapshot: true, changes: [] });
    feed.put(5, ADA, 4, row(4));
    feed.put(6, ADA, 5, row(5));
    feed.put(7, ADA, 6, row(7));
    feed.remove(8, ADA, 7, 5);
    await ring();
    expect(applied.slice(-2)).toMatchObject([
      { snapshot: true, from: 6, to: 6 },
      { from: 6, to: 8 },
    ]);
    expect(applied.at(-1)?.changes).toHaveLength(2);
    // The listing of position 5 was gone again when the snapshot was taken; the one that the snapshot has went later.
    expect(index.get(listingId(4, ADA))).toBeUndefined();
    expect(index.get(listingId(5, ADA))).toBeUndefined();
    expect(index.get(listingId(7, ADA))).toBeDefined();
  });

  it('is not behind any more when a snapshot had everything that waited', async () => {
    const { feed, index, ring, pass } = benchOf([
      { position: 0, changes: [] },
      { position: 6, changes: [put(5, 5)] },
    ]);
    await feed.start();
    index.apply({ node: 'one', incarnation: 'another', from: 9, to: 9, snapshot: true, changes: [] });
    feed.put(6, ADA, 5, row(5));
    pass(5);
    expect(feed.lagMs).toBe(5);
    await ring();
    expect(feed.lagMs).toBe(0);
    expect(index.stats()).toMatchObject({ rows: 1, feeds: [{ position: 6 }] });
  });

  it('lets nothing through between the parts of a snapshot, whoever asks', async () => {
    const rows = Array.from({ length: 501 }, (_, place) => put(place + 1, place + 1));
    const { feed, applied, ring } = benchOf([{ position: 600, changes: rows }]);
    const started = feed.start();
    await promisesSettled();
    feed.remove(601, ADA, 601, 1);
    expect(feed.index.stats().rows).toBe(500);
    await ring();
    await started;
    expect(feed.index.stats().rows).toBe(500);
    expect(feed.index.get(listingId(501, ADA))).toBeDefined();
    expect(applied.map(({ from, to }) => [from, to])).toEqual([
      [600, 600],
      [600, 600],
      [600, 601],
    ]);
  });

  it('goes live after any number of comings and goings in one shard during a snapshot', async () => {
    const rows = Array.from({ length: 501 }, (_, place) => put(place + 1, place + 1));
    const { feed, ring, reported } = benchOf([{ position: 600, changes: rows }]);
    const started = feed.start();
    await promisesSettled();
    for (let id = 1_000; id < 21_000; id++) feed.put(id, ADA, id, row(id));
    await ring();
    await started;
    expect(feed.index.stats()).toMatchObject({ rows: 501 + 20_000, feeds: [{ position: 20_999 }] });
    expect(reported).toEqual([]);
  });

  it('forgets what is too much, and takes a snapshot that has it, also while it is live', async () => {
    const { feed, index, ring } = benchOf(
      [
        { position: 0, changes: [] },
        { position: 4, changes: [1, 2, 3, 4].map((id) => put(id, id)) },
      ],
      3,
    );
    await feed.start();
    for (let id = 1; id <= 4; id++) feed.put(id, ADA, id, row(id));
    await ring();
    await ring();
    expect(index.stats()).toMatchObject({ rows: 4, feeds: [{ position: 4 }] });
    expect(feed.lagMs).toBe(0);
  });

  it('takes another snapshot when too much came during one', async () => {
    const rows = Array.from({ length: 501 }, (_, place) => put(place + 1, place + 1));
    const { feed, index, ring } = benchOf(
      [
        { position: 600, changes: rows },
        { position: 604, changes: [...rows, put(601, 601), put(602, 602), put(603, 603), put(604, 604)] },
      ],
      3,
    );
    const started = feed.start();
    await promisesSettled();
    for (let id = 601; id <= 604; id++) feed.put(id, ADA, id, row(id));
    for (let rings = 0; rings < 4; rings++) await ring();
    await started;
    expect(index.stats()).toMatchObject({ rows: 505, feeds: [{ position: 604 }] });
  });

  it('tries a snapshot that failed again, and says so', async () => {
    const { feed, ring, reported } = benchOf([new Error('the disk is busy'), { position: 3, changes: [put(1, 1)] }]);
    const started = feed.start();
    await promisesSettled();
    expect(feed.index.stats().rows).toBe(0);
    await ring();
    await started;
    expect(reported).toEqual(['the listing index could not be given a snapshot']);
    expect(feed.index.stats().rows).toBe(1);
  });

  it('leaves out the listings of a shard that cannot be loaded, and shows them again when it is there', async () => {
    const { feed } = benchOf([{ position: 9, changes: [put(1, 1), put(2, 2)] }]);
    await feed.start();
    feed.hide(ADA);
    await promisesSettled();
    expect(feed.index.stats()).toMatchObject({ rows: 0, feeds: [{ position: 9 }] });
    feed.put(10, BOB, 1, row(1));
    feed.show(ADA, 3, [row(1), row(2, 20)]);
    expect(feed.index.stats()).toMatchObject({ rows: 3, feeds: [{ position: 10 }] });
    expect(feed.index.get(listingId(2, ADA))).toMatchObject({ buyout: 20, version: 3 });
    feed.remove(11, ADA, 4, 2);
    expect(feed.index.stats()).toMatchObject({ rows: 2, feeds: [{ position: 11 }] });
    // Hidden once more: what was shown at a later version than its row's own must go as well.
    feed.hide(ADA);
    await promisesSettled();
    expect(feed.index.get(listingId(1, ADA))).toBeUndefined();
  });

  it('leaves them out when it is told once more, if they could not be looked up at first', async () => {
    const { feed, disk, reported } = benchOf([{ position: 9, changes: [put(1, 1)] }]);
    await feed.start();
    disk.failuresLeft = 1;
    const rows: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      feed.hide(ADA);
      await promisesSettled();
      rows.push(feed.index.stats().rows);
    }
    expect(rows).toEqual([1, 0, 0]);
    expect(reported).toEqual([`listings of ${ADA} are still shown`]);
    feed.show(ADA, 1, [row(1)]);
    expect(feed.index.stats().rows).toBe(1);
  });

  it('takes no word about listings of a shard that was there again before the answer came', async () => {
    const { feed } = benchOf([{ position: 9, changes: [put(1, 1), put(3, 1)] }]);
    await feed.start();
    feed.hide(ADA);
    feed.show(ADA, 1, [row(1), row(3)]);
    feed.remove(10, ADA, 2, 1);
    feed.put(11, ADA, 3, row(2));
    await promisesSettled();
    expect([1, 2, 3].map((id) => feed.index.get(listingId(id, ADA))?.version)).toEqual([undefined, 3, 1]);
  });

  it.each<[string, 'hide' | 'show']>([
    ['leaves out of a snapshot under way what is hidden in the middle of it', 'hide'],
    ['adds to a snapshot under way what was hidden at its beginning and is shown again', 'show'],
  ])('%s', async (_name, end) => {
    const others = Array.from({ length: 500 }, (_, place): FeedChange => ({ kind: 'put', row: indexed(BOB, 1, row(place + 100)) }));
    const own = [put(1, 1), put(2, 2)];
    // Of the listings of one shard, one is in the first part and the other in the second.
    const snapshot = { position: 600, changes: [put(1, 1), ...others, put(2, 2)] };
    const { feed, index, ring } = benchOf([{ position: 5, changes: own }, snapshot]);
    await feed.start();
    if (end === 'show') feed.hide(ADA);
    await promisesSettled();
    index.apply({ node: 'one', incarnation: 'another', from: 9, to: 9, snapshot: true, changes: own });
    feed.put(600, BOB, 1, row(100));
    expect(feed.index.stats().rows).toBeGreaterThan(0);
    await promisesSettled();
    if (end === 'show') feed.show(ADA, 7, [row(1), row(2)]);
    else feed.hide(ADA);
    await promisesSettled();
    // A change of the journal that the snapshot does not have, and one that it has.
    feed.put(601, BOB, 2, row(99));
    await ring();
    expect(feed.index.stats()).toMatchObject({ rows: end === 'show' ? 503 : 501, feeds: [{ position: 601 }] });
    expect([1, 2].map((id) => feed.index.get(listingId(id, ADA)) !== undefined)).toEqual([end === 'show', end === 'show']);
  });

  it('feeds no more once it is stopped, and leaves no timer', async () => {
    const { feed, applied, timers } = benchOf();
    await feed.start();
    feed.put(1, ADA, 1, row(1));
    feed.stop();
    feed.put(2, ADA, 2, row(2));
    expect(feed.index.stats().rows).toBe(0);
    expect(applied).toHaveLength(1);
    expect(timers.size).toBe(0);
  });
});
