/** The auction house: the static list of its features. A new one is one line here. */
import { COMMAND_TYPES, isChangingCommand } from '#shared/protocol.ts';
import { trades } from '#server/trade/trades.ts';
import { moderationFeature } from './account/moderation.ts';
import { openingFeature } from './account/opening.ts';
import { completedFeature } from './completed/completed-tab.ts';
import type { Feature, MarketOptions, ReadTable } from './feature.ts';
import { stashFeature } from './goods/stash.ts';
import { walletFeature } from './goods/wallet.ts';
import { buyoutFeature } from './listing/buyout.ts';
import { stallFeature } from './listing/stall.ts';
import { serviceFeature } from './service/service.ts';

export type { MarketOptions } from './feature.ts';
export type { Opening, StartGoods } from './account/opening.ts';

/**
 * The features of a market under these rules, in a world of these regions and of this catalogue.
 * A new shard gets them in this order: a new one goes to the end.
 */
export function marketFeatures(options: MarketOptions): readonly Feature[] {
  const others = [openingFeature, stallFeature(options), buyoutFeature(options), completedFeature(options.rules)];
  const elsewhere = others.flatMap(({ holdings = [] }) => holdings);
  const features = [moderationFeature, walletFeature, stashFeature(elsewhere), ...others, serviceFeature(options, elsewhere)];
  return [...features, trades(Object.fromEntries(features.flatMap((feature) => Object.entries(feature.trades ?? {}))))];
}

/**
 * The reads of all features. Throws `Error` unless each command of the protocol has exactly one
 * feature: with a read if it changes nothing, else with a handler.
 */
export function readTableOf(features: readonly Feature[]): ReadTable {
  for (const type of COMMAND_TYPES) {
    const able = features.filter(({ reads = {}, handlers = {} }) => Object.hasOwn(isChangingCommand(type) ? handlers : reads, type));
    if (able.length !== 1) throw new Error(`the command ${type} is of ${able.length} features: ${able.map(({ name }) => name).join(', ')}`);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was just found to be complete.
  return Object.assign({}, ...features.map(({ reads }) => reads)) as ReadTable;
}
