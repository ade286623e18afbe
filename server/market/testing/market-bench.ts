/** Players, goods and prices for the tests of the market: one builder with defaults for each. */
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Item } from '#shared/item.ts';
import type { Prng } from '#shared/prng.ts';
import { parseRules, type Rules } from '#shared/rules.ts';
import { gold, itemId, type ShardId } from '#shared/units.ts';
import type { Reply } from '#server/shard/message.ts';
import { ShardNetwork, type BusFaults } from '#server/trade/testing/shard-network.ts';
import type { Feature, MarketOptions } from '../feature.ts';
import { marketFeatures } from '../market.ts';
import type { Opening, StartGoods } from '../account/opening.ts';

/** The regions of the tests' world. */
export const TEST_REGIONS: readonly string[] = ['europe', 'asia'];

/** The `dev` rules with prices up to all the gold that there can be, and what else differs. */
export function testRules(differences: object = {}): Rules {
  return parseRules({ extends: 'dev', gold: { priceMax: Number.MAX_SAFE_INTEGER }, guest: { items: 0 }, ...differences });
}

/** A rare sword, unless something else is said. */
export function testItem(id: string, differences: Partial<Item> = {}): Item {
  return {
    id: itemId(id),
    baseId: 'sword-4',
    itemClass: 'sword',
    name: 'Gilded Longsword of the Bear',
    rarity: 'rare',
    level: 60,
    affixes: [
      { id: 'might', value: 120 },
      { id: 'vigor', value: 88 },
    ],
    dps: 12_345,
    ...differences,
  };
}

/** A player's address in Europe, softcore. */
export function player(name: string): ShardId {
  return shardId(name, 'europe', 'softcore');
}

/** What `open` is given: so much gold, so many items named after the player. */
export function opening(
  name: string,
  start: { readonly gold?: number; readonly items?: number; readonly commodities?: StartGoods['commodities'] },
): Opening {
  const { gold: amount = 1_000, items = 3, commodities = [] } = start;
  const goods = Array.from({ length: items }, (_, index) => testItem(`${name}-${index}`));
  return { name, start: { gold: gold(amount), items: goods, commodities } };
}

/** The features of the tests' market; rules and catalogue unless others are given. */
export function testMarket(differences: Partial<MarketOptions> = {}): readonly Feature[] {
  return marketFeatures({ rules: testRules(), regions: TEST_REGIONS, catalogue: BUILT_IN_CATALOGUE, ...differences });
}

/** The built-in catalogue in which one base cannot be traded. */
export function catalogueWithBound(baseId: string): Catalogue {
  const baseItems = BUILT_IN_CATALOGUE.baseItems.map((base) => (base.id === baseId ? { ...base, bound: true as const } : base));
  return { ...BUILT_IN_CATALOGUE, baseItems };
}

/** A market of shards that are joined by a bus: see `ShardNetwork`. Nobody has opened yet. */
export function marketNetwork(prng: Prng, shards: readonly ShardId[], rules: Rules = testRules(), faults?: BusFaults): ShardNetwork {
  return new ShardNetwork(testMarket({ rules }), shards, prng, faults);
}

/** The name of a refusal, or the word `answer`: enough to compare. */
export function nameOf(reply: Reply | undefined): string {
  if (reply === undefined) return 'nothing';
  return reply.kind === 'refusal' ? reply.name : 'answer';
}
