import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Criteria } from '#shared/criteria.ts';
import { parseCommand, type CommandRequest } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { instant, playerId } from '#shared/units.ts';
import type { FoundAtNode } from '#server/listing-index/listing-feed.ts';
import { answer } from '#server/shard/message.ts';
import type { ReadServices } from '../feature.ts';
import { searchIn } from './reads.ts';

const caller = { player: playerId('ada'), shard: shardId('ada', 'europe', 'softcore') };

const search = searchIn(BUILT_IN_CATALOGUE);

function searched(found: FoundAtNode, request: CommandRequest<'search'> = { criteria: {}, limit: 1 }) {
  const services: ReadServices = {
    rules: RULES_PROFILES.dev,
    regions: ['europe'],
    now: () => instant(1),
    accept: () => Promise.resolve(refusal('unavailable')),
    search: () => Promise.resolve(found),
    history: () => Promise.resolve([]),
  };
  return search(services, caller, request);
}

describe('a search', () => {
  it('is refused while the index does not answer', async () => {
    expect(await searched({ kind: 'unavailable' })).toEqual(refusal('unavailable'));
  });

  it('says by how much the index is behind, in whole milliseconds', async () => {
    const found = await searched({ kind: 'found', rows: [], total: 0, cost: 2, lagMs: 12.4 });
    expect(found).toEqual(answer({ listings: [], total: 0, lagMs: 12 }));
  });

  it('that could cost too much is refused with what it could cost', async () => {
    const costs = { cost: 12_000_000, costMax: 10_000_000 };
    expect(await searched({ kind: 'too-broad', ...costs })).toEqual(refusal('search-too-broad', costs));
  });

  it.each<readonly [Criteria, string | undefined, string]>([
    [{ itemClass: 'swrod' }, undefined, 'criteria.itemClass: there is no item class "swrod"; did you mean "sword"?'],
    [{ slot: 'main-hnd' }, undefined, 'criteria.slot: there is no slot "main-hnd"; did you mean "main-hand"?'],
    [{ any: [{}, { none: [{ heroClass: 'zzz' }] }] }, undefined, 'criteria.any[1].none[0].heroClass: there is no hero class "zzz"'],
    [
      { stats: [{ stat: 'dps' }, { stat: 'mihgt', min: 1 }] },
      undefined,
      'criteria.stats[1].stat: there is no stat "mihgt"; did you mean "might"?',
    ],
    [{ stats: [{ stat: 'buyout' }] }, undefined, 'criteria.stats[0].stat: there is no stat "buyout"'],
    [{}, 'buyuot', 'sort.by: there is no sort key "buyuot"; did you mean "buyout"?'],
  ])('for %j by %s is refused, with the word that nobody knows', async (criteria, by, fault) => {
    const request = { criteria, limit: 1, ...(by === undefined ? {} : { sort: { by } }) };
    expect(await searched({ kind: 'unavailable' }, request)).toEqual(refusal('bad-request', { fault }));
  });

  it('may use every word of the catalogue', async () => {
    const { itemClasses, slots, heroClasses, affixes } = BUILT_IN_CATALOGUE;
    const criteria: readonly Criteria[] = [
      ...itemClasses.map(({ id }) => ({ itemClass: id })),
      ...slots.map((slot) => ({ slot })),
      ...heroClasses.map((heroClass) => ({ heroClass })),
      ...['dps', 'armor', ...affixes.map(({ id }) => id)].map((stat) => ({ stats: [{ stat }] })),
    ];
    for (const each of criteria)
      expect(await searched({ kind: 'unavailable' }, { criteria: each, limit: 1 })).toEqual(refusal('unavailable'));
    for (const by of ['buyout', 'currentBid', 'endsAt', 'level', 'dps', 'armor', ...affixes.map(({ id }) => id)])
      expect(await searched({ kind: 'unavailable' }, { criteria: {}, sort: { by }, limit: 1 })).toEqual(refusal('unavailable'));
  });

  it.each([
    [{ level: { min: 5, max: 1 } }, 'criteria.level: must have a min that is not above its max'],
    [{ any: [{ stats: [{ stat: 'might', min: 2, max: 1 }] }] }, 'criteria.any[0].stats[0]: must have a min that is not above its max'],
  ])('for %j is refused, since nothing can be within such ends', (criteria, fault) => {
    expect(parseCommand('search', { criteria, limit: 1 })).toEqual(refusal('bad-request', { fault }));
    expect(parseCommand('search', { criteria: { level: { min: 5, max: 5 } }, limit: 1 })).toMatchObject({ kind: 'command' });
  });
});
