/** The auction house: the static list of its features. A new one is one line here. */
import { trades } from '#server/trade/trades.ts';
import { moderationFeature } from './account/moderation.ts';
import { openingFeature } from './account/opening.ts';
import { completedFeature } from './completed/completed-tab.ts';
import type { Feature } from './feature.ts';
import { stashFeature } from './goods/stash.ts';
import { walletFeature } from './goods/wallet.ts';
import { buyoutFeature } from './listing/buyout.ts';
import { stallFeature } from './listing/stall.ts';
import type { MarketOptions } from './options.ts';

export type { MarketOptions } from './options.ts';
export type { Opening, StartGoods } from './account/opening.ts';

/**
 * The features of a market under these rules, in a world of these regions and of this catalogue.
 * A new shard gets them in this order: a new one goes to the end.
 */
export function marketFeatures(options: MarketOptions): readonly Feature[] {
  const others = [openingFeature, stallFeature(options), buyoutFeature(options), completedFeature(options.rules)];
  const features = [moderationFeature, walletFeature, stashFeature(others.flatMap(({ holdings = [] }) => holdings)), ...others];
  return [...features, trades(Object.fromEntries(features.flatMap((feature) => Object.entries(feature.trades ?? {}))))];
}
