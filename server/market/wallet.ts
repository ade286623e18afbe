/**
 * The wallet: the player's gold, in three parts that move together with the ledger.
 *
 * 1. `gold + held + unclaimed` never passes 2^53 - 1, so that nothing that comes back can overflow.
 * 2. `held` is the sum of the holds, `unclaimed` the sum of the completed entries.
 */
import { addGold, gold, NO_GOLD, subtractGold, sumGold, type Gold } from '#shared/units.ts';
import type { Asset, Place, Posting } from '#server/shard/change-set.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { wallet, type Wallet } from './entities.ts';

/** The parts of a wallet, by the ledger's name of the place. */
const PART_BY_PLACE = { wallet: 'gold', hold: 'held', completed: 'unclaimed' } as const;
/** A place where a player's own gold can be. */
export type GoldPlace = keyof typeof PART_BY_PLACE;

/** The wallet of the shard; throws if the shard was never opened. */
export function walletOf(turn: Turn): Wallet {
  const row = turn.table(wallet).first();
  if (row === undefined) throw new Error(`${turn.shard} has no wallet`);
  return row;
}

/** Whether so much more gold still fits, all places together. */
export function hasRoomFor(turn: Turn, more: Gold): boolean {
  const row = walletOf(turn);
  return addGold(sumGold(row.gold, row.held, row.unclaimed), more) !== undefined;
}

/**
 * A movement of gold and goods, written to the wallet and the ledger at once. `postings` at the wallet's own places move its parts.
 * Throws if a part would leave its bounds: the caller has checked.
 */
export function move(turn: Turn, cause: string, tx: string | null, postings: readonly Posting[]): void {
  let row = walletOf(turn);
  for (const { place, asset, amount } of postings) {
    if (asset === 'gold' && isGoldPlace(place)) row = { ...row, [PART_BY_PLACE[place]]: moved(row[PART_BY_PLACE[place]], amount, place) };
  }
  if (row !== walletOf(turn)) {
    sumGold(row.gold, row.held, row.unclaimed); // Throws beyond 2^53 - 1.
    turn.put(wallet, row);
  }
  turn.post({ cause, tx, balance: row.gold, postings: postings.filter(({ amount }) => amount !== 0) });
}

/** Gold from one place to another. */
export function goldFromTo(from: Place, to: Place, amount: Gold): readonly Posting[] {
  return fromTo('gold', from, to, amount);
}

/** An asset from one place to another. */
export function fromTo(asset: Asset, from: Place, to: Place, amount = 1): readonly Posting[] {
  return [
    { place: from, asset, amount: -amount },
    { place: to, asset, amount },
  ];
}

function moved(part: Gold, amount: number, place: GoldPlace): Gold {
  const result = amount < 0 ? subtractGold(part, gold(-amount)) : addGold(part, gold(amount));
  if (result === undefined) throw new Error(`gold at ${place} would leave its bounds: ${part} and ${amount}`);
  return result;
}

function isGoldPlace(place: Place): place is GoldPlace {
  return Object.hasOwn(PART_BY_PLACE, place);
}

/** The powerup of gold. */
export const walletPowerup: Powerup = {
  name: 'wallet',
  priority: 100,
  entities: [wallet],
  install: (turn) => {
    turn.insert(wallet, { gold: NO_GOLD, held: NO_GOLD, unclaimed: NO_GOLD });
  },
};
