/** What players of simulator and drill do with listings. */
import { rowId } from '#shared/units.ts';
import type { Step } from '../feature.ts';

/** Sells and cancels; now and then what there is not, or what the rules refuse. */
export const stallSteps: readonly Step[] = [
  {
    name: 'sell',
    weight: 30,
    wish: ({ state, rules }, prng) => {
      const items = [...state.stash.keys()];
      if (items.length === 0) return undefined;
      const itemId = prng.chance(0.03) ? 'an-item-of-nobody' : prng.pick(items);
      const buyout = prng.chance(0.02) ? 0 : prng.integer(10, 3_000);
      const durationMs = prng.chance(0.03) ? 1 : rules.durationMinMs + prng.integer(0, prng.chance(0.3) ? 3_000 : 120_000);
      return { type: 'sell', body: { itemId, buyout, durationMs } };
    },
  },
  {
    name: 'cancel',
    weight: 4,
    wish: ({ state }, prng) => {
      const own = [...state.listings.keys()];
      return own.length === 0 ? undefined : { type: 'cancel', body: { listingId: prng.pick(own) } };
    },
  },
];

/**
 * Buys what was seen, mostly the newest, so that buyers run into each other; now and then what is
 * gone, or for another price.
 */
export const buyoutSteps: readonly Step[] = [
  {
    name: 'buyout',
    weight: 42,
    wish: ({ shard, listings, others, ids }, prng) => {
      if (others.length > 0 && prng.chance(0.02)) {
        return {
          type: 'buyout',
          body: { listingId: ids.idOf(rowId(prng.integer(1, 40)), prng.pick(others)), price: prng.integer(1, 500) },
        };
      }
      const [newest] = listings.slice(-1);
      if (newest === undefined) return undefined;
      const seen = prng.chance(0.3) ? newest : prng.pick(listings);
      const named = ids.parse(seen.id);
      if (named === undefined || seen.buyout === undefined || (named.shard === shard && prng.chance(0.9))) return undefined;
      const row = prng.chance(0.03) ? rowId(prng.integer(1, named.row)) : named.row;
      const price = prng.chance(0.85) ? seen.buyout : seen.buyout + prng.integer(-5, 100);
      return { type: 'buyout', body: { listingId: ids.idOf(row, named.shard), price: Math.max(1, price) } };
    },
  },
];
