/** What checkers are told by the features, held against what they can know without them. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { gold, instant, type ShardId } from '#shared/units.ts';
import { holds, type Feature } from '#server/market/feature.ts';
import { marketFeatures } from '#server/market/market.ts';
import type { Place } from '#server/market/places.ts';
import type { RawChangeSet, ShardHeader } from '#server/shard/change-set.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import { hold } from '#server/trade/entities.ts';
import type { Checker } from './checker.ts';
import type { DurableTurn, RowDelta, ShardModel } from './model.ts';
import { holdingsOfAll, itemInOnePlace, rowsFollowLedger } from './turn-checkers.ts';

const features = marketFeatures({ rules: RULES_PROFILES.dev, regions: ['europe'], catalogue: BUILT_IN_CATALOGUE });
const entities = features.flatMap((feature) => feature.entities);

describe('the features of the market', () => {
  it('say of each entity that has gold or goods what its rows hold, once', () => {
    const keeps = ({ type }: { readonly type: string }, name: string): boolean => type === 'gold' || ['item', 'commodity'].includes(name);
    const keeping = entities.filter(({ attributes }) => Object.entries(attributes).some(([name, each]) => keeps(each, name)));
    // The wallet has the gold of holds as its part `held`, which is checked against them; their goods are told by each kind of trade.
    const isNoHold = (name: string): boolean => name !== hold.name;
    const declared = features.flatMap(({ holdings = [] }) => holdings.map(({ entity }) => entity.name)).filter(isNoHold);
    const expected = keeping.map(({ name }) => name).filter(isNoHold);
    expect(declared.toSorted()).toEqual(expected.toSorted());
  });

  it('have an alarm in each row that somebody waits for', () => {
    const alarms = Object.fromEntries(entities.map((entity) => [entity.name, entity.alarms.map(({ alarm }) => alarm)]));
    expect(alarms).toMatchObject({ listing: ['expire-listing'], hold: ['repeat-offer'], decision: ['repeat-outcome'] });
  });
});

/** One turn of a shard that moves an item from a place to another, with what it does to rows. */
function turnOf(shard: ShardId, line: Pick<LedgerEntry, 'cause' | 'tx'>, moved: readonly Place[], deltas: readonly RowDelta[]) {
  const counters = { cell: 0, epoch: 1, nextId: 1, generation: 1, seq: 0, ledgerSeq: 1 };
  const header: ShardHeader = { ...counters, shard, version: 1, now: instant(1), wakeAt: 0 };
  const postings = moved.map((place, index) => ({ place, asset: 'item:axe', amount: index === 0 ? -1 : 1 }));
  const changes: RawChangeSet = {
    ...header,
    puts: [],
    removes: [],
    ledger: [{ seq: 1, at: instant(1), balance: gold(0), postings, ...line }],
  };
  const model: ShardModel = { id: shard, node: 'node-1', header, rowsByEntity: new Map(), ledger: [] };
  const turn: DurableTurn = { node: 'node-1', position: 1, previous: undefined, changes, deltas, shard: model };
  return turn;
}

function complaintsOf(checker: Checker, turns: readonly DurableTurn[]): readonly string[] {
  const found: string[] = [];
  for (const turn of turns) checker.onTurn?.(turn, (detail) => found.push(detail));
  return found;
}

const [ADA, BOB] = [shardId('ada', 'europe', 'softcore'), shardId('bob', 'europe', 'softcore')];
const goods = { value: { id: 'axe' } };
const stashed: AnyRow = { id: 1, itemId: 'axe', item: goods };

describe('a feature that forgets to say what its rows hold', () => {
  it('is noticed at the first line of the ledger that moves something there', () => {
    const turn = turnOf(
      ADA,
      { cause: 'sell', tx: null },
      ['stash', 'listed'],
      [
        { entity: 'item', id: 1, before: stashed, after: undefined },
        { entity: 'listing', id: 2, before: undefined, after: { id: 2, item: goods } },
      ],
    );
    const complaintsBy = (known: readonly Feature[]) => complaintsOf(rowsFollowLedger(holdingsOfAll(known)), [turn]);
    expect(complaintsBy(features)).toEqual([]);
    expect(complaintsBy(features.map((feature) => (feature.name === 'stall' ? { ...feature, holdings: [] } : feature)))).toEqual([
      `${ADA} version 1: rows and ledger differ by -1 of item:axe at listed`,
    ]);
  });
});

describe('a trade that holds an item', () => {
  const TX = `1.1.${ADA}`;
  const ofKind = (kind: string): Feature => ({
    name: kind,
    entities: [],
    holdings: [holds(hold, ({ trade }) => (trade === kind ? [{ place: 'hold', asset: 'item:axe', amount: 1 }] : []))],
  });
  const holdingsOf = holdingsOfAll([...features, ofKind('promise'), ofKind('another')]);
  const held: AnyRow = { id: 2, tx: TX, trade: 'promise' };
  const given: AnyRow = { id: 9, item: goods, commodity: null, quantity: null };
  const promise = turnOf(
    ADA,
    { cause: 'held', tx: TX },
    ['stash', 'hold'],
    [
      { entity: 'item', id: 1, before: stashed, after: undefined },
      { entity: 'hold', id: 2, before: undefined, after: held },
    ],
  );
  const decision = (tx: string | null) =>
    turnOf(BOB, { cause: 'decided', tx }, ['clearing', 'completed'], [{ entity: 'completed', id: 9, before: undefined, after: given }]);
  const outcome = turnOf(
    ADA,
    { cause: 'committed', tx: TX },
    ['hold', 'clearing'],
    [{ entity: 'hold', id: 2, before: held, after: undefined }],
  );
  const repeat = turnOf(ADA, { cause: 'repeat', tx: null }, [], [{ entity: 'hold', id: 2, before: held, after: { ...held, attempts: 1 } }]);
  const release = turnOf(
    ADA,
    { cause: 'released', tx: TX },
    ['hold', 'stash'],
    [
      { entity: 'hold', id: 2, before: held, after: undefined },
      { entity: 'item', id: 3, before: undefined, after: stashed },
    ],
  );

  it.each([
    ['committed', [promise, decision(TX), outcome]],
    ['offered again after it was committed', [promise, decision(TX), repeat, outcome]],
    ['aborted', [promise, release]],
  ])('has it in one place, and where the ledger says, when it is %s', (_how, turns) => {
    expect(complaintsOf(itemInOnePlace(holdingsOf), turns)).toEqual([]);
    expect(complaintsOf(rowsFollowLedger(holdingsOf), turns)).toEqual([]);
  });

  it.each([
    ['taken by another trade', [promise, decision(`2.1.${ADA}`)], `${BOB} completed 9 and in ${ADA} hold 2`],
    ['taken by no trade', [promise, decision(null)], `${BOB} completed 9 and in ${ADA} hold 2`],
    ['given back after it was taken', [promise, decision(TX), release], `${ADA} item 3 and in ${BOB} completed 9`],
  ])('is noticed if it is %s', (_how, turns, where) => {
    expect(complaintsOf(itemInOnePlace(holdingsOf), turns)).toEqual([expect.stringContaining(`item:axe is in ${where}`)]);
  });
});
