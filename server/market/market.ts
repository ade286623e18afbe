/** The auction house: the list of powerups that every shard has. */
import type { Powerup } from '#server/shard/powerup.ts';
import { trades } from '#server/trade/trades.ts';
import { BUYOUT, buyoutTrade, purchases } from './buyout.ts';
import { completedTab } from './completed-tab.ts';
import { moderation } from './moderation.ts';
import { openings } from './opening.ts';
import type { MarketOptions } from './options.ts';
import { stall } from './stall.ts';
import { stashPowerup } from './stash.ts';
import { walletPowerup } from './wallet.ts';

/** The powerups of a market under these rules, in a world of these regions and of this catalogue. */
export function marketPowerups(options: MarketOptions): readonly Powerup[] {
  return [
    moderation,
    trades({ [BUYOUT]: buyoutTrade }),
    walletPowerup,
    stashPowerup,
    openings,
    stall(options),
    purchases(options),
    completedTab(options.rules),
  ];
}
