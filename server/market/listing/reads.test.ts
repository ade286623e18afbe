import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { refusal } from '#shared/refusals.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { instant, playerId } from '#shared/units.ts';
import type { FoundAtNode } from '#server/listing-index/listing-feed.ts';
import { answer } from '#server/shard/message.ts';
import type { ReadServices } from '../feature.ts';
import { search } from './reads.ts';

const caller = { player: playerId('ada'), shard: shardId('ada', 'europe', 'softcore') };

function searched(found: FoundAtNode) {
  const services: ReadServices = {
    rules: RULES_PROFILES.dev,
    regions: ['europe'],
    now: () => instant(1),
    accept: () => Promise.resolve(refusal('unavailable')),
    search: () => Promise.resolve(found),
    history: () => Promise.resolve([]),
  };
  return search(services, caller, { criteria: {}, limit: 1 });
}

describe('a search', () => {
  it('is refused while the index does not answer', async () => {
    expect(await searched({ kind: 'unavailable' })).toEqual(refusal('unavailable'));
  });

  it('says by how much the index is behind, in whole milliseconds', async () => {
    const found = await searched({ kind: 'found', rows: [], total: 0, cost: 2, lagMs: 12.4 });
    expect(found).toEqual(answer({ listings: [], total: 0, lagMs: 12 }));
  });
});
