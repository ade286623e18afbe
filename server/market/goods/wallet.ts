/**
 * The wallet: the player's gold, in three parts that move together with the ledger.
 *
 * 1. `gold + held + unclaimed` never passes 2^53 - 1, so that nothing that comes back can overflow.
 * 2. `held` is the sum of the holds, `unclaimed` the sum of the completed entries.
 */
import { addGold, GOLD_MAX, NO_GOLD, sumGold, type Gold } from '#shared/units.ts';
import { defineEntity, goldAmount, type Row } from '#server/shard/entity.ts';
import type { Inspected } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { hold } from '#server/trade/entities.ts';
import { completed } from '../completed/completed.ts';
import { fold, holds, type Feature } from '../feature.ts';

/**
 * The player's gold. One row. `gold` can be spent; `held` is promised to trades under way;
 * `unclaimed` waits in the completed tab. Together they never pass 2^53 - 1.
 */
export const wallet = defineEntity('wallet', {
  version: 1,
  attributes: { gold: goldAmount(), held: goldAmount(), unclaimed: goldAmount() },
});

/** The player's gold, as a row. */
export type Wallet = Row<typeof wallet>;

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

/** Gold. */
export const walletFeature: Feature = {
  name: 'wallet',
  priority: 100,
  entities: [wallet],
  inspect: inspectWallet,
  install: (turn) => {
    turn.insert(wallet, { gold: NO_GOLD, held: NO_GOLD, unclaimed: NO_GOLD });
  },
  view: ({ state }) => ({
    folds: [fold(wallet, { put: ({ gold: spendable, held }) => void Object.assign(state, { gold: spendable, held }) })],
  }),
  // The gold of holds and of completed entries is counted here, and checked against their rows.
  holdings: [
    holds(wallet, ({ gold: spendable, held, unclaimed }) => [
      { place: 'wallet', asset: 'gold', amount: spendable },
      { place: 'hold', asset: 'gold', amount: held },
      { place: 'completed', asset: 'gold', amount: unclaimed },
    ]),
  ],
};
