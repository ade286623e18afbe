/** What checkers are told by the features, held against what they can know without them. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { FIRST_ROW_ID, gold, instant, nodeName, position, rowId, shardVersion, type ShardId, type TransactionId } from '#shared/units.ts';
import { holds, type Feature } from '#server/market/feature.ts';
import { marketFeatures } from '#server/market/market.ts';
import type { Place } from '#server/market/places.ts';
import type { ShardHeader } from '#server/shard/change-set.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import { hold } from '#server/trade/entities.ts';
import { transactionId } from '#server/trade/transaction.ts';
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
function turnOf(
  id: ShardId,
  line: Pick<LedgerEntry, 'cause' | 'tx'>,
  moved: readonly Place[],
  ...deltas: readonly RowDelta[]
): DurableTurn {
  const node = nodeName('node-1');
  const counters = { cell: 0, epoch: FIRST_EPOCH, nextId: FIRST_ROW_ID, generation: 1, seq: 0, ledgerSeq: 1 };
  const header: ShardHeader = { ...counters, shard: id, version: shardVersion(1), now: instant(1), wakeAt: 0 };
  const postings = moved.map((place, index) => ({ place, asset: 'item:axe', amount: index === 0 ? -1 : 1 }));
  const ledger = [{ seq: 1, at: instant(1), balance: gold(0), postings, ...line }];
  const shard: ShardModel = { id, node, header, rowsByEntity: new Map(), ledger: [] };
  const changes = { ...header, puts: [], removes: [], ledger };
  return { node, position: position(1), previous: undefined, changes, deltas, shard, isLastOfBatch: true };
}

const gone = (entity: string, before: AnyRow): RowDelta => ({ entity, id: before.id, before, after: undefined });
const came = (entity: string, after: AnyRow): RowDelta => ({ entity, id: after.id, before: undefined, after });

function complaintsOf(checker: Checker, turns: readonly DurableTurn[]): readonly string[] {
  const found: string[] = [];
  for (const turn of turns) checker.onTurn?.(turn, (detail) => found.push(detail));
  return found;
}

const [ADA, BOB] = [shardId('ada', 'europe', 'softcore'), shardId('bob', 'europe', 'softcore')];
const item = { value: { id: 'axe' } };
const stashed: AnyRow = { id: rowId(1), itemId: 'axe', item };

describe('a feature that forgets to say what its rows hold', () => {
  it('is noticed at the first line of the ledger that moves something there', () => {
    const rows = [gone('item', stashed), came('listing', { id: rowId(2), item })];
    const turn = turnOf(ADA, { cause: 'sell', tx: null }, ['stash', 'listed'], ...rows);
    const complaintsBy = (known: readonly Feature[]) => complaintsOf(rowsFollowLedger(holdingsOfAll(known)), [turn]);
    expect(complaintsBy(features)).toEqual([]);
    expect(complaintsBy(features.map((feature) => (feature.name === 'stall' ? { ...feature, holdings: [] } : feature)))).toEqual([
      `${ADA} version 1: rows and ledger differ by -1 of item:axe at listed`,
    ]);
  });
});

describe('a trade that holds an item', () => {
  const tx = transactionId({ holder: ADA, generation: 1, seq: 1 });
  const otherTx = transactionId({ holder: ADA, generation: 1, seq: 2 });
  const ofKind = (kind: string): Feature => ({
    name: kind,
    entities: [],
    holdings: [holds(hold, ({ trade }) => (trade === kind ? [{ place: 'hold', asset: 'item:axe', amount: 1 }] : []))],
  });
  const holdingsOf = holdingsOfAll([...features, ofKind('promise'), ofKind('another')]);
  const held: AnyRow = { id: rowId(2), tx, trade: 'promise' };
  const given: AnyRow = { id: rowId(9), item, commodity: null, quantity: null };
  const promise = turnOf(ADA, { cause: 'held', tx }, ['stash', 'hold'], gone('item', stashed), came('hold', held));
  const decision = (by: TransactionId | null) =>
    turnOf(BOB, { cause: 'decided', tx: by }, ['clearing', 'completed'], came('completed', given));
  const outcome = turnOf(ADA, { cause: 'committed', tx }, ['hold', 'clearing'], gone('hold', held));
  const repeat = turnOf(ADA, { cause: 'none', tx: null }, [], { ...came('hold', { ...held, attempts: 1 }), before: held });
  const release = turnOf(ADA, { cause: 'released', tx }, ['hold', 'stash'], gone('hold', held), came('item', { ...stashed, id: rowId(3) }));

  it.each([
    ['committed', [promise, decision(tx), outcome]],
    ['offered again after it was committed', [promise, decision(tx), repeat, outcome]],
    ['aborted', [promise, release]],
  ])('has it in one place, and where the ledger says, when it is %s', (_how, turns) => {
    expect(complaintsOf(itemInOnePlace(holdingsOf), turns)).toEqual([]);
    expect(complaintsOf(rowsFollowLedger(holdingsOf), turns)).toEqual([]);
  });

  it.each([
    ['taken by another trade', [promise, decision(otherTx)], `${BOB} completed 9 and in ${ADA} hold 2`],
    ['taken by no trade', [promise, decision(null)], `${BOB} completed 9 and in ${ADA} hold 2`],
    ['given back after it was taken', [promise, decision(tx), release], `${ADA} item 3 and in ${BOB} completed 9`],
  ])('is noticed if it is %s', (_how, turns, where) => {
    expect(complaintsOf(itemInOnePlace(holdingsOf), turns)).toEqual([expect.stringContaining(`item:axe is in ${where}`)]);
  });
});
