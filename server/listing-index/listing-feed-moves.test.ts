/** Feeds of several nodes into one index, while cells move between them. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId } from '#shared/address.ts';
import { epoch, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import type { IndexedListing } from '#shared/search.ts';
import { nodeName, position, rowId, type ShardId } from '#shared/units.ts';
import { type FeedSnapshot } from './listing-feed.ts';
import { ListingIndex } from './listing-index.ts';
import { ADA, BOB, indexed, row, cellOfShard, Bench } from './testing/feed-bench.ts';

/** A shard that moves between two nodes: what is true of it, and who owns its cell. */
class MovingShard {
  readonly shard: ShardId;
  readonly priceById = new Map<number, number>();
  version = 0;
  owner = 0;
  inEpoch = FIRST_EPOCH;

  constructor(shard: ShardId) {
    this.shard = shard;
  }

  get cell(): CellEpoch {
    return cellOfShard(this.shard, this.inEpoch);
  }

  get rows(): readonly IndexedListing[] {
    return Array.from(this.priceById, ([id, price]) => indexed(this.shard, this.version, row(id, price)));
  }
}

describe('feeds of nodes between which cells move', () => {
  const event = fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'remove', 'move', 'lose', 'ring', 'zombie'),
    which: fc.constantFrom(0, 1),
    id: fc.integer({ min: 1, max: 4 }),
    isClosed: fc.boolean(),
  });

  it('come to what is true at the owners, whatever moved when, and whatever a former owner still sends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const core = new ListingIndex([{ id: 'sword', slot: 'hand' }]);
        const shards = [new MovingShard(ADA), new MovingShard(BOB)];
        const positions = [0, 0];
        const benches = ['one', 'two'].map((node, number) => {
          const snapshot = (cells: readonly CellEpoch[]): FeedSnapshot => {
            const own = shards.filter(({ cell }) => cells.some((each) => each.cell === cell.cell));
            return { position: position(positions[number] ?? 0), rows: own.flatMap(({ rows }) => rows) };
          };
          return new Bench([], { node, core, snapshot });
        });
        const [one, two] = benches;
        if (one === undefined || two === undefined) throw new Error('there are two');
        void one.feed.openCells(shards.map(({ cell }) => cell));
        for (const [at, { kind, which, id, isClosed }] of events.entries()) {
          const moving = shards[which] ?? new MovingShard(ADA);
          const [owner, other] = moving.owner === 0 ? [one, two] : [two, one];
          const position = (positions[moving.owner] ?? 0) + 1;
          if (kind === 'put' || kind === 'remove') {
            positions[moving.owner] = position;
            moving.version += 1;
            if (kind === 'put') moving.priceById.set(id, at + 1);
            else moving.priceById.delete(id);
            if (kind === 'put') owner.put(position, moving.shard, moving.version, row(id, at + 1));
            else owner.remove(position, moving.shard, moving.version, id);
          } else if (kind === 'move') {
            // Some never hear that their cell has moved: they feed it until the index tells them.
            if (isClosed) owner.feed.closeCell(moving.cell);
            moving.owner = 1 - moving.owner;
            moving.inEpoch = epoch(moving.inEpoch + 1);
            void other.feed.openCells([moving.cell]);
          } else if (kind === 'zombie') {
            other.put((positions[1 - moving.owner] ?? 0) + 1, moving.shard, 1_000, row(id, 666));
            positions[1 - moving.owner] = (positions[1 - moving.owner] ?? 0) + 1;
          } else if (kind === 'lose') {
            core.apply({ node: nodeName(owner === one ? 'one' : 'two'), incarnation: 'another', kind: 'open', cells: [] });
          } else await owner.ring();
        }
        for (let rounds = 0; rounds < 6; rounds++) for (const bench of benches) await Promise.all([bench.flushed(), bench.ring()]);
        for (const { shard, rows } of shards) {
          const known = [1, 2, 3, 4].flatMap((id) => core.get(listingId(rowId(id), shard)) ?? []);
          const prices = (listings: readonly IndexedListing[]) => listings.map(({ id, buyout }) => `${id} for ${buyout}`).toSorted();
          expect(prices(known)).toEqual(prices(rows));
        }
      }),
      { numRuns: 300 },
    );
  });
});
