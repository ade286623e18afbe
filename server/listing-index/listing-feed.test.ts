import { describe, expect, it } from '@jest/globals';
import { listingId, shardId } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, instant, itemId, playerId } from '#shared/units.ts';
import { createListingIndex, type FeedBatch, type FeedChange, type ListingIndex } from './listing-index.ts';
import { ListingFeed, type FeedSnapshot } from './listing-feed.ts';

const ADA = shardId('ada', 'europe', 'softcore');

function put(row: number, version: number): FeedChange {
  const listing: IndexedListing = {
    id: listingId(row, ADA),
    shard: ADA,
    seller: playerId('ada'),
    market: 'europe.softcore',
    item: { id: itemId(`i${row}`), baseId: 'b', itemClass: 'sword', name: 'Sword', rarity: 'rare', level: 1, affixes: [] },
    buyout: gold(row),
    startsAt: instant(0),
    endsAt: instant(1_000_000),
    version,
  };
  return { kind: 'put', row: listing };
}

function remove(row: number, version: number): FeedChange {
  return { kind: 'remove', id: listingId(row, ADA), version };
}

/** A feed whose timers ring when the test says so, into an index that notes what it is given. */
function benchOf(snapshots: readonly (FeedSnapshot | Error)[] = [{ position: 0, changes: [] }]) {
  const timers: (() => void)[] = [];
  const later = (run: () => void): (() => void) => {
    timers.push(run);
    return () => undefined;
  };
  const applied: FeedBatch[] = [];
  const real = createListingIndex([{ id: 'sword', slot: 'hand' }]);
  const index: ListingIndex = {
    apply: (batch) => {
      applied.push(batch);
      return real.apply(batch);
    },
    search: (query) => real.search(query),
    get: (id) => real.get(id),
    stats: () => real.stats(),
  };
  const left = [...snapshots];
  const reported: string[] = [];
  const feed = new ListingFeed({
    index,
    node: 'one',
    incarnation: 'life',
    platform: {
      clock: { now: () => instant(0) },
      timers: { after: (_ms, run) => later(run), defer: later },
      report: ({ message }) => void reported.push(message),
    },
    snapshot: () => {
      const next = left.shift();
      return next === undefined || next instanceof Error ? Promise.reject(next ?? new Error('none left')) : Promise.resolve(next);
    },
  });
  const ring = async (): Promise<void> => {
    for (const run of timers.splice(0)) run();
    for (let round = 0; round < 20; round++) await Promise.resolve();
  };
  return { feed, index, applied, ring, reported };
}

describe('the feed of the index', () => {
  it('gives the last change of each listing, in one batch that starts where the one before ended', async () => {
    const { feed, index, applied, ring } = benchOf([{ position: 4, changes: [put(1, 1)] }]);
    await feed.start();
    feed.push(5, [put(2, 2)]);
    feed.push(7, [put(3, 3)]);
    feed.push(8, [remove(2, 4)]);
    await ring();
    expect(applied.at(-1)).toMatchObject({ from: 4, to: 8, changes: [{ kind: 'remove' }, { kind: 'put' }] });
    expect(applied).toHaveLength(2);
    expect(index.stats().rows).toBe(2);
  });

  it('catches up before somebody asks', async () => {
    const { feed, index } = benchOf();
    await feed.start();
    feed.push(1, [put(1, 1)]);
    expect(index.get(listingId(1, ADA))).toBeUndefined();
    feed.catchUp();
    expect(index.get(listingId(1, ADA))).toBeDefined();
    expect(feed.lagMs).toBe(0);
  });

  it('gives a snapshot when the index has lost its place, and then only what came later', async () => {
    const { feed, index, applied, ring } = benchOf([
      { position: 0, changes: [] },
      { position: 6, changes: [put(5, 5)] },
    ]);
    await feed.start();
    // Somebody else has fed the index meanwhile: it is at another position.
    index.apply({ node: 'one', incarnation: 'another', from: 9, to: 9, snapshot: true, changes: [] });
    feed.push(6, [put(5, 5)]);
    feed.push(7, [put(7, 6)]);
    await ring();
    await ring();
    expect(applied.slice(-2)).toMatchObject([
      { snapshot: true, from: 6, to: 6 },
      { from: 6, to: 7, changes: [{ kind: 'put' }] },
    ]);
    expect(index.stats().rows).toBe(2);
  });

  it('tries a snapshot that failed again, and says so', async () => {
    const { feed, ring, reported } = benchOf([new Error('the disk is busy'), { position: 3, changes: [put(1, 1)] }]);
    const started = feed.start();
    for (let round = 0; round < 20; round++) await Promise.resolve();
    await ring();
    await started;
    expect(reported).toEqual(['the listing index could not be given a snapshot']);
  });
});
