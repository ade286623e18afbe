/** The auction house: the static list of its features. A new one is one line here. */
import { trades } from '#server/trade/trades.ts';
import { BUYOUT, buyoutTrade, purchases } from './buyout.ts';
import { completedTab } from './completed-tab.ts';
import type { Feature } from './feature.ts';
import { moderation } from './moderation.ts';
import { openings } from './opening.ts';
import type { MarketOptions } from './options.ts';
import { stall } from './stall.ts';
import { stashPowerup } from './stash.ts';
import { walletPowerup } from './wallet.ts';

/** The features of a market under these rules, in a world of these regions and of this catalogue. */
export function marketFeatures(options: MarketOptions): readonly Feature[] {
  return [
    moderation,
    { ...trades({ [BUYOUT]: buyoutTrade }) },
    walletPowerup,
    stashPowerup,
    openings,
    stall(options),
    purchases(options),
    completedTab(options.rules),
  ];
}

/** What every shard is made of: features are powerups. */
export const marketPowerups = marketFeatures;
