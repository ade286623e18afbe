/**
 * The ledger of the market: gold and goods move by `transfer`, which writes the wallet and one line
 * of the ledger at once.
 */
import { addGold, gold, type Gold, subtractGold, sumGold, type TransactionId } from '#shared/units.ts';
import type { Cause } from '#shared/protocol.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { Posting } from '#server/shard/ledger.ts';
import { wallet, walletOf } from './goods/wallet.ts';
import type { Asset, Place } from './places.ts';

/** So much of an asset that goes from one place to another. */
export interface Transfer {
  readonly asset: Asset;
  readonly from: Place;
  readonly to: Place;
  readonly amount: number;
}

/**
 * A movement of gold and goods, written to the wallet and the ledger at once: gold that comes to
 * or goes from the wallet's own places moves its parts. Throws if a part would leave its bounds:
 * the caller has checked.
 */
export function transfer(turn: Turn, cause: Cause, tx: TransactionId | null, transfers: readonly Transfer[]): void {
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
