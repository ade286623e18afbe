/**
 * The stall: a player's own listings at fixed prices. A listing holds its item whole; it ends once,
 * by sale, by cancel, or by its alarm.
 */
import { tradability } from '#shared/catalog/catalogue.ts';
import { onAlarm } from '#server/shard/powerup.ts';
import { onCommands, type Feature } from '../feature.ts';
import type { MarketOptions } from '../options.ts';
import { cancel, expire } from './ending.ts';
import { listingRows } from './index-row.ts';
import { keepFee, listing } from './listing.ts';
import { search } from './search.ts';
import { sell, type PostingRules } from './sell.ts';
import { show, showListing } from './show.ts';
import { stallSteps } from './steps.ts';
import { listingHoldings, listingView } from './view.ts';

/** What a player has on sale, under these rules and of this catalogue. */
export function stallFeature({ rules, catalogue }: Pick<MarketOptions, 'rules' | 'catalogue'>): Feature {
  const postingRules: PostingRules = { rules, isTradable: tradability(catalogue) };
  return {
    name: 'stall',
    entities: [listing],
    projections: [listing],
    upgraders: [keepFee(rules)],
    handlers: onCommands({ sell: (turn, body) => sell(postingRules, turn, body), cancel, listing: show }),
    alarms: { 'expire-listing': onAlarm(listing, expire) },
    reads: { search, listing: showListing },
    view: listingView,
    holdings: [listingHoldings],
    indexed: listingRows,
    steps: stallSteps,
  };
}
