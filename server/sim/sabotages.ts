/**
 * Deliberate faults, each put in at a seam of the real code: what the checkers are for. A simulator
 * that finds none of them would find nothing of ours either.
 */
import type { Violation } from './checker.ts';
import { MARKET_SABOTAGES } from './sabotage-market.ts';
import { SERVICE_SABOTAGES } from './sabotage-service.ts';
import { STORE_SABOTAGES } from './sabotage-stores.ts';
import { TRADE_SABOTAGES } from './sabotage-trades.ts';
import type { Sabotages } from './seams.ts';
import { simulate } from './simulation.ts';

/** All of them: the ways in which such systems have lost others' gold. */
export const SABOTAGES: Sabotages = { ...STORE_SABOTAGES, ...TRADE_SABOTAGES, ...MARKET_SABOTAGES, ...SERVICE_SABOTAGES };

/**
 * Nearly all are found by the first few seeds; that two lives have the same ids only shows when a
 * reply strays from one into the other.
 */
const PATIENCE = { seeds: 240, trades: 60 };

/**
 * Runs one deliberate fault from seed 1 on, up to so many simulations of so many trades: the first
 * promise that it was seen to break, and the seed; `undefined` if no checker noticed.
 */
export async function runSabotage(
  name: string,
  { seeds, trades } = PATIENCE,
): Promise<(Violation & { readonly seed: number }) | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await simulate({ seed, trades, seams: SABOTAGES[name]?.() ?? {} });
    if (violations[0] !== undefined) return { ...violations[0], seed };
  }
  return undefined;
}

/** Runs all of them that have `part` in their names, says for each what came of it, and counts. */
export async function runSabotages(
  part: string,
  say: (line: string) => void,
): Promise<{ readonly sabotages: number; readonly caught: number }> {
  const chosen = Object.keys(SABOTAGES).filter((name) => name.includes(part));
  let caught = 0;
  for (const name of chosen) {
    const found = await runSabotage(name);
    if (found === undefined) {
      say(`NOT CAUGHT: ${name}`);
      continue;
    }
    caught++;
    say(`caught: ${name}\n    by seed ${found.seed}, ${found.checker}: ${found.detail.split('\n')[0]}`);
  }
  return { sabotages: chosen.length, caught };
}
