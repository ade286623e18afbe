/** What checkers are told by the features, held against what they can know without them. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { FIRST_ROW_ID, gold, instant, nodeName, position, rowId, shardVersion } from '#shared/units.ts';
import { marketFeatures } from '#server/market/market.ts';
import type { RawChangeSet, ShardHeader } from '#server/shard/change-set.ts';
import { hold } from '#server/trade/entities.ts';
import type { DurableTurn } from './model.ts';
import { holdingsOfAll, rowsFollowLedger } from './turn-checkers.ts';

const features = marketFeatures({ rules: RULES_PROFILES.dev, regions: ['europe'], catalogue: BUILT_IN_CATALOGUE });
const entities = features.flatMap((feature) => feature.entities);

describe('the features of the market', () => {
  it('say of each entity that has gold or goods what its rows hold, once', () => {
    const keeps = ({ type }: { readonly type: string }, name: string): boolean => type === 'gold' || ['item', 'commodity'].includes(name);
    const keeping = entities.filter(({ attributes }) => Object.entries(attributes).some(([name, each]) => keeps(each, name)));
    const declared = features.flatMap(({ holdings = [] }) => holdings.map(({ entity }) => entity.name));
    // The wallet has the gold of holds as its part `held`, which is checked against them.
    const expected = keeping.map(({ name }) => name).filter((name) => name !== hold.name);
    expect(declared.toSorted()).toEqual(expected.toSorted());
  });

  it('have an alarm in each row that somebody waits for', () => {
    const alarms = Object.fromEntries(entities.map((entity) => [entity.name, entity.alarms.map(({ alarm }) => alarm)]));
    expect(alarms).toMatchObject({ listing: ['expire-listing'], hold: ['repeat-offer'], decision: ['repeat-outcome'] });
  });
});

describe('a feature that forgets to say what its rows hold', () => {
  it('is noticed at the first line of the ledger that moves something there', () => {
    const shard = shardId('ada', 'europe', 'softcore');
    const counters = { cell: 0, epoch: FIRST_EPOCH, nextId: FIRST_ROW_ID, generation: 1, seq: 0, ledgerSeq: 1 };
    const header: ShardHeader = { ...counters, shard, version: shardVersion(1), now: instant(1), wakeAt: 0 };
    const postings = [
      { place: 'stash', asset: 'item:axe', amount: -1 },
      { place: 'listed', asset: 'item:axe', amount: 1 },
    ] as const;
    const line = { seq: 1, at: instant(1), cause: 'sell', tx: null, balance: gold(0), postings };
    const changes: RawChangeSet = { ...header, puts: [], removes: [], ledger: [line] };
    const item = { id: rowId(1), itemId: 'axe', item: { value: { id: 'axe' } } };
    const listing = { id: rowId(2), item: { value: { id: 'axe' } } };
    const turn: DurableTurn = {
      node: nodeName('node-1'),
      position: position(1),
      previous: undefined,
      changes,
      deltas: [
        { entity: 'item', id: rowId(1), before: item, after: undefined },
        { entity: 'listing', id: rowId(2), before: undefined, after: listing },
      ],
      shard: { id: shard, node: nodeName('node-1'), header, rowsByEntity: new Map(), ledger: [] },
    };
    const complaintsBy = (known: typeof features): readonly string[] => {
      const found: string[] = [];
      rowsFollowLedger(holdingsOfAll(known)).onTurn?.(turn, (detail) => found.push(detail));
      return found;
    };
    expect(complaintsBy(features)).toEqual([]);
    expect(complaintsBy(features.map((feature) => (feature.name === 'stall' ? { ...feature, holdings: [] } : feature)))).toEqual([
      `${shard} version 1: rows and ledger differ by -1 of item:axe at listed`,
    ]);
  });
});
