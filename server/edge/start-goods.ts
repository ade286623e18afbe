/** What a guest of a development world starts with: loot from a seed made of the shard's address, the same at every try. */
import { commoditiesFor, lootFor } from '#shared/catalog/loot.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Rules } from '#shared/rules.ts';
import { itemId, type ShardId } from '#shared/units.ts';
import type { StartGoods } from '#server/market/market.ts';

/** The start goods of a shard. `newId` gives ids that are unique in the world: the same loot is never the same items. */
export function startGoodsFor(catalogue: Catalogue, { guest }: Rules, shard: ShardId, newId: () => string): StartGoods {
  return {
    gold: guest.gold,
    items: lootFor(catalogue, { seed: shard, count: guest.items, idOf: () => itemId(newId()) }),
    commodities: commoditiesFor(catalogue, { seed: shard, count: guest.commodities, quantityMax: guest.commodityQuantity }),
  };
}
