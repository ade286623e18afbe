/**
 * The wallet: the player's gold, in three parts that move together with the ledger.
 *
 * 1. `gold + held + unclaimed` never passes 2^53 - 1, so that nothing that comes back can overflow.
 * 2. `held` is the sum of the holds, `unclaimed` the sum of the completed entries.
 */
import { addGold, gold, GOLD_MAX, NO_GOLD, subtractGold, sumGold, type Gold } from '#shared/units.ts';
import type { Inspected, Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { Posting } from '#server/shard/ledger.ts';
import { hold } from '#server/trade/entities.ts';
import { completed, wallet, type Wallet } from './entities.ts';
import type { Asset, Place } from './places.ts';

/** So much of an asset that goes from one place to another. */
export interface Transfer {
  readonly asset: Asset;
  readonly from: Place;
  readonly to: Place;
  readonly amount: number;
}

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
 * A movement of gold and goods, written to the wallet and the ledger at once: gold that comes to or goes from the wallet's own places
 * moves its parts. Throws if a part would leave its bounds: the caller has checked.
 */
export function move(turn: Turn, cause: string, tx: string | null, transfers: readonly Transfer[]): void {
  const row = walletOf(turn);
  const parts = { wallet: row.gold, hold: row.held, completed: row.unclaimed };
  let isGoldMoved = false;
  for (const { asset, from, to, amount } of transfers) {
    if (amount === 0 || asset !== 'gold') continue;
    isGoldMoved = true;
    add(parts, from, -amount);
    add(parts, to, amount);
  }
  // Only now: a balance is that after the whole line, which may touch one place more than once.
  const postings: Posting[] = [];
  for (const { asset, from, to, amount } of transfers) {
    if (amount === 0) continue;
    postings.push(posting(parts, from, asset, -amount), posting(parts, to, asset, amount));
  }
  if (isGoldMoved) {
    sumGold(parts.wallet, parts.hold, parts.completed); // Throws beyond 2^53 - 1.
    turn.put(wallet, { ...row, gold: parts.wallet, held: parts.hold, unclaimed: parts.completed });
  }
  if (postings.length > 0) turn.post({ cause, tx, balance: parts.wallet, postings });
}

/** Gold from one place to another. */
export function goldFromTo(from: Place, to: Place, amount: Gold): Transfer {
  return { asset: 'gold', from, to, amount };
}

/** An asset from one place to another. */
export function fromTo(asset: Asset, from: Place, to: Place, amount = 1): Transfer {
  return { asset, from, to, amount };
}

/** The gold of a player by the ledger's name of the place; gold elsewhere is not the player's. */
type Parts = Record<'wallet' | 'hold' | 'completed', Gold>;

/** One side of a transfer; the wallet's own balance is said once, by the line. */
function posting(parts: Parts, place: Place, asset: Asset, amount: number): Posting {
  const isTold = asset === 'gold' && (place === 'hold' || place === 'completed');
  return isTold ? { place, asset, amount, balance: parts[place] } : { place, asset, amount };
}

function add(parts: Parts, place: Place, amount: number): void {
  if (place !== 'wallet' && place !== 'hold' && place !== 'completed') return;
  const part = amount < 0 ? subtractGold(parts[place], gold(-amount)) : addGold(parts[place], gold(amount));
  if (part === undefined) throw new Error(`gold at ${place} would leave its bounds: ${parts[place]} and ${amount}`);
  parts[place] = part;
}

/** The two invariants above, of a wallet that somebody may have edited. */
function inspectWallet(shard: Inspected): string | undefined {
  const [row, ...others] = shard.table(wallet).rows();
  if (row === undefined || others.length > 0) return 'it must have one wallet';
  const { held, unclaimed } = row;
  const sums: readonly (readonly [string, Gold, number])[] = [
    ['held', held, sumOf(shard.table(hold).rows())],
    ['unclaimed', unclaimed, sumOf(shard.table(completed).rows())],
  ];
  for (const [part, amount, sum] of sums) if (amount !== sum) return `its wallet has ${amount} ${part}, and its rows say ${sum}`;
  const promised = addGold(held, unclaimed);
  return promised === undefined || addGold(row.gold, promised) === undefined ? `its gold passes ${GOLD_MAX}` : undefined;
}

function sumOf(rows: readonly { readonly gold: Gold | null }[]): number {
  return rows.reduce((sum, row) => sum + (row.gold ?? 0), 0);
}

/** The powerup of gold. */
export const walletPowerup: Powerup = {
  name: 'wallet',
  priority: 100,
  entities: [wallet],
  inspect: inspectWallet,
  install: (turn) => {
    turn.insert(wallet, { gold: NO_GOLD, held: NO_GOLD, unclaimed: NO_GOLD });
  },
};
