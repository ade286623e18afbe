/**
 * Deliberate faults, each put in at a seam of the real code: what the checkers are for. A simulator that finds none of them would find
 * nothing of ours either.
 */
import type { Sabotage } from './sabotage.ts';
import { MARKET_SABOTAGES } from './sabotage-market.ts';
import { STORE_SABOTAGES } from './sabotage-stores.ts';
import { TRADE_SABOTAGES } from './sabotage-trades.ts';
import { simulate } from './simulation.ts';

/** All of them: the ways in which such systems have lost others' gold. */
export const SABOTAGES: readonly Sabotage[] = [...STORE_SABOTAGES, ...TRADE_SABOTAGES, ...MARKET_SABOTAGES];

/** How many faults were tried, and how many were found. */
export interface SabotageResult {
  readonly sabotages: number;
  readonly caught: number;
}

/** Who found a fault, and how soon. */
export interface Catch {
  readonly checker: string;
  readonly detail: string;
  readonly seed: number;
}

/** How long is looked for a fault: so many simulations of so many trades. */
export interface Patience {
  readonly seeds: number;
  readonly trades: number;
}

/** Nearly all are found by the first few; that two lives have the same ids only shows when a reply strays from one into the other. */
const PATIENCE: Patience = { seeds: 240, trades: 60 };

/** Runs one deliberate fault from seed 1 on; `undefined` if nobody noticed. */
export async function runSabotage({ seams, show }: Sabotage, { seeds, trades }: Patience = PATIENCE): Promise<Catch | undefined> {
  for (let seed = 1; seed <= (show === undefined ? seeds : 1); seed++) {
    const [first] = show === undefined ? (await simulate({ seed, trades, seams: seams() })).violations : await show(seams());
    if (first !== undefined) return { checker: first.checker, detail: first.detail, seed };
  }
  return undefined;
}

/** Runs all of them that have `part` in their names, and says for each what came of it. */
export async function runSabotages(part: string, say: (line: string) => void): Promise<SabotageResult> {
  const chosen = SABOTAGES.filter(({ name }) => name.includes(part));
  let caught = 0;
  for (const sabotage of chosen) {
    const found = await runSabotage(sabotage);
    if (found !== undefined) caught++;
    say(
      found === undefined
        ? `NOT CAUGHT: ${sabotage.name}`
        : `caught: ${sabotage.name}\n    by seed ${found.seed}, ${found.checker}: ${found.detail.split('\n')[0]}`,
    );
  }
  return { sabotages: chosen.length, caught };
}
