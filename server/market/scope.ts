/** Who may trade with whom. */
import { marketOf, parseShardId } from '#shared/address.ts';
import type { Rules } from '#shared/rules.ts';
import type { ShardId } from '#shared/units.ts';

/**
 * Whether a buyer may buy from a seller: modes never mix; regions do where the rules say so. An
 * offer into a region that does not exist would never be answered.
 */
export function isSameMarket(rules: Rules, regions: readonly string[], buyer: ShardId, seller: ShardId): boolean {
  if (rules.marketScope === 'region') return marketOf(buyer) === marketOf(seller);
  const address = parseShardId(seller);
  return address !== undefined && regions.includes(address.region) && parseShardId(buyer)?.mode === address.mode;
}
