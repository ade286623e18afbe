/** What every way to the listing index keeps: the one in this process, and the one over the network. */
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { criteriaSchema } from '#shared/criteria.ts';
import type { ListingFacts } from '#shared/search.ts';
import { NO_POSITION, nodeName, position } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { ListingIndex } from './listing-index.ts';
import { localListingIndex } from './local.ts';
import { openListing } from './row-packing.ts';
import type { ListingIndexService, SearchAnswer } from './service.ts';
import { batchesOf, cellsIn, feedArbitrary, NOW, queryArbitrary, rowArbitrary, Twin, type Feeding } from './testing/index-twin.ts';
import { itemClasses, RemoteBench } from './testing/remote-bench.ts';

const NODE = nodeName('node-1');
const AT_ONCE = { atLeast: { node: NODE, position: NO_POSITION } };

let bench = new RemoteBench();
afterEach(async () => {
  await bench.close();
  bench = new RemoteBench();
});

const listingsIn = (answer: SearchAnswer): readonly ListingFacts[] => (answer.kind === 'found' ? answer.rows.map(openListing) : []);

const adapters: readonly (readonly [string, () => Promise<ListingIndexService>])[] = [
  ['in this process', async () => localListingIndex(new ListingIndex(itemClasses), nodeMachine().timers)],
  ['over the network', async () => bench.forAll((await bench.server()).url)],
];

describe.each(adapters)('the listing index %s', (_name, open) => {
  const opened = async (): Promise<readonly [ListingIndexService, Twin]> => {
    const [service, twin] = [await open(), new Twin()];
    const batch = { kind: 'open', node: NODE, incarnation: 'first', cells: cellsIn() } as const;
    expect(await service.apply(batch)).toEqual(twin.apply(batch));
    return [service, twin];
  };
  const feedBoth = async (service: ListingIndexService, twin: Twin, feedings: readonly Feeding[]): Promise<void> => {
    for (const feeding of feedings) {
      for (const batch of batchesOf(feeding, twin.positionOf(feeding.node))) expect(await service.apply(batch)).toEqual(twin.apply(batch));
    }
  };
  // What no client may ask is refused before it comes here.
  const askable = queryArbitrary.filter(({ criteria }) => criteriaSchema.safeParse(criteria).success);

  it('answers batches, finds, counts, orders and pages as its slow twin does, whatever was fed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(feedArbitrary, { maxLength: 6 }),
        fc.array(askable, { minLength: 1, maxLength: 6 }),
        async (feeds, queries) => {
          const [service, twin] = await opened();
          await feedBoth(service, twin, feeds);
          for (const query of queries) {
            const wanted = twin.found(query);
            const first = await service.search(query, AT_ONCE);
            expect(first).toMatchObject({ kind: 'found', total: wanted.length, isBehind: false });
            expect(listingsIn(first)).toEqual(wanted.slice(0, query.limit));
            if (first.kind !== 'found' || first.cursor === undefined) continue;
            const second = await service.search({ ...query, cursor: first.cursor }, AT_ONCE);
            expect(second).toMatchObject({ total: wanted.length });
            expect(listingsIn(second)).toEqual(wanted.slice(query.limit, 2 * query.limit));
          }
          await bench.close();
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  it('waits for the position that a search names, and says so if that does not come', async () => {
    const [service] = await opened();
    const [row] = fc.sample(rowArbitrary, { numRuns: 1, seed: 1 });
    if (row === undefined) throw new Error('no row');
    const query = { market: row.market, criteria: {}, sort: { by: 'level' }, limit: 1, now: NOW } as const;
    const patient = service.search(query, { atLeast: { node: NODE, position: position(7) } });
    const tooMuch = service.search(query, { atLeast: { node: NODE, position: position(8) } });
    await service.apply({ kind: 'changes', node: NODE, incarnation: 'first', from: NO_POSITION, to: position(7), cells: [] });
    expect(await patient).toMatchObject({ kind: 'found', isBehind: false });
    expect(await tooMuch).toMatchObject({ kind: 'found', isBehind: true });
  });

  it('knows a cursor of another order for none', async () => {
    const [service] = await opened();
    const query = { market: cellsIn()[0]?.market ?? fail(), criteria: {}, sort: { by: 'buyout' }, limit: 1, now: NOW } as const;
    expect(await service.search({ ...query, cursor: 'nonsense' }, AT_ONCE)).toEqual({ kind: 'bad-cursor' });
  });

  it('tells its sizes, and how far each node is known', async () => {
    const [service] = await opened();
    await service.apply({ kind: 'changes', node: NODE, incarnation: 'first', from: NO_POSITION, to: position(3), cells: [] });
    const feeds = [{ node: NODE, incarnation: 'first', position: 3, cells: cellsIn(FIRST_EPOCH).length, rows: 0 }];
    expect(await service.stats()).toEqual({ rows: 0, tables: 0, distinctNames: 0, feeds });
  });
});

function fail(): never {
  throw new Error('there are cells');
}
