/**
 * The service: what game servers do to a player. It goes on while the player is frozen, and while
 * nobody of the player is here.
 */
import type { Feature, EntityHoldings, MarketOptions } from '../feature.ts';
import { onCommand } from '#server/shard/powerup.ts';
import { charge, type ChargeBody } from './charge.ts';
import { grant, type GrantBody, type GrantRules } from './grant.ts';
import { itemFaults } from '#shared/catalog/item-fault.ts';

/**
 * Grants and charges, as commands of the service. `elsewhere` are the holdings of all features but
 * the stash: where an item may be already.
 */
export function serviceFeature({ rules, catalogue }: MarketOptions, elsewhere: readonly EntityHoldings[]): Feature {
  const commodities = new Set(catalogue.commodities.map(({ id }) => id));
  const grantRules: GrantRules = { rules, elsewhere, faultOf: itemFaults(catalogue), isCommodity: (name) => commodities.has(name) };
  return {
    name: 'service',
    entities: [],
    handlers: {
      grant: onCommand<GrantBody>((turn, body, command) => grant(grantRules, turn, body, command)),
      charge: onCommand<ChargeBody>(charge),
    },
  };
}
