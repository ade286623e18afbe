/**
 * What moves in the market, and where it can be: the names of its ledger. The engine knows neither.
 */
import type { Gold } from '#shared/units.ts';
import type { LedgerEntry, Posting } from '#server/shard/ledger.ts';

/**
 * Where gold or goods can be. `minted` and `burned` are the world's edge: what enters and leaves
 * through them. `clearing` is the account of one transaction between its two shards; it is empty
 * once the transaction is settled.
 *
 * The order is that of their numbers in the record format: a new place goes to the end, and none is
 * ever removed. `escrow` is not used: its number is taken all the same, or those after it would
 * mean other places in the records that there are.
 */
export const PLACES = ['wallet', 'stash', 'hold', 'escrow', 'listed', 'completed', 'clearing', 'minted', 'burned'] as const;
/** One of the places. */
export type Place = (typeof PLACES)[number];

/**
 * Places that no shard's rows show: the world's edge, and what is between two shards of one trade.
 */
const OUTSIDE: ReadonlySet<Place> = new Set<Place>(['clearing', 'minted', 'burned']);
/**
 * Places that are the player's: all others. Its rows hold exactly what the ledger says is there.
 */
export const OWN_PLACES: ReadonlySet<string> = new Set(PLACES.filter((place) => !OUTSIDE.has(place)));

/** What moves: gold, a single item, or so many of a commodity. */
export type Asset = 'gold' | `item:${string}` | `commodity:${string}`;

/**
 * The gold at a posting's place after its line; `undefined` for goods, for places that are not the
 * player's, and where an old line does not tell.
 */
export function balanceAfter({ balance }: LedgerEntry, posting: Posting): Gold | undefined {
  return posting.asset === 'gold' && posting.place === 'wallet' ? balance : posting.balance;
}
