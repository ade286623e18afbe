/** The auction house: the list of powerups that every shard has. */
import type { Rules } from '#shared/rules.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { trades } from '#server/trade/trades.ts';
import { BUYOUT, buyoutTrade, purchases } from './buyout.ts';
import { completedTab } from './completed-tab.ts';
import { moderation } from './moderation.ts';
import { openings } from './opening.ts';
import { stall } from './stall.ts';
import { stashPowerup } from './stash.ts';
import { walletPowerup } from './wallet.ts';

/** The powerups of a market under these rules, in a world of these regions. */
export function marketPowerups(rules: Rules, regions: readonly string[]): readonly Powerup[] {
  return [
    moderation,
    trades({ [BUYOUT]: buyoutTrade(rules) }),
    walletPowerup,
    stashPowerup,
    openings,
    stall(rules),
    purchases(rules, regions),
    completedTab(rules),
  ];
}
